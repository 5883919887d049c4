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

// broken tells whether the breaker turns a call away: it fails in no time, and without a call to the driver.
func broken(t *testing.T, k *kms.Key, a *actor) bool {
	t.Helper()
	before, start := a.calls.Load(), time.Now()
	err := operations["wrap"](t.Context(), k)
	if a.calls.Load() > before {
		return false
	}
	requireOnly(t, err, kms.ErrUnavailable)
	var e *kms.Error
	require.ErrorAs(t, err, &e)
	require.True(t, e.Retryable)
	require.Zero(t, time.Since(start))
	return true
}

// brokenKey returns a Key, with one attempt, whose breaker has just opened, for 5 seconds, and a driver that works again.
func brokenKey(t *testing.T) (*kms.Key, *actor) {
	t.Helper()
	a := fails(kms.ErrUnavailable)
	k := keyWith(t, a, &kms.Options{Attempts: 1, BreakAfter: 1})
	require.Error(t, operations["wrap"](t.Context(), k))
	require.True(t, broken(t, k, a))
	a.say(nil)
	return k, a
}

// TestBreakerOpens: calls count, and not their attempts.
func TestBreakerOpens(t *testing.T) {
	for _, class := range []error{kms.ErrUnavailable, kms.ErrThrottled} {
		t.Run(class.Error(), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				a := newActor(nil)
				k := keyWith(t, a, nil)
				for range 4 {
					a.say(class)
					for range 4 {
						require.False(t, broken(t, k, a))
					}
					a.say(nil)
					require.False(t, broken(t, k, a), "four failures in a row are not five")
				}
				a.say(class)
				before := a.calls.Load()
				for range 5 {
					require.False(t, broken(t, k, a))
				}
				require.EqualValues(t, 15, a.calls.Load()-before)
				require.True(t, broken(t, k, a))
				require.EqualValues(t, 15, a.calls.Load()-before)
				_, err := k.Wrap(t.Context(), nil, nil)
				requireOnly(t, err, kms.ErrInvalid) // a wrong argument is one, whatever the breaker says
			})
		})
	}
}

// TestProbe: after BreakFor one call is let through. The others still fail at once.
func TestProbe(t *testing.T) {
	const breakFor = 7 * time.Second
	for name, said := range map[string]error{
		"success": nil, "refusal": kms.ErrDisabled, "wrong ciphertext": kms.ErrCiphertext,
		"outage": kms.ErrUnavailable, "throttle": kms.ErrThrottled,
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				slowly := func(err error) act {
					return func(context.Context, int) error {
						time.Sleep(time.Second)
						return err
					}
				}
				d := newActor(slowly(kms.ErrUnavailable))
				k := keyWith(t, d, &kms.Options{Attempts: 1, BreakAfter: 1, BreakFor: breakFor})
				require.False(t, broken(t, k, d))
				time.Sleep(breakFor - 1)
				require.True(t, broken(t, k, d))
				time.Sleep(2 * time.Nanosecond)
				d.play(slowly(said))
				before := d.calls.Load()
				for range 20 {
					go operations["unwrap"](t.Context(), k)
				}
				synctest.Wait()
				require.EqualValues(t, 1, d.calls.Load()-before)
				require.True(t, broken(t, k, d))
				time.Sleep(time.Second)
				synctest.Wait()
				opens := said == kms.ErrUnavailable || said == kms.ErrThrottled
				require.Equal(t, opens, broken(t, k, d))
				if opens {
					time.Sleep(breakFor - 1)
					require.True(t, broken(t, k, d), "it is open as long as the first time")
					time.Sleep(2 * time.Nanosecond)
					require.False(t, broken(t, k, d))
				}
			})
		})
	}
}

// What the breaker takes a call for.
const (
	failure = 1 + iota
	nothing
	answer
)

