package kmstest

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/kms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestRunPassesFake is the Fake's contract, and lets no case be skipped.
func TestRunPassesFake(t *testing.T) {
	Run(t, func(t *testing.T) Harness {
		t.Cleanup(func() { require.False(t, t.Skipped()) })
		return fakeHarness(NewFake("key-1"))
	})
}

func TestRunPassesBareDriver(t *testing.T) {
	Run(t, func(*testing.T) Harness {
		h := fakeHarness(NewFake("key-1"))
		h.Driver = bare{h.Driver}
		return h
	})
}

func TestRunPassesKey(t *testing.T) {
	key := func(d kms.Driver) *kms.Key {
		k, err := kms.NewKey(d, &kms.Options{Attempts: 1})
		require.NoError(t, err)
		return k
	}
	Run(t, func(*testing.T) Harness {
		f := NewFake("key-1")
		h := fakeHarness(f)
		h.Driver, h.Other = key(bare{h.Driver}), key(h.Other) // a Key has every method, whatever its driver has
		h.Reopen = func() kms.Driver { return key(f.Driver()) }
		return h
	})
}

// recorder is a testing.TB that only notes whether the test failed.
type recorder struct {
	testing.TB
	failed, skipped atomic.Bool
}

func (r *recorder) Errorf(string, ...any) { r.failed.Store(true) }
func (r *recorder) Log(...any)            {}
func (r *recorder) Logf(string, ...any)   {}
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
		{"Disable", func(h *Harness) { h.Disable = nil }, []string{"disabled key", "enabled again"}},
		{"Enable", func(h *Harness) { h.Enable = nil }, []string{"enabled again"}},
		{"Destroy", func(h *Harness) { h.Destroy = nil }, []string{"destroyed key", "destruction cancelled"}},
		{"CancelDestroy", func(h *Harness) { h.CancelDestroy = nil }, []string{"destruction cancelled"}},
		{"MoveAlias", func(h *Harness) { h.MoveAlias = nil }, []string{"moved alias"}},
		{"Reopen", func(h *Harness) { h.Reopen = nil }, []string{"another process"}},
		{"Deny", func(h *Harness) { h.Deny = nil }, []string{"access denied"}},
		{"Throttle", func(h *Harness) { h.Throttle = nil }, []string{"throttled"}},
		{"Outage", func(h *Harness) { h.Outage = nil }, []string{"outage"}},
		{"Hang", func(h *Harness) { h.Hang = nil }, []string{"cancelled in flight", "deadline in flight", "closed in flight"}},
		{"Destroyer", func(h *Harness) { h.Driver = bare{h.Driver} }, []string{"destroyed by the driver"}},
		{"Rotator", func(h *Harness) { h.Driver = bare{h.Driver} }, []string{"rotation", "rotation in use"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, name := range tc.cases {
				h := fakeHarness(NewFake("key-1"))
				tc.remove(&h)
				r := watch(t, name, h)
				require.False(t, r.failed.Load(), name)
				require.True(t, r.skipped.Load(), name)
			}
		})
	}
}

// mutant is a driver that breaks one promise, and the case that must notice.
type mutant struct {
	name, caught string
	breakIt      func(b *broken, h *Harness)
}

func mutants() (all []mutant) {
	for _, list := range [][]mutant{
		behaviourMutants(), plaintextMutants(), contextMutants(), refusalMutants(), doubleMutants(), cacheMutants(), abilityMutants(), lifecycleMutants(),
		faultMutants(),
	} {
		all = append(all, list...)
	}
	return all
}

func TestRunCatches(t *testing.T) {
	for _, mutant := range mutants() {
		t.Run(mutant.name, func(t *testing.T) {
			b, h := newHarness()
			t.Cleanup(func() { close(b.over) })
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
	defer close(b.over)
	h.patience = 20 * time.Millisecond
	b.close = func() error {
		<-b.over
		return nil
	}
	r := &recorder{TB: t}
	var done sync.WaitGroup
	done.Go(func() { h.close(r) })
	done.Wait()
	require.True(t, r.failed.Load())
	require.True(t, h.Other.(*fakeDriver).isClosed(), "the other driver is closed all the same")
}

func TestRunReportsDestroyed(t *testing.T) {
	b, h := newHarness()
	h.Destroy = func(ctx context.Context) error {
		_, err := b.Destroy(ctx, 0)
		return err
	}
	require.False(t, watch(t, "destroyed key", h).failed.Load())
	require.True(t, watch(t, "destruction cancelled", h).failed.Load())
}
