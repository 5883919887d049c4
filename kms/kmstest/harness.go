package kmstest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/kms"
)

// Harness is what a test run needs of a provider. Each subtest gets a fresh one. A nil hook skips the
// subtests that need it, by name: set every one that the provider has an answer to.
type Harness struct {
	// Driver is under test. Its key is enabled. Run closes it. A *kms.Key may stand here, too, with 1
	// in kms.Options.Attempts, so that its pauses do not hold up the cases in which the service fails.
	Driver kms.Driver
	// Other is a driver of the same provider with another key. Run closes it.
	Other kms.Driver
	// Group says that Driver stands for several keys, each of which opens what it wraps, as kms.AnyOf
	// does. Other is then another group, of other keys, and the hooks act on every key of Driver's.
	// Where a case can't hold for a group, a variant of it that can takes its place. The keys' own drivers need a run of
	// their own, which looks closer.
	Group bool
	// Calls returns how many requests Driver has sent to its service: at least one for each Wrap and Unwrap, of a group
	// for each Wrap. nil says that it sends none.
	Calls func() int

	// Disable switches Driver's key off at the provider, and Enable on again.
	Disable, Enable func(ctx context.Context) error
	// Destroy destroys Driver's key at the provider, or has it scheduled. CancelDestroy
	// is for providers that schedule it: the key is then enabled again.
	Destroy, CancelDestroy func(ctx context.Context) error
	// MoveAlias has the alias that Driver was constructed with name Other's key from now on.
	MoveAlias func(ctx context.Context) error
	// Reopen returns another driver of Driver's key, as another process would have. The caller closes it.
	Reopen func() kms.Driver

	// The rest goes wrong between Driver and its service, from the call until undo, which is called once.

	// Deny has the service refuse Driver's credentials.
	Deny func() (undo func())
	// Throttle has the service turn requests away as too many. pause is how long it tells the client to
	// wait, 0 if it does not say.
	Throttle func() (pause time.Duration, undo func())
	// Outage has the service out of reach, or answer nothing but that it failed.
	Outage func() (undo func())
	// Hang has the service take requests and not answer. It calls arrived for each, from any goroutine.
	// Requests that hang at undo are answered or fail.
	Hang func(arrived func()) (undo func())

	patience time.Duration // with what may hang; 0 for 30 s. Only this package's own test is less patient
}

// close closes the drivers, and fails if one of them hangs in it.
func (h Harness) close(t testing.TB) {
	t.Helper()
	defer closes(t, h, h.Other) // whatever becomes of Driver
	closes(t, h, h.Driver)
}

// closes returns what Close of d does, which must not hang.
func closes(t testing.TB, h Harness, d kms.Driver) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- d.Close() }()
	return await(t, h, done, "Close")
}

// own returns the context of the suite's calls. It lets a *kms.Key take the
// context keys that a driver has to take.
func own(t testing.TB) context.Context { return reserved.Allow(t.Context()) }

// need skips the test when a hook is missing.
func need(t testing.TB, given bool, hook, what string) {
	t.Helper()
	if !given {
		t.Skip("Harness." + hook + " is nil: not tested is " + what)
	}
}

// sent returns how many requests Driver has sent.
func (h Harness) sent() int {
	if h.Calls == nil {
		return 0
	}
	return h.Calls()
}

// counted wraps and opens, and requires that Calls counts it: else what it says of other calls is worth nothing.
func (h Harness) counted(t testing.TB) kms.Wrapped {
	t.Helper()
	before := h.sent()
	w := wrap(t, h.Driver, secret(32), pairs())
	between := h.sent()
	opens(t, h.Driver, w, pairs(), secret(32))
	if h.Calls != nil {
		require.Greater(t, between, before, "Harness.Calls does not count a Wrap")
		if !h.Group { // one of its keys may open it at home
			require.Greater(t, h.sent(), between, "Harness.Calls does not count an Unwrap")
		}
	}
	return w
}

// limit bounds the wait for what must not hang. It is no measure of speed.
func (h Harness) limit() time.Duration {
	if h.patience > 0 {
		return h.patience
	}
	return 30 * time.Second
}

// await returns what comes from a call that must not hang.
func await[T any](t testing.TB, h Harness, from <-chan T, what string) (got T) {
	t.Helper()
	select {
	case got = <-from:
	case <-time.After(h.limit()):
		t.Errorf("%s hangs", what)
		t.FailNow()
	}
	return got
}
