package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

// Harness is what a test run needs of a store. Each subtest gets a fresh one. A nil hook skips the
// subtests that need it, by name: set every one that the store has an answer to.
type Harness struct {
	// Store is under test. It has no rows yet. Run closes it.
	Store envelope.Store
	// Reopen returns another client of the rows of Store, as another process would have. Run closes it.
	Reopen func() envelope.Store
	// Exclusive says that only one client can be open at a time: Store is closed before Reopen is called.
	Exclusive bool
	// Hold has something else lock the rows, so that an Apply of Store has to wait until release.
	Hold func() (release func())
	// Outage puts the rows out of reach of Store, until undo.
	Outage func() (undo func())
	// Crash has another process run [Scribble], kills it after some lines, and returns the number that Scribble
	// wrote last, 0 for none, and a client of the rows that the process left, which Run closes. The rows are not those of Store, but
	// the same ones on every call. Run calls it again after that.
	Crash func() (last int, after envelope.Store)

	patience time.Duration // with what may hang; 0 for a minute. Only this package's own test is less patient
}

// need skips the test when a hook is missing.
func need(t testing.TB, given bool, hook, what string) {
	t.Helper()
	if !given {
		t.Skip("Harness." + hook + " is missing: not tested is " + what)
	}
}

// reopen returns another client, in place of Store where there can be one only.
func (h Harness) reopen(t testing.TB) envelope.Store {
	t.Helper()
	if h.Exclusive {
		closes(t, h, h.Store)
	}
	s := h.Reopen()
	require.NotNil(t, s)
	closesLater(t, h, s)
	return s
}

// clients returns Store, twice or together with another client where there can be one.
func (h Harness) clients(t testing.TB) [2]envelope.Store {
	t.Helper()
	if h.Reopen == nil || h.Exclusive {
		return [2]envelope.Store{h.Store, h.Store}
	}
	return [2]envelope.Store{h.Store, h.reopen(t)}
}

// closes closes s, which must not hang.
func closes(t testing.TB, h Harness, s envelope.Store) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.Close() }()
	require.NoError(t, await(t, h, done, "Close"))
}

func closesLater(t testing.TB, h Harness, s envelope.Store) {
	t.Cleanup(func() { closes(t, h, s) })
}

// await returns what comes from a call that must not hang. Its limit is no measure of speed.
func await[T any](t testing.TB, h Harness, from <-chan T, what string) (got T) {
	t.Helper()
	limit := time.Minute
	if h.patience > 0 {
		limit = h.patience
	}
	select {
	case got = <-from:
	case <-time.After(limit):
		t.Errorf("%s hangs", what)
		t.FailNow()
	}
	return got
}

// everyone runs f in n goroutines at once, and meanwhile besides.
func everyone(t testing.TB, h Harness, n int, f func(caller int) error, meanwhile func()) {
	t.Helper()
	start, errs := make(chan struct{}), make(chan error, n)
	for i := range n {
		go func() {
			<-start
			errs <- f(i)
		}()
	}
	close(start)
	meanwhile()
	for range n {
		require.NoError(t, await(t, h, errs, "one of several calls"))
	}
}

// only requires that err is of the class want and of no other.
func only(t testing.TB, err, want error) {
	t.Helper()
	require.ErrorIs(t, err, want)
	for _, class := range []error{envelope.ErrConflict, envelope.ErrClosed, envelope.ErrUnavailable, kms.ErrInvalid} {
		if class != want {
			require.False(t, errors.Is(err, class), "an error is %q and also %q", want, class)
		}
	}
}
