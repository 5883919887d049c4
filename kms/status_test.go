package kms_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// reach are ways to bring a key, whose breaker opens after 2 calls, to each health.
var reach = map[kms.Health][]error{
	kms.HealthUnknown:     {},
	kms.HealthUsable:      {nil},
	kms.HealthDegraded:    {kms.ErrUnavailable},
	kms.HealthDisabled:    {kms.ErrDisabled},
	kms.HealthDenied:      {kms.ErrAccessDenied},
	kms.HealthDestroyed:   {kms.ErrDestroyed},
	kms.HealthUnreachable: {kms.ErrUnavailable, kms.ErrUnavailable},
}

// healthyAs returns a key of that health, which it has been in for a minute, and its status.
func healthyAs(t *testing.T, h kms.Health) (*kms.Key, *actor, kms.Status) {
	t.Helper()
	a := newActor(nil)
	k := keyWith(t, a, &kms.Options{Attempts: 1, BreakAfter: 2})
	for _, err := range reach[h] {
		a.say(err)
		operations["wrap"](t.Context(), k)
	}
	s := k.Status()
	require.Equal(t, h, s.Health)
	time.Sleep(time.Minute)
	require.Equal(t, s, k.Status(), "it does not change by itself")
	return k, a, s
}

// outage are the classes of outages.
var outage = map[error]bool{kms.ErrUnavailable: true, kms.ErrThrottled: true}

// TestStatusTransitions: from every health, what each answer makes of it.
func TestStatusTransitions(t *testing.T) {
	const same = kms.Health(-1)
	for name, tc := range map[string]struct {
		op   string
		said error
		want kms.Health
	}{
		"wrap":             {"wrap", nil, kms.HealthUsable},
		"unwrap":           {"unwrap", nil, kms.HealthUsable},
		"disabled":         {"wrap", kms.ErrDisabled, kms.HealthDisabled},
		"pending deletion": {"unwrap", kms.ErrPendingDeletion, kms.HealthDisabled},
		"denied":           {"wrap", kms.ErrAccessDenied, kms.HealthDenied},
		"destroyed":        {"unwrap", kms.ErrDestroyed, kms.HealthDestroyed},
		"wrong ciphertext": {"unwrap", kms.ErrCiphertext, same}, // from here, the provider may not have been asked
		"unknown version":  {"unwrap", kms.ErrNotFound, same},
		"no private key":   {"unwrap", kms.ErrInvalid, same},
		"unavailable":      {"wrap", kms.ErrUnavailable, kms.HealthDegraded},
		"throttled":        {"unwrap", kms.ErrThrottled, kms.HealthDegraded},
		"not found":        {"wrap", kms.ErrNotFound, kms.HealthDestroyed},
		"invalid":          {"wrap", kms.ErrInvalid, kms.HealthDegraded},
		"unsupported":      {"wrap", kms.ErrUnsupported, kms.HealthDegraded},
		"rotate":           {"rotate", nil, same},
		"rotate refused":   {"rotate", kms.ErrAccessDenied, same},
		"destroy":          {"destroy", nil, same},
		"describe refused": {"describe", kms.ErrAccessDenied, same},
		"describe fails":   {"describe", kms.ErrUnavailable, same},
	} {
		t.Run(name, func(t *testing.T) {
			for from := range reach {
				bubble.Test(t, func(t *testing.T) {
					k, a, before := healthyAs(t, from)
					want := tc.want
					switch {
					case want == same:
						want = from
					case outage[tc.said] && (from == kms.HealthDegraded || from == kms.HealthUnreachable):
						want = kms.HealthUnreachable // the second in a row
					}
					a.say(tc.said)
					err := operations[tc.op](t.Context(), k)
					require.ErrorIs(t, err, tc.said)
					s := k.Status()
					require.Equal(t, want, s.Health, "from %v", from)

					since := before.Since
					if want != from {
						since = time.Now()
					}
					require.Equal(t, since, s.Since, "from %v", from)
					success := before.LastSuccess
					if tc.said == nil && (tc.op == "wrap" || tc.op == "unwrap") {
						success = time.Now()
					}
					require.Equal(t, success, s.LastSuccess, "from %v", from)
					switch {
					case tc.want == same:
						require.Equal(t, before.Err, s.Err)
					case want == kms.HealthUsable:
						require.NoError(t, s.Err)
					default:
						require.Equal(t, err, s.Err)
					}
				})
			}
		})
	}
}

// TestStatusOfACallThatTellsNothing: neither a caller that goes nor a wrong argument changes it.
func TestStatusOfACallThatTellsNothing(t *testing.T) {
	for from := range reach {
		bubble.Test(t, func(t *testing.T) {
			k, a, before := healthyAs(t, from)
			a.play(func(ctx context.Context, _ int) error {
				<-ctx.Done()
				return ctx.Err()
			})
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(5*time.Second, cancel)
			requireOnly(t, operations["wrap"](ctx, k), nil)
			requireOnly(t, operations["wrap"](ctx, k), nil) // done before
			ctx, cancel = context.WithTimeout(t.Context(), time.Second/2)
			defer cancel()
			requireOnly(t, operations["wrap"](ctx, k), kms.ErrUnavailable)
			_, err := k.Wrap(t.Context(), nil, nil)
			requireOnly(t, err, kms.ErrInvalid)
			require.Equal(t, before, k.Status(), "from %v", from)
		})
	}
}

