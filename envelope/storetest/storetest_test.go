package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestRunPasses lets no case be skipped.
func TestRunPasses(t *testing.T) {
	Run(t, func(t *testing.T) Harness {
		t.Cleanup(func() { require.False(t, t.Skipped()) })
		_, h := newHarness()
		return h
	})
}

func TestRunPassesExclusive(t *testing.T) {
	Run(t, func(*testing.T) Harness {
		b, h := newHarness()
		h.Exclusive = true
		open := h.Reopen
		h.Reopen = func() envelope.Store {
			require.True(t, b.closed, "Store was not closed before")
			return open()
		}
		return h
	})
}

func TestRunPassesWithoutHooks(t *testing.T) {
	Run(t, func(*testing.T) Harness { return Harness{Store: memstore.New()} })
}

// recorder is a testing.TB that only notes whether the test failed.
type recorder struct {
	testing.TB
	failed, skipped atomic.Bool
}

func (r *recorder) Errorf(string, ...any) { r.failed.Store(true) }
func (r *recorder) Log(...any)            {}
func (r *recorder) Cleanup(func())        {} // of stores that are broken
func (r *recorder) FailNow() {
	r.failed.Store(true)
	runtime.Goexit()
}

func (r *recorder) Skip(...any) {
	r.skipped.Store(true)
	runtime.Goexit()
}

// watch runs the named case on h.
func watch(t *testing.T, name string, h Harness) *recorder {
	t.Helper()
	for _, c := range cases() {
		if c.name == name {
			r := &recorder{TB: t}
			var done sync.WaitGroup
			done.Go(func() { c.run(r, h) })
			done.Wait()
			return r
		}
	}
	require.FailNow(t, "no such case", name)
	return nil
}

func TestRunSkipsLoudly(t *testing.T) {
	for _, tc := range []struct {
		name   string
		remove func(*Harness)
		cases  []string
	}{
		{"Reopen", func(h *Harness) { h.Reopen = nil }, []string{"reopened", "another client"}},
		{"Exclusive", func(h *Harness) { h.Exclusive = true }, []string{"another client"}},
		{"Hold", func(h *Harness) { h.Hold = nil }, []string{"cancelled while held"}},
		{"Outage", func(h *Harness) { h.Outage = nil }, []string{"outage"}},
		{"Crash", func(h *Harness) { h.Crash = nil }, []string{"crash"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, name := range tc.cases {
				_, h := newHarness()
				tc.remove(&h)
				r := watch(t, name, h)
				require.False(t, r.failed.Load(), name)
				require.True(t, r.skipped.Load(), name)
			}
		})
	}
}

// mutant is a store that breaks one promise, and the case that must notice.
type mutant struct {
	name, caught string
	breakIt      func(b *broken, h *Harness)
}

func mutants() (all []mutant) {
	for _, list := range [][]mutant{rowMutants(), changeMutants(), listMutants(), argumentMutants(), lifecycleMutants(), processMutants()} {
		all = append(all, list...)
	}
	return all
}

func TestRunCatches(t *testing.T) {
	for _, mutant := range mutants() {
		t.Run(mutant.name, func(t *testing.T) {
			b, h := newHarness()
			mutant.breakIt(b, &h)
			require.True(t, watch(t, mutant.caught, h).failed.Load(), "%q did not notice", mutant.caught)
		})
	}
}

// TestEveryCaseCatches has no case that nothing can fail.
func TestEveryCaseCatches(t *testing.T) {
	caught := map[string]bool{}
	for _, m := range mutants() {
		caught[m.caught] = true
	}
	for _, c := range cases() {
		require.True(t, caught[c.name], c.name)
	}
}

func TestRunCatchesHangingClose(t *testing.T) {
	b, h := newHarness()
	h.patience = 20 * time.Millisecond
	over := make(chan struct{})
	defer close(over)
	b.close = func() error {
		<-over
		return nil
	}
	require.True(t, watch(t, "closed store", h).failed.Load())
}

// TestScribbleEnds with the first error, of the store or of who listens.
func TestScribbleEnds(t *testing.T) {
	b, _ := newHarness()
	r, w := io.Pipe()
	require.NoError(t, r.Close())
	require.ErrorIs(t, Scribble(t.Context(), b, w), io.ErrClosedPipe)
	require.Len(t, everything(t, b), scribbleRows+1, "one Apply is made")

	b.apply = func(context.Context, []envelope.Change) error { return errKilled }
	require.ErrorIs(t, Scribble(t.Context(), b, io.Discard), errKilled)
	b.down.Store(true)
	require.ErrorIs(t, Scribble(t.Context(), b, io.Discard), envelope.ErrUnavailable)
	b.down.Store(false)
	b.apply = nil
	apply(t, b, changed(get(t, b, "scribble/00"), "not a number"))
	require.Error(t, Scribble(t.Context(), b, io.Discard))
}

// lastLine remembers the last line that was written to it.
type lastLine struct{ line []byte }

func (l *lastLine) Write(b []byte) (int, error) {
	if !bytes.HasSuffix(b, []byte("\n")) {
		return 0, errors.New("not a line")
	}
	l.line = bytes.Clone(b)
	return len(b), nil
}

func (l *lastLine) last() int {
	n, _ := strconv.Atoi(string(bytes.TrimSpace(l.line))) // 0 if there was none
	return n
}
