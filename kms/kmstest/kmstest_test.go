package kmstest

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

func TestRunPassesModel(t *testing.T) {
	Run(t, func(*testing.T) Harness {
		_, h := newHarness()
		return h
	})
}

func TestRunPassesBareDriver(t *testing.T) {
	Run(t, func(*testing.T) Harness {
		return Harness{Driver: bare{newModel("key-1")}, Other: bare{newModel("key-2")}}
	})
}

// recorder is a testing.TB that only notes whether the test failed.
type recorder struct {
	testing.TB
	failed, skipped atomic.Bool
}

func (r *recorder) Errorf(string, ...any) { r.failed.Store(true) }
func (r *recorder) Log(...any)            {}
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
	_, h := newHarness()
	h.Disable, h.Destroy = nil, nil
	require.True(t, watch(t, "disabled key", h).skipped.Load())
	require.True(t, watch(t, "destroyed key", h).skipped.Load())
	h.Driver = bare{h.Driver}
	require.True(t, watch(t, "rotation", h).skipped.Load())
}

// mutant is a driver that breaks one promise, and the case that must notice.
type mutant struct {
	name, caught string
	breakIt      func(b *broken, h *Harness)
}

func TestRunCatches(t *testing.T) {
	for _, mutant := range append(behaviourMutants(), refusalMutants()...) {
		t.Run(mutant.name, func(t *testing.T) {
			_, sound := newHarness()
			require.False(t, watch(t, mutant.caught, sound).failed.Load(), "the sound driver fails")
			b, h := newHarness()
			mutant.breakIt(b, &h)
			require.True(t, watch(t, mutant.caught, h).failed.Load(), "%q did not notice", mutant.caught)
		})
	}
}

func TestRunReportsPendingDeletion(t *testing.T) {
	b, h := newHarness()
	h.Destroy = func(context.Context) error { return b.set(kms.ErrPendingDeletion) }
	require.False(t, watch(t, "destroyed key", h).failed.Load())
}
