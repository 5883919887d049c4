package kms_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// TestShutForThoseBefore: once the breaker has opened, the driver is not asked by calls that began before either, be they in a pause or in the queue.
// They fail at once, or at the end of their pause.
func TestShutForThoseBefore(t *testing.T) {
	const callers, latency, breakFor, jitter = 1000, 100 * time.Millisecond, 4 * time.Second, 400 * time.Millisecond
	for name, tc := range map[string]struct {
		attempts int
		pause    time.Duration // that the provider asks for
	}{
		"in the queue": {1, 0},
		"in pauses":    {3, 0},
		"throttled":    {2, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var began, ended []time.Time
				a := newActor(func(context.Context, int) error {
					mu.Lock()
					began = append(began, time.Now())
					mu.Unlock()
					time.Sleep(latency)
					return throttled(tc.pause)
				})
				k := keyWith(t, a, &kms.Options{Attempts: tc.attempts, Concurrency: 64, BreakFor: breakFor, Timeout: time.Minute})
				var all sync.WaitGroup
				for i := range callers {
					all.Go(func() {
						err := operations[[]string{"wrap", "unwrap"}[i%2]](t.Context(), k)
						mu.Lock()
						defer mu.Unlock()
						ended = append(ended, time.Now())
						require.True(t, errors.Is(err, kms.ErrThrottled) != errors.Is(err, kms.ErrUnavailable), "%v", err)
						var e *kms.Error
						require.ErrorAs(t, err, &e)
						require.Less(t, len(err.Error()), 200, "errors must not quote each other")
						require.True(t, e.Retryable)
					})
				}
				all.Wait()
				s := k.Status()
				require.Equal(t, kms.HealthUnreachable, s.Health)
				before := 0
				for _, at := range began {
					require.False(t, at.After(s.Since), "the driver is asked %v after the breaker opened", at.Sub(s.Since))
					before++
				}
				require.GreaterOrEqual(t, before, 5*tc.attempts)
				if tc.attempts == 1 {
					require.LessOrEqual(t, before, 2*64, "the queue was full")
				}
				require.Len(t, ended, callers)
				for _, at := range ended {
					require.LessOrEqual(t, at.Sub(s.Since), latency+tc.pause+jitter)
				}
				require.True(t, broken(t, k, a))
				a.say(nil)
				time.Sleep(time.Until(s.Since.Add(breakFor + 1)))
				require.False(t, broken(t, k, a))
				require.EqualValues(t, before+1, a.calls.Load())
			})
		})
	}
}

// TestHalfOpenForTheProbeAlone: a call that began before the breaker opened, and wakes when it is half open, is not the probe.
func TestHalfOpenForTheProbeAlone(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a := newActor(nil)
		k := keyWith(t, a, &kms.Options{Timeout: time.Minute, BreakAfter: 1, BreakFor: 4 * time.Second})
		a.say(throttled(6 * time.Second))
		paused := make(chan error, 1)
		go func() { paused <- operations["wrap"](t.Context(), k) }()
		synctest.Wait()
		a.say(&kms.Error{Err: kms.ErrUnavailable}) // not to be tried again
		require.Error(t, operations["wrap"](t.Context(), k))
		require.EqualValues(t, 2, a.calls.Load())
		a.say(nil)
		requireOnly(t, <-paused, kms.ErrThrottled)
		require.EqualValues(t, 2, a.calls.Load())
		require.NoError(t, operations["wrap"](t.Context(), k), "the probe")
		require.EqualValues(t, 3, a.calls.Load())
	})
}

// TestShutForThoseWhoWait for the place of a call that hangs: those that the breaker is for leave without having asked, and make no attempt.
func TestShutForThoseWhoWait(t *testing.T) {
	for op, turnedAway := range map[string]bool{"wrap": true, "unwrap": true, "describe": false, "rotate": false, "destroy": false} {
		t.Run(op, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				a, seen := newActor(func(context.Context, int) error { time.Sleep(3 * time.Second); return nil }), &recorder{}
				k := keyWith(t, a, &kms.Options{Timeout: 2 * time.Second, Attempts: 1, Concurrency: 1, BreakAfter: 1, Observer: seen})
				go operations["describe"](t.Context(), k) // and holds the place for 3 seconds
				synctest.Wait()
				opener, waiter := make(chan error, 1), make(chan error, 1)
				go func() { opener <- operations["wrap"](t.Context(), k) }()
				time.Sleep(1500 * time.Millisecond)
				go func() { waiter <- operations[op](t.Context(), k) }()
				requireOnly(t, <-opener, kms.ErrUnavailable)
				require.Equal(t, kms.HealthUnreachable, k.Status().Health)
				synctest.Wait()
				require.Empty(t, waiter)
				a.say(nil)
				start := time.Now()
				time.Sleep(2 * grace) // the first gives up, too
				seen.brief()
				err := <-waiter
				require.Equal(t, time.Second, time.Since(start), "it does not wait on")
				if !turnedAway {
					require.NoError(t, err)
					require.EqualValues(t, 2, a.calls.Load())
					return
				}
				requireOnly(t, err, kms.ErrUnavailable)
				require.NotErrorIs(t, err, context.DeadlineExceeded)
				var e *kms.Error
				require.ErrorAs(t, err, &e)
				require.True(t, e.Retryable)
				require.EqualValues(t, 1, a.calls.Load())
				require.Equal(t, []string{op + " 0 unavailable"}, seen.brief())
				require.NoError(t, operations["describe"](t.Context(), k), "the place is free")
			})
		})
	}
}

// TestLateSuccessWhileShut: what began before the breaker opened and ends well after it says nothing about now.
func TestLateSuccessWhileShut(t *testing.T) {
	for _, op := range []string{"wrap", "unwrap"} {
		for name, after := range map[string]time.Duration{"open": 3 * time.Second, "half open": 7 * time.Second} {
			t.Run(op+", "+name, func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					a := newActor(func(context.Context, int) error { time.Sleep(after); return nil })
					k := keyWith(t, a, &kms.Options{Attempts: 1, BreakAfter: 1, BreakFor: 5 * time.Second})
					late := make(chan error, 1)
					go func() { late <- operations[op](t.Context(), k) }()
					synctest.Wait()
					a.say(kms.ErrUnavailable)
					failed := operations["wrap"](t.Context(), k)
					want := kms.Status{Health: kms.HealthUnreachable, Since: time.Now(), Err: failed}
					require.Equal(t, want, k.Status())
					require.NoError(t, <-late)
					want.LastSuccess = want.Since.Add(after)
					require.Equal(t, want, k.Status())
				})
			})
		}
	}
}
