package kms_test

import (
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// healths are what leads to each Health; nothing leads to unknown.
var healths = map[kms.Health]error{
	kms.HealthUsable: nil, kms.HealthDegraded: kms.ErrThrottled, kms.HealthDisabled: kms.ErrDisabled, kms.HealthDenied: kms.ErrAccessDenied,
	kms.HealthDestroyed: kms.ErrDestroyed, kms.HealthUnreachable: kms.ErrUnavailable,
}

// withHealth adds a region of that health.
func (f *fleet) withHealth(t *testing.T, h kms.Health) *kms.Key {
	t.Helper()
	id := string(rune('a' + len(f.regions)))
	r := &region{ref: kms.Ref{Provider: "region", KeyID: id}, material: id}
	r.asked = func(string) {}
	o := &kms.Options{Attempts: 1}
	if h == kms.HealthUnreachable {
		o.BreakAfter = 1
	}
	k, err := kms.NewKey(r, o)
	require.NoError(t, err)
	f.regions, f.keys = append(f.regions, r), append(f.keys, k)
	if h != kms.HealthUnknown {
		r.fails(healths[h])
		_, err = k.Wrap(t.Context(), []byte("secret"), nil)
		require.Equal(t, healths[h] == nil, err == nil)
	}
	require.Equal(t, h, k.Status().Health)
	return k
}

func TestAnyOfStatus(t *testing.T) {
	const (
		unknown, usable, degraded = kms.HealthUnknown, kms.HealthUsable, kms.HealthDegraded
		disabled, denied          = kms.HealthDisabled, kms.HealthDenied
		destroyed, unreachable    = kms.HealthDestroyed, kms.HealthUnreachable
	)
	type is = []kms.Health
	for _, tc := range []struct {
		members is
		want    kms.Health
		err     int // the member whose error it has; -1 for none
	}{
		{is{unknown}, unknown, -1},
		{is{unknown, unknown}, unknown, -1},
		{is{usable}, usable, -1},
		{is{usable, usable, usable}, usable, -1},
		{is{usable, degraded}, degraded, 1},
		{is{degraded, usable}, degraded, 0},
		{is{usable, disabled}, degraded, 1},
		{is{denied, usable}, degraded, 0},
		{is{usable, destroyed}, degraded, 1},
		{is{unreachable, usable}, degraded, 0},
		{is{unknown, denied}, degraded, 1},
		{is{degraded, denied}, degraded, 0},
		{is{denied, degraded}, degraded, 0},
		{is{disabled}, disabled, 0},
		{is{denied}, denied, 0},
		{is{destroyed}, destroyed, 0},
		{is{unreachable}, unreachable, 0},
		{is{disabled, disabled}, disabled, 0},
		{is{disabled, denied}, disabled, 0},
		{is{denied, disabled}, denied, 0},
		{is{destroyed, unreachable}, unreachable, 1},
		{is{unreachable, denied}, unreachable, 0},
		{is{denied, destroyed, unreachable}, unreachable, 2},
		{is{denied, destroyed, unreachable, usable}, degraded, 2},
	} {
		t.Run(fmt.Sprint(tc.members), func(t *testing.T) {
			f := &fleet{}
			for _, h := range tc.members {
				f.withHealth(t, h)
			}
			s := f.anyOf(t, kms.AnyOptions{}).Status()
			require.Equal(t, tc.want, s.Health)
			require.Equal(t, tc.want == unknown, s.Since.IsZero())
			if tc.err < 0 {
				require.NoError(t, s.Err)
				return
			}
			require.Equal(t, f.keys[tc.err].Status().Err, s.Err)
		})
	}
}

// TestAnyOfStatusTimes: its last success is any member's.
func TestAnyOfStatusTimes(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		k := f.anyOf(t, kms.AnyOptions{Minimum: 1})
		require.Equal(t, kms.Status{}, k.Status())
		first := time.Now()
		f.wrapped(t, k)
		require.Equal(t, kms.Status{Health: kms.HealthUsable, Since: first, LastSuccess: first}, k.Status())
		time.Sleep(time.Minute)
		began := time.Now()
		f.regions[0].fails(kms.ErrDisabled)
		f.wrapped(t, k)
		s := k.Status()
		require.Equal(t, []any{kms.HealthDegraded, began, began}, []any{s.Health, s.Since, s.LastSuccess})
		require.ErrorIs(t, s.Err, kms.ErrDisabled)
	})
}

// TestAnyOfStatusSince: it is usable since the last of its members is.
func TestAnyOfStatusSince(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		k := f.anyOf(t, kms.AnyOptions{Minimum: 1})
		f.regions[1].fails(kms.ErrDisabled)
		f.wrapped(t, k)
		time.Sleep(time.Minute)
		ended := time.Now()
		f.regions[1].fails(nil)
		f.wrapped(t, k)
		require.Equal(t, kms.Status{Health: kms.HealthUsable, Since: ended, LastSuccess: ended}, k.Status())
	})
}

