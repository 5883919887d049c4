package kms_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

func TestOptionsBounds(t *testing.T) {
	for _, tc := range []struct {
		name string
		o    kms.Options
		ok   bool
	}{
		{"zero", kms.Options{}, true},
		{"least", kms.Options{Timeout: 1, Attempts: 1, Concurrency: 1, BreakAfter: 1, BreakFor: 1}, true},
		{"most", kms.Options{Timeout: math.MaxInt64, Attempts: 10, Concurrency: 4096, BreakAfter: 1000, BreakFor: time.Hour}, true},
		{"Timeout under", kms.Options{Timeout: -1}, false},
		{"Attempts under", kms.Options{Attempts: -1}, false},
		{"Attempts over", kms.Options{Attempts: 11}, false},
		{"Concurrency under", kms.Options{Concurrency: -1}, false},
		{"Concurrency over", kms.Options{Concurrency: 4097}, false},
		{"Concurrency far over", kms.Options{Concurrency: math.MaxInt}, false},
		{"BreakAfter under", kms.Options{BreakAfter: -1}, false},
		{"BreakAfter over", kms.Options{BreakAfter: 1001}, false},
		{"BreakFor under", kms.Options{BreakFor: -1}, false},
		{"BreakFor over", kms.Options{BreakFor: time.Hour + 1}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScript()
			k, err := kms.NewKey(s, &tc.o)
			if !tc.ok {
				requireOnly(t, err, kms.ErrInvalid)
				require.Nil(t, k)
				require.Zero(t, s.closed, "the driver stays the caller's")
				return
			}
			require.NoError(t, err)
			require.NoError(t, k.Close())
		})
	}
}

// settings are what the options of a Key turn out to be.
type settings struct {
	timeout                   time.Duration
	attempts                  int64
	concurrency, waiting, brk int
	breakFor                  time.Duration // rounded up to 100 ms
}

// find finds out the settings of Keys that are made of d.
func find(t *testing.T, key func(kms.Driver) *kms.Key) (s settings) {
	t.Helper()
	hang := func(ctx context.Context, _ int) error {
		<-ctx.Done()
		return ctx.Err()
	}
	k := key(newActor(hang))
	start := time.Now()
	require.Error(t, operations["wrap"](t.Context(), k))
	s.timeout = time.Since(start)
	require.NoError(t, k.Close())

	a := fails(kms.ErrUnavailable)
	k = key(a)
	require.Error(t, operations["wrap"](t.Context(), k))
	s.attempts = a.calls.Load()
	for s.brk = 1; !broken(t, k, a); s.brk++ {
	}
	for opened := time.Now(); broken(t, k, a); s.breakFor = time.Since(opened) {
		time.Sleep(100 * time.Millisecond)
	}
	require.NoError(t, k.Close())

	a = newActor(hang)
	k = key(a)
	ctx, cancel := context.WithCancel(t.Context())
	turned := make(chan error, 1)
	for n := 0; len(turned) == 0; n++ {
		s.waiting = n - int(a.inside.Load())
		go func() {
			start := time.Now()
			if err := operations["describe"](ctx, k); time.Since(start) == 0 && ctx.Err() == nil {
				turned <- err
			}
		}()
		synctest.Wait()
	}
	s.concurrency = int(a.inside.Load())
	cancel()
	require.NoError(t, k.Close())
	return s
}

func TestDefaults(t *testing.T) {
	for name, o := range map[string]*kms.Options{"nil": nil, "zero": {}} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				got := find(t, func(d kms.Driver) *kms.Key { return keyWith(t, d, o) })
				require.Equal(t, settings{
					timeout: 10 * time.Second, attempts: 3, concurrency: 64, waiting: 1024,
					brk: 5, breakFor: 5*time.Second + 100*time.Millisecond,
				}, got)
			})
		})
	}
}

// TestOptionsAreCopied: each does what it says, and a later change of them does nothing.
func TestOptionsAreCopied(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		got := find(t, func(d kms.Driver) *kms.Key {
			o := &kms.Options{Timeout: 3 * time.Second, Attempts: 2, Concurrency: 4, BreakAfter: 3, BreakFor: 2 * time.Second}
			k := keyWith(t, d, o)
			*o = kms.Options{Timeout: 1, Attempts: 9, Concurrency: 1, BreakAfter: 9, BreakFor: 1}
			return k
		})
		require.Equal(t, settings{
			timeout: 3 * time.Second, attempts: 2, concurrency: 4, waiting: 64,
			brk: 3, breakFor: 2*time.Second + 100*time.Millisecond,
		}, got)
	})
}

func TestObservedNamesAreCopied(t *testing.T) {
	var seen []kms.Context
	o := &kms.Options{
		Observer:       observerFunc(func(e kms.Event) { seen = append(seen, e.Context) }),
		ObserveContext: []string{"table"},
	}
	k := keyWith(t, newScript(), o)
	o.ObserveContext[0] = "patient"
	o.Observer = nil
	_, err := k.Wrap(t.Context(), []byte("secret"), kms.Context{"table": "t", "patient": "p"})
	require.NoError(t, err)
	require.Equal(t, []kms.Context{{"table": "t"}}, seen)
}
