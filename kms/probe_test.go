package kms_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// TestProbeThatTellsNothing: the next call is a probe, too.
func TestProbeThatTellsNothing(t *testing.T) {
	for name, leave := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"cancelled": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(2*time.Second, cancel)
			return ctx, cancel
		},
		"short deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second/2)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				k, a := brokenKey(t)
				time.Sleep(5*time.Second + 1)
				release := make(chan struct{})
				a.play(func(context.Context, int) error {
					<-release
					return nil
				})
				for range 3 {
					ctx, cancel := leave(t.Context())
					before := a.calls.Load()
					require.Error(t, operations["wrap"](ctx, k))
					require.EqualValues(t, 1, a.calls.Load()-before, "it was let through")
					cancel()
				}
				a.say(nil)
				for range 3 {
					require.False(t, broken(t, k, a))
				}
				close(release)
			})
		})
	}
}

// TestProbeThatPanics opens the breaker again, and no more.
func TestProbeThatPanics(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		k, a := brokenKey(t)
		time.Sleep(5*time.Second + 1)
		panics(t, k, a)
		a.say(nil)
		require.True(t, broken(t, k, a))
		time.Sleep(5*time.Second + 1)
		require.False(t, broken(t, k, a))
		require.False(t, broken(t, k, a))
	})
}

// TestProbeThatIsNotFound: an answer is one, and those who come next get it, too: not an outage that is over.
func TestProbeThatIsNotFound(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		k, a := brokenKey(t)
		a.say(kms.ErrNotFound) // the key was deleted meanwhile
		time.Sleep(5*time.Second + 1)
		requireOnly(t, operations["wrap"](t.Context(), k), kms.ErrNotFound)
		a.play(func(context.Context, int) error {
			time.Sleep(time.Second)
			return kms.ErrNotFound
		})
		first := make(chan error, 1)
		go func() { first <- operations["wrap"](t.Context(), k) }()
		synctest.Wait()
		second := operations["wrap"](t.Context(), k)
		requireOnly(t, <-first, kms.ErrNotFound)
		requireOnly(t, second, kms.ErrNotFound)
	})
}

type observerFunc func(e kms.Event)

func (f observerFunc) Observe(_ context.Context, e kms.Event) { f(e) }

// TestProbeWhoseCallerEnds: an Observer may end its goroutine, as a failed test does. That must not keep the next probe out for good.
func TestProbeWhoseCallerEnds(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("observer") }, "exit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				a, ends := fails(kms.ErrUnavailable), false
				k := keyWith(t, a, &kms.Options{Attempts: 1, BreakAfter: 1, Observer: observerFunc(func(kms.Event) {
					if ends {
						end()
					}
				})})
				require.False(t, broken(t, k, a))
				a.say(nil)
				time.Sleep(5*time.Second + 1)
				ends = true
				gone := make(chan struct{})
				go func() {
					defer close(gone)
					defer func() { _ = recover() }()
					operations["wrap"](t.Context(), k)
				}()
				<-gone
				ends = false
				time.Sleep(5*time.Second + 1)
				require.False(t, broken(t, k, a))
			})
		})
	}
}