// TestRollingStatusOverAnyOf: a group counts like any other key.
func TestRollingStatusOverAnyOf(t *testing.T) {
	f := newFleet(t, 3)
	group := f.anyOf(t, kms.AnyOptions{Minimum: 1}, f.keys[0], f.keys[1])
	current, err := kms.Rolling(group, f.keys[2])
	require.NoError(t, err)
	previous, err := kms.Rolling(f.keys[2], group)
	require.NoError(t, err)
	f.regions[1].fails(kms.ErrAccessDenied)
	f.wrapped(t, group)
	f.wrapped(t, f.keys[2])
	for _, k := range []*kms.Key{group, current, previous} {
		s := k.Status()
		require.Equal(t, kms.HealthDegraded, s.Health)
		require.ErrorIs(t, s.Err, kms.ErrAccessDenied)
	}
}

func TestAnyOfCheck(t *testing.T) {
	out, refuses := kms.ErrUnavailable, kms.ErrAccessDenied
	for _, tc := range []struct {
		name     string
		minimum  int
		fails    [3]error
		wrapOnly string
		want     error
		reports  []string
	}{
		{"all", 0, [3]error{}, "", nil, nil},
		{"one fails of all", 0, [3]error{nil, refuses, nil}, "", refuses, nil},
		{"one may fail", 2, [3]error{nil, refuses, nil}, "", nil, []string{"check b access_denied"}},
		{"two may fail", 1, [3]error{out, nil, refuses}, "", nil, []string{"check a unavailable", "check c access_denied"}},
		{"two fail", 2, [3]error{refuses, nil, out}, "", out, nil},
		{"all fail", 1, [3]error{refuses, kms.ErrDestroyed, refuses}, "", refuses, nil},
		{"one wraps only", 0, [3]error{}, "b", nil, nil},
		{"two wrap only", 0, [3]error{}, "ab", nil, nil},
		{"one wraps only, and fails", 0, [3]error{nil, refuses, nil}, "b", refuses, nil},
		{"one wraps only, and may fail", 2, [3]error{nil, refuses, nil}, "b", nil, []string{"check b access_denied"}},
		{"who could open fails", 1, [3]error{nil, nil, refuses}, "ab", refuses, nil},
		{"all wrap only", 0, [3]error{}, "abc", kms.ErrInvalid, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFleet(t, 3)
			var keys []*kms.Key
			for i, r := range f.regions {
				r.fails(tc.fails[i])
				r.wrapOnly = strings.Contains(tc.wrapOnly, r.ref.KeyID)
				k, err := kms.NewKey(r, &kms.Options{Attempts: 1})
				require.NoError(t, err)
				keys = append(keys, k)
			}
			err := f.anyOf(t, kms.AnyOptions{Minimum: tc.minimum}, keys...).Check(t.Context())
			_, reports := f.took()
			require.Equal(t, tc.reports, reports)
			if tc.want == nil {
				require.NoError(t, err)
				return
			}
			requireOnly(t, err, tc.want)
			var e *kms.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, 1, strings.Count(err.Error(), "kms: "), "%v", err)
		})
	}
}

// TestAnyOfCheckFinds what a member must not do.
func TestAnyOfCheckFinds(t *testing.T) {
	f := newFleet(t, 2)
	set(f.regions[1], &f.regions[1].answer, func(b []byte) []byte { b[0] ^= 1; return b })
	requireOnly(t, f.anyOf(t, kms.AnyOptions{}).Check(t.Context()), kms.ErrInvalid)
	require.NoError(t, f.anyOf(t, kms.AnyOptions{Minimum: 1}).Check(t.Context()))
	_, reports := f.took()
	require.Equal(t, []string{"check b invalid"}, reports)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := f.anyOf(t, kms.AnyOptions{}).Check(ctx)
	require.ErrorIs(t, err, context.Canceled)
	requireOnly(t, err, nil)
}

// TestAnyOfCheckTakesNoLonger than Timeout, as any call.
func TestAnyOfCheckTakesNoLonger(t *testing.T) {
	if fips140.Enabled() && fips140.Version() != "v1.0.0" {
		t.Skip("Check draws randomness, and the FIPS module takes its entropy from the clock, which stands still in a bubble")
	}
	bubble.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		for _, r := range f.regions[:2] {
			set(r, &r.wrap, hang)
		}
		start := time.Now()
		require.ErrorIs(t, f.anyOf(t, kms.AnyOptions{Timeout: 3 * time.Second}).Check(t.Context()), kms.ErrUnavailable)
		require.LessOrEqual(t, time.Since(start), 4*time.Second)
	})
}

// TestGroupCheckAfterClose: a call after Close is ErrClosed, whatever it is.
func TestGroupCheckAfterClose(t *testing.T) {
	f := newFleet(t, 2)
	rolling, err := kms.Rolling(f.keys[0], f.keys[1])
	require.NoError(t, err)
	for name, k := range map[string]*kms.Key{"any of": f.anyOf(t, kms.AnyOptions{}), "rolling": rolling} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, k.Check(t.Context()))
			require.NoError(t, k.Close())
			err := k.Check(t.Context())
			require.True(t, errors.Is(err, kms.ErrClosed), "%v", err)
		})
	}
}