// TestWhatBreaks: with a BreakAfter of 3, and one failure before, what comes in between shows in how many more it takes.
func TestWhatBreaks(t *testing.T) {
	say := func(err error) func(*testing.T, *kms.Key, *actor) {
		return func(t *testing.T, k *kms.Key, a *actor) {
			a.say(err)
			operations["unwrap"](t.Context(), k)
		}
	}
	hang := func(cancel, deadline time.Duration) func(*testing.T, *kms.Key, *actor) {
		return func(t *testing.T, k *kms.Key, a *actor) {
			a.play(func(ctx context.Context, _ int) error {
				<-ctx.Done()
				return ctx.Err()
			})
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			time.AfterFunc(cancel, leave)
			ctx, end := context.WithTimeout(ctx, deadline)
			defer end()
			require.Error(t, operations["wrap"](ctx, k))
		}
	}
	other := func(op string, err error) func(*testing.T, *kms.Key, *actor) {
		return func(t *testing.T, k *kms.Key, a *actor) {
			a.say(err)
			for range 3 {
				require.ErrorIs(t, operations[op](t.Context(), k), err)
			}
		}
	}
	for name, tc := range map[string]struct {
		do   func(*testing.T, *kms.Key, *actor)
		want int
	}{
		"success":                    {say(nil), answer},
		"unavailable":                {say(kms.ErrUnavailable), failure},
		"throttled":                  {say(kms.ErrThrottled), failure},
		"access denied":              {say(kms.ErrAccessDenied), answer},
		"disabled":                   {say(kms.ErrDisabled), answer},
		"pending deletion":           {say(kms.ErrPendingDeletion), answer},
		"destroyed":                  {say(kms.ErrDestroyed), answer},
		"ciphertext":                 {say(kms.ErrCiphertext), nothing}, // from here, the provider may not have been asked
		"invalid":                    {say(kms.ErrInvalid), nothing},
		"unsupported":                {say(kms.ErrUnsupported), nothing},
		"not found":                  {say(kms.ErrNotFound), nothing},
		"closed":                     {say(kms.ErrClosed), nothing},
		"cancelled soon":             {hang(time.Millisecond, time.Hour), nothing},
		"cancelled after long":       {hang(9*time.Second, time.Hour), nothing},
		"deadline under a second":    {hang(time.Hour, time.Second-1), nothing},
		"deadline of a second":       {hang(time.Hour, time.Second), failure},
		"timeout":                    {hang(time.Hour, time.Hour), failure},
		"describe succeeds":          {other("describe", nil), nothing},
		"describe fails":             {other("describe", kms.ErrUnavailable), nothing},
		"rotate succeeds":            {other("rotate", nil), nothing},
		"rotate fails":               {other("rotate", kms.ErrUnavailable), nothing},
		"destroy succeeds":           {other("destroy", nil), nothing},
		"destroy fails":              {other("destroy", kms.ErrUnavailable), nothing},
		"goroutine ends":             {endGoroutine, failure},
		"wrong argument":             {wrongArgument, nothing},
		"panic":                      {panics, failure},
		"own timeout under a second": {nil, failure}, // see below
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				a, o := newActor(nil), &kms.Options{Attempts: 1, BreakAfter: 3}
				if tc.do == nil {
					o.Timeout = time.Millisecond
					tc.do = hang(time.Hour, time.Hour)
				}
				k := keyWith(t, a, o)
				a.say(kms.ErrUnavailable)
				require.False(t, broken(t, k, a))
				tc.do(t, k, a)
				a.say(kms.ErrUnavailable)
				for range tc.want {
					require.False(t, broken(t, k, a), "too soon")
				}
				require.True(t, broken(t, k, a), "too late")
			})
		})
	}
}

func endGoroutine(t *testing.T, k *kms.Key, a *actor) {
	a.play(func(context.Context, int) error {
		runtime.Goexit()
		return nil
	})
	requireOnly(t, operations["wrap"](t.Context(), k), kms.ErrUnavailable)
}

func wrongArgument(t *testing.T, k *kms.Key, _ *actor) {
	for range 3 {
		_, err := k.Unwrap(t.Context(), kms.Wrapped{}, nil)
		requireOnly(t, err, kms.ErrNotFound)
	}
}

func panics(t *testing.T, k *kms.Key, a *actor) {
	a.play(func(context.Context, int) error { panic("broken driver") })
	require.Panics(t, func() { operations["wrap"](t.Context(), k) })
}

// TestBreakerLeavesTheOthersAlone: nothing but Wrap and Unwrap is turned away, and nothing else closes it.
func TestBreakerLeavesTheOthersAlone(t *testing.T) {
	for _, op := range []string{"describe", "rotate", "destroy"} {
		t.Run(op, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				k, a := brokenKey(t)
				require.NoError(t, operations[op](t.Context(), k))
				require.True(t, broken(t, k, a))
				time.Sleep(5*time.Second + 1)
				a.say(kms.ErrUnavailable)
				require.Error(t, operations[op](t.Context(), k))
				require.False(t, broken(t, k, a), "the probe is still to come")
			})
		})
	}
}