// TestStatusWhileBroken: calls that the breaker turns away do not change it, and say why.
func TestStatusWhileBroken(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a := fails(kms.ErrThrottled)
		k := keyWith(t, a, &kms.Options{Attempts: 1, BreakAfter: 1})
		require.False(t, broken(t, k, a))
		before := k.Status()
		require.Equal(t, kms.HealthUnreachable, before.Health)
		require.True(t, broken(t, k, a))
		require.Equal(t, before, k.Status())
		time.Sleep(5*time.Second + 1)
		require.False(t, broken(t, k, a)) // a probe that fails
		require.Equal(t, kms.HealthUnreachable, k.Status().Health)
		require.Equal(t, before.Since, k.Status().Since)
	})
}

// TestStatusAfterPanics: when they open the breaker, the key is unreachable.
func TestStatusAfterPanics(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a := newActor(nil)
		k := keyWith(t, a, &kms.Options{BreakAfter: 1})
		require.NoError(t, operations["wrap"](t.Context(), k))
		panics(t, k, a)
		require.True(t, broken(t, k, a))
		require.Equal(t, kms.HealthUnreachable, k.Status().Health)
	})
}

// TestStatusOfCheck: its call that must fail is no failure of the key.
func TestStatusOfCheck(t *testing.T) {
	s := newScript()
	s.unwrap = func(_ context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
		if ec["holdfast:purpose"] != "check" {
			return nil, kms.ErrAccessDenied // a key policy may do so
		}
		bound, err := ec.Canonical()
		return append([]byte(nil), w.Blob[len(bound):]...), err
	}
	k := newKey(t, s)
	require.Equal(t, kms.Status{}, k.Status())
	require.NoError(t, k.Check(t.Context()))
	got := k.Status()
	require.Equal(t, kms.HealthUsable, got.Health)
	require.NoError(t, got.Err)
	require.False(t, got.LastSuccess.IsZero())
	require.Equal(t, 3, s.calls, "Status itself makes no call")
}

// describing is a driver that tells a state.
type describing struct {
	*actor
	state kms.State
}

func (d *describing) Describe(context.Context) (kms.Info, error) {
	return kms.Info{State: d.state}, nil
}

func TestStatusAfterDescribe(t *testing.T) {
	for _, tc := range []struct {
		state      kms.State
		from, want kms.Health
	}{
		{kms.Unknown, kms.HealthUnknown, kms.HealthUnknown},
		{kms.Unknown, kms.HealthDisabled, kms.HealthDisabled},
		{kms.Enabled, kms.HealthUnknown, kms.HealthUsable},
		{kms.Enabled, kms.HealthDisabled, kms.HealthUsable},
		{kms.Enabled, kms.HealthDestroyed, kms.HealthUsable},
		{kms.Enabled, kms.HealthDenied, kms.HealthDenied},
		{kms.Disabled, kms.HealthUsable, kms.HealthDisabled},
		{kms.PendingDeletion, kms.HealthUsable, kms.HealthDisabled},
		{kms.Disabled, kms.HealthUnreachable, kms.HealthDisabled},
		{kms.Destroyed, kms.HealthDisabled, kms.HealthDestroyed},
	} {
		t.Run(tc.state.String()+"/"+tc.from.String(), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				d := &describing{newActor(nil), tc.state}
				k := keyWith(t, d, &kms.Options{Attempts: 1, BreakAfter: 2})
				for _, err := range reach[tc.from] {
					d.say(err)
					operations["wrap"](t.Context(), k)
				}
				before := k.Status()
				time.Sleep(time.Minute)
				_, err := k.Describe(t.Context())
				require.NoError(t, err)
				s := k.Status()
				require.Equal(t, tc.want, s.Health)
				require.Equal(t, before.LastSuccess, s.LastSuccess, "that is of Wrap or Unwrap")
				if tc.want == tc.from {
					require.Equal(t, before, s)
				} else {
					require.Equal(t, time.Now(), s.Since)
					require.NoError(t, s.Err)
				}
			})
		})
	}
}

// TestStatusAfterDescribeOfABrokenKey: the right to look, and the means, are not those to use.
func TestStatusAfterDescribeOfABrokenKey(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		k, a := brokenKey(t)
		_, err := k.Describe(t.Context())
		require.NoError(t, err)
		require.True(t, broken(t, k, a))
		require.NotEqual(t, kms.HealthUsable, k.Status().Health, "every Wrap and Unwrap fails")
	})
}

// TestStatusOfRolling: it is the current key's, and degraded when a previous one is not usable.
func TestStatusOfRolling(t *testing.T) {
	for current := range reach {
		for previous := range reach {
			bubble.Test(t, func(t *testing.T) {
				a, _, as := healthyAs(t, current)
				old := newActor(nil)
				old.ref.KeyID = "key-0"
				b := keyWith(t, old, &kms.Options{Attempts: 1, BreakAfter: 2})
				for _, err := range reach[previous] {
					old.say(err)
					operations["wrap"](t.Context(), b)
				}
				k, err := kms.Rolling(a, b)
				require.NoError(t, err)
				want := as
				if current <= kms.HealthUsable && previous > kms.HealthUsable {
					bs := b.Status()
					want = kms.Status{Health: kms.HealthDegraded, Since: bs.Since, LastSuccess: as.LastSuccess, Err: bs.Err}
				}
				require.Equal(t, want, k.Status(), "%v, %v", current, previous)
			})
		}
	}
}

func TestHealthString(t *testing.T) {
	var all []string
	for h := kms.HealthUnknown; h <= kms.HealthUnreachable; h++ {
		all = append(all, h.String())
	}
	require.Equal(t, []string{"unknown", "usable", "degraded", "disabled", "denied", "destroyed", "unreachable"}, all)
	require.Equal(t, "unknown", kms.Health(-1).String())
	require.Equal(t, "unknown", kms.Health(99).String())
	require.Equal(t, kms.Status{}, new(kms.Key).Status())
}
