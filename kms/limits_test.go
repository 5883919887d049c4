package kms_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// crowd returns a Key with two places, whose driver holds every call until release is closed, and has n calls begun.
// Errors go to ends as they end.
func crowd(t *testing.T, n int) (k *kms.Key, a *actor, release chan struct{}, ends chan error) {
	t.Helper()
	release, ends = make(chan struct{}), make(chan error, n)
	a = newActor(func(ctx context.Context, _ int) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	k = keyWith(t, a, &kms.Options{Attempts: 1, Concurrency: 2, BreakAfter: 1})
	for i := range n {
		op := []string{"wrap", "unwrap", "describe"}[i%3] // of all operations together there are as many
		go func() { ends <- operations[op](t.Context(), k) }()
		synctest.Wait()
	}
	return k, a, release, ends
}

// TestConcurrency: as many as Concurrency are in flight, 16 times as many wait, and the next are turned away.
func TestConcurrency(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		k, a, release, ends := crowd(t, 2+32)
		require.EqualValues(t, 2, a.inside.Load())
		require.Empty(t, ends, "nobody was turned away")
		start := time.Now()
		for op, call := range operations {
			err := call(t.Context(), k)
			requireOnly(t, err, kms.ErrUnavailable)
			var e *kms.Error
			require.ErrorAs(t, err, &e)
			require.True(t, e.Retryable, op)
		}
		require.Zero(t, time.Since(start))
		require.EqualValues(t, 2, a.calls.Load(), "who is turned away does not reach the driver")
		require.Equal(t, kms.HealthUnknown, k.Status().Health, "it tells nothing about the provider")
		close(release)
		synctest.Wait()
		require.Len(t, ends, 2+32, "and does not open the breaker")
		for range 2 + 32 {
			require.NoError(t, <-ends)
		}
		require.EqualValues(t, 2+32, a.calls.Load())
		require.EqualValues(t, 2, a.most.Load())
	})
}

// TestWaitingEnds: those who wait heed their contexts, at once, and make room for others.
func TestWaitingEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		cancel, deadline time.Duration
		want             error
		ends             error
	}{
		"cancel":   {3 * time.Second, time.Hour, nil, context.Canceled},
		"deadline": {time.Hour, 3 * time.Second, kms.ErrUnavailable, context.DeadlineExceeded},
		"timeout":  {time.Hour, time.Hour, kms.ErrUnavailable, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				a := newActor(func(context.Context, int) error {
					<-release
					return nil
				})
				k := keyWith(t, a, &kms.Options{Concurrency: 1, Timeout: 4 * time.Second, BreakAfter: 1000})
				ahead, leave := context.WithCancel(t.Context())
				go operations["wrap"](ahead, k) // and holds the place, to the end
				synctest.Wait()
				leave()
				synctest.Wait()
				for range 2 { // whoever comes second finds the room that the first ones left
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(tc.cancel, cancel)
					ctx, end := context.WithTimeout(ctx, tc.deadline)
					start := time.Now()
					var all sync.WaitGroup
					var turned atomic.Int64
					for range 16 {
						all.Go(func() {
							err := operations["wrap"](ctx, k)
							if time.Since(start) == 0 {
								turned.Add(1)
								return
							}
							requireOnly(t, err, tc.want)
							require.ErrorIs(t, err, tc.ends)
							require.Equal(t, min(tc.cancel, tc.deadline, 4*time.Second), time.Since(start))
						})
					}
					all.Wait()
					require.Zero(t, turned.Load())
					end()
					cancel()
				}
				require.EqualValues(t, 1, a.calls.Load())
				close(release)
			})
		})
	}
}

// TestTurns: who waits longest is next.
func TestTurns(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a := newActor(func(context.Context, int) error {
			time.Sleep(time.Second)
			return nil
		})
		k := keyWith(t, a, &kms.Options{Concurrency: 1, Timeout: time.Minute})
		start := time.Now()
		took := make([]time.Duration, 10)
		var all sync.WaitGroup
		for i := range took {
			all.Go(func() {
				require.NoError(t, operations["wrap"](t.Context(), k))
				took[i] = time.Since(start)
			})
			synctest.Wait()
		}
		all.Wait()
		for i := range took {
			require.Equal(t, time.Duration(i+1)*time.Second, took[i])
		}
	})
}

// TestPausesHoldNoPlace: a call between two attempts is not in flight.
func TestPausesHoldNoPlace(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a := newActor(func(_ context.Context, n int) error {
			if n == 1 {
				return throttled(5 * time.Second)
			}
			return nil
		})
		k := keyWith(t, a, &kms.Options{Concurrency: 1})
		first := make(chan error, 1)
		go func() { first <- operations["wrap"](t.Context(), k) }()
		synctest.Wait()
		start := time.Now()
		require.NoError(t, operations["wrap"](t.Context(), k))
		require.Zero(t, time.Since(start))
		require.NoError(t, <-first)
		require.GreaterOrEqual(t, time.Since(start), 5*time.Second)
	})
}

// TestOverloadIsNoOutage: callers who run out of time while they wait for a place do not open the breaker on a provider
// that answers everyone whom it is asked for.
func TestOverloadIsNoOutage(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a := newActor(func(ctx context.Context, _ int) error {
			select {
			case <-time.After(150 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		k := keyWith(t, a, &kms.Options{Concurrency: 1})
		var all sync.WaitGroup
		var served atomic.Int64
		for range 17 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if operations["wrap"](ctx, k) == nil {
					served.Add(1)
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 6, served.Load())
		require.False(t, broken(t, k, a))
	})
}
