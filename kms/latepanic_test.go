package kms_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// TestLatePanic: a driver that panics when its caller has left doesn't end the process, does not go unseen, and gives its place back.
func TestLatePanic(t *testing.T) {
	for name, cancels := range map[string]bool{"timeout": false, "cancelled": true} {
		for op, call := range operations {
			t.Run(op+", "+name, func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					release, seen := make(chan struct{}), &recorder{}
					a := newActor(func(context.Context, int) error {
						<-release
						panic("broken driver")
					})
					k := keyWith(t, a, &kms.Options{Timeout: 2 * time.Second, Concurrency: 1, Observer: seen})
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if cancels {
						time.AfterFunc(time.Second, cancel)
					}
					start := time.Now()
					err := call(ctx, k)
					require.Error(t, err)
					require.Len(t, seen.events, 1)
					require.Equal(t, err, seen.events[0].Err)

					time.Sleep(time.Minute)
					close(release)
					synctest.Wait()
					require.Len(t, seen.events, 2)
					e := seen.events[1]
					require.Equal(t, []any{op, a.ref, 1, "unavailable"}, []any{e.Op, e.Ref, e.Attempt, e.Class})
					require.Equal(t, start, e.Start)
					require.Equal(t, time.Since(start), e.Duration)
					requireOnly(t, e.Err, kms.ErrUnavailable)
					var said *kms.Error
					require.ErrorAs(t, e.Err, &said)
					require.NoError(t, seen.ctxs[1].Err(), "an Observer may do what takes a context")

					a.say(nil)
					require.NoError(t, call(t.Context(), k), "its place is free")
				})
			})
		}
	}
}

// TestLatePanicWithoutObserver: nobody needs to look.
func TestLatePanicWithoutObserver(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a := newActor(func(context.Context, int) error {
			time.Sleep(time.Minute)
			panic("broken driver")
		})
		k := keyWith(t, a, &kms.Options{Concurrency: 1})
		requireOnly(t, operations["unwrap"](t.Context(), k), kms.ErrUnavailable)
		require.NoError(t, k.Close())
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Zero(t, a.inside.Load())
	})
}

// TestLatePanicOfBoth: nor does an Observer that panics then.
func TestLatePanicOfBoth(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		release, told := make(chan struct{}), 0
		a := newActor(func(context.Context, int) error {
			<-release
			panic("broken driver")
		})
		k := keyWith(t, a, &kms.Options{Concurrency: 1, Observer: observerFunc(func(kms.Event) {
			if told++; told == 2 {
				panic("broken observer")
			}
		})})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		require.ErrorIs(t, operations["wrap"](ctx, k), context.Canceled)
		close(release)
		synctest.Wait()
		require.Equal(t, 2, told)
		a.say(nil)
		require.NoError(t, operations["wrap"](t.Context(), k))
	})
}
