package kms_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/kms"
)

// members returns n drivers and their Keys.
func members(t *testing.T, n int) ([]*able, []*kms.Key) {
	t.Helper()
	var drivers []*able
	var keys []*kms.Key
	for i := range n {
		a := &able{script: newScript(), version: "1"}
		a.ref.KeyID = fmt.Sprint("key-", i)
		a.wrap = func(_ context.Context, p []byte, _ kms.Context) (kms.Wrapped, error) {
			return kms.Wrapped{Ref: a.ref, Version: a.version, Blob: append([]byte(a.ref.KeyID), p...)}, nil
		}
		a.unwrap = func(_ context.Context, w kms.Wrapped, _ kms.Context) ([]byte, error) {
			return append([]byte(nil), w.Blob[len(a.ref.KeyID):]...), nil
		}
		drivers, keys = append(drivers, a), append(keys, newKey(t, a))
	}
	return drivers, keys
}

func TestRolling(t *testing.T) {
	drivers, keys := members(t, 3)
	k, err := kms.Rolling(keys[0], keys[1], keys[2])
	require.NoError(t, err)
	require.Equal(t, drivers[0].ref, k.Ref())

	old, err := keys[1].Wrap(t.Context(), []byte("old"), nil)
	require.NoError(t, err)
	fresh, err := k.Wrap(t.Context(), []byte("new"), nil)
	require.NoError(t, err)
	require.Equal(t, drivers[0].ref, fresh.Ref)
	require.True(t, k.Stale(old))
	require.False(t, k.Stale(fresh))
	drivers[0].version = "2"
	require.True(t, k.Stale(fresh))

	got, err := k.Unwrap(t.Context(), old, nil)
	require.NoError(t, err)
	require.Equal(t, "old", string(got))
	require.Equal(t, []int{1, 2, 0}, []int{drivers[0].calls, drivers[1].calls, drivers[2].calls}, "no trial")

	foreign := old
	foreign.KeyID = "key-9"
	_, err = k.Unwrap(t.Context(), foreign, nil)
	requireOnly(t, err, kms.ErrNotFound)
	require.Equal(t, []int{1, 2, 0}, []int{drivers[0].calls, drivers[1].calls, drivers[2].calls})
}

func TestRollingRefuses(t *testing.T) {
	_, keys := members(t, 3)
	twin := newScript()
	twin.ref.KeyID = "key-1"
	inner, err := kms.Rolling(keys[1], keys[2])
	require.NoError(t, err)
	for _, tc := range []struct {
		name string
		keys []*kms.Key
	}{
		{"nil current", []*kms.Key{nil, keys[0]}},
		{"nil previous", []*kms.Key{keys[0], nil}},
		{"zero", []*kms.Key{keys[0], {}}},
		{"same key", []*kms.Key{keys[0], keys[0]}},
		{"same ref", []*kms.Key{keys[0], keys[1], newKey(t, twin)}},
		{"ref within a rolling key", []*kms.Key{keys[2], inner}},
		{"rolling key over a ref", []*kms.Key{inner, keys[2]}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k, err := kms.Rolling(tc.keys[0], tc.keys[1:]...)
			requireOnly(t, err, kms.ErrInvalid)
			require.Nil(t, k)
		})
	}
}

func TestRollingClose(t *testing.T) {
	drivers, keys := members(t, 2)
	k, err := kms.Rolling(keys[0], keys[1])
	require.NoError(t, err)
	require.NoError(t, k.Close())
	_, err = k.Wrap(t.Context(), []byte("secret"), nil)
	requireOnly(t, err, kms.ErrClosed)
	require.Zero(t, drivers[0].closed+drivers[1].closed)
	_, err = keys[0].Wrap(t.Context(), []byte("secret"), nil)
	require.NoError(t, err)
}

func TestRollingErrorsNameTheMember(t *testing.T) {
	drivers, keys := members(t, 2)
	k, err := kms.Rolling(keys[0], keys[1])
	require.NoError(t, err)
	drivers[1].unwrap = func(context.Context, kms.Wrapped, kms.Context) ([]byte, error) { return nil, kms.ErrDisabled }
	_, err = k.Unwrap(t.Context(), kms.Wrapped{Ref: drivers[1].ref, Blob: []byte{1}}, nil)
	requireOnly(t, err, kms.ErrDisabled)
	var e *kms.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, drivers[1].ref, e.Ref)
}

func TestRollingLifecycleIsCurrents(t *testing.T) {
	drivers, keys := members(t, 2)
	k, err := kms.Rolling(keys[0], keys[1])
	require.NoError(t, err)
	drivers[0].info.Region = "here"
	info, err := k.Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, "here", info.Region)
	require.NoError(t, k.Rotate(t.Context()))
	drivers[0].err = kms.ErrAccessDenied
	requireOnly(t, k.Rotate(t.Context()), kms.ErrAccessDenied)
	_, err = k.Destroy(t.Context(), 0)
	requireOnly(t, err, kms.ErrUnsupported)
}

// TestRollingModel moves through keys at random, as deployments do over the years:
// what any of the configured keys wrapped opens, and nothing else does.
func TestRollingModel(t *testing.T) {
	drivers, keys := members(t, 5)
	rapid.Check(t, func(rt *rapid.T) {
		type wrapped struct {
			by int
			w  kms.Wrapped
		}
		var stored []wrapped
		for range rapid.IntRange(1, 6).Draw(rt, "deployments") {
			order := rapid.Permutation([]int{0, 1, 2, 3, 4}).Draw(rt, "order")[:rapid.IntRange(1, 5).Draw(rt, "keys")]
			configured := map[int]bool{}
			var chosen []*kms.Key
			for _, i := range order {
				configured[i] = true
				chosen = append(chosen, keys[i])
			}
			var k *kms.Key
			if split := rapid.IntRange(0, len(chosen)-1).Draw(rt, "nested"); split > 0 {
				inner, err := kms.Rolling(chosen[split], chosen[split+1:]...)
				require.NoError(rt, err)
				k, err = kms.Rolling(chosen[0], append(chosen[1:split:split], inner)...)
				require.NoError(rt, err)
			} else {
				var err error
				k, err = kms.Rolling(chosen[0], chosen[1:]...)
				require.NoError(rt, err)
			}
			w, err := k.Wrap(t.Context(), []byte(fmt.Sprint(len(stored))), nil)
			require.NoError(rt, err)
			require.Equal(rt, drivers[order[0]].ref, w.Ref)
			stored = append(stored, wrapped{order[0], w})
			for i, s := range stored {
				require.Equal(rt, s.by != order[0], k.Stale(s.w))
				got, err := k.Unwrap(t.Context(), s.w, nil)
				if !configured[s.by] {
					require.ErrorIs(rt, err, kms.ErrNotFound)
					continue
				}
				require.NoError(rt, err)
				require.Equal(rt, fmt.Sprint(i), string(got))
			}
		}
	})
}
