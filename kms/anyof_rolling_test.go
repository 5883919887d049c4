package kms_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// rolling returns a Rolling key.
func rolling(t *testing.T, current *kms.Key, previous ...*kms.Key) *kms.Key {
	t.Helper()
	k, err := kms.Rolling(current, previous...)
	require.NoError(t, err)
	return k
}

// TestAnyOfStale: fresh is a list of one fresh recipient for each member.
func TestAnyOfStale(t *testing.T) {
	f := newFleet(t, 3)
	a, b := f.keys[0], f.keys[1]
	ab := f.anyOf(t, kms.AnyOptions{}, a, b)
	for _, r := range f.regions {
		set(r, &r.version, "1")
	}
	fresh := f.wrapped(t, ab)
	require.False(t, ab.Stale(fresh))
	require.False(t, f.anyOf(t, kms.AnyOptions{}, b, a).Stale(fresh), "the order is no matter")
	require.False(t, rolling(t, ab, f.keys[2]).Stale(fresh))
	for name, k := range map[string]*kms.Key{
		"one joined":       f.anyOf(t, kms.AnyOptions{}),
		"one left":         f.anyOf(t, kms.AnyOptions{}, a),
		"one replaced":     f.anyOf(t, kms.AnyOptions{}, a, f.keys[2]),
		"no list any more": a,
		"moved":            rolling(t, f.keys[2], ab),
	} {
		require.True(t, k.Stale(fresh), name)
	}
	require.True(t, ab.Stale(f.wrapped(t, a)))
	require.True(t, f.anyOf(t, kms.AnyOptions{}, a).Stale(f.wrapped(t, a)), "no list yet")
	require.True(t, ab.Stale(kms.Wrapped{}))
	set(f.regions[1], &f.regions[1].version, "2")
	require.True(t, ab.Stale(fresh), "a member was rotated")
	f.requireOpens(t, ab, fresh, []string{"unwrap a"}, nil)
}

// TestAnyOfMoves goes from one key to two, and to the other of them.
func TestAnyOfMoves(t *testing.T) {
	f := newFleet(t, 4)
	a, b, c, d := f.keys[0], f.keys[1], f.keys[2], f.keys[3]
	ab := f.anyOf(t, kms.AnyOptions{}, a, b)
	onlyB := f.anyOf(t, kms.AnyOptions{}, b)
	cd := f.anyOf(t, kms.AnyOptions{}, c, d)
	fromA := f.wrapped(t, a)
	require.True(t, ab.Stale(fromA))
	f.requireOpens(t, ab, fromA, []string{"unwrap a"}, nil)
	fromAB := f.wrapped(t, ab)

	toB := rolling(t, b, ab)
	f.requireOpens(t, toB, fromAB, []string{"unwrap a"}, nil)
	f.requireOpens(t, toB, fromA, []string{"unwrap a"}, nil)
	require.True(t, toB.Stale(fromAB))
	fromB := f.wrapped(t, toB)
	require.Equal(t, b.Ref(), fromB.Ref)
	require.False(t, toB.Stale(fromB))
	for _, k := range []*kms.Key{b, ab, onlyB} {
		f.requireOpens(t, k, fromB, []string{"unwrap b"}, nil)
	}
	f.requireOpens(t, onlyB, fromAB, []string{"unwrap b"}, nil)
	fromOnlyB := f.wrapped(t, onlyB)
	_, err := f.anyOf(t, kms.AnyOptions{}, a).Unwrap(t.Context(), fromOnlyB, nil)
	requireOnly(t, err, kms.ErrNotFound)
	f.requireOpens(t, rolling(t, c, b), fromAB, []string{"unwrap b"}, nil)
	f.requireOpens(t, b, fromAB, []string{"unwrap b"}, nil)
	require.True(t, b.Stale(fromAB), "others can open it, too")
	_, err = c.Unwrap(t.Context(), fromAB, nil)
	requireOnly(t, err, kms.ErrNotFound)
	_, err = b.Unwrap(t.Context(), kms.Wrapped{Ref: fromAB.Ref, Blob: []byte{9}}, nil)
	requireOnly(t, err, kms.ErrCiphertext)

	// To other two.
	all := rolling(t, cd, ab)
	f.requireOpens(t, all, fromAB, []string{"unwrap a"}, nil)
	f.requireOpens(t, all, fromB, []string{"unwrap b"}, nil)
	fromCD := f.wrapped(t, all)
	require.Equal(t, []string{"c", "d"}, recipients(t, fromCD))
	f.requireOpens(t, all, fromCD, []string{"unwrap c"}, nil)
	require.Equal(t, []bool{true, true, false}, []bool{all.Stale(fromAB), all.Stale(fromB), all.Stale(fromCD)})
	_, err = all.Unwrap(t.Context(), kms.Wrapped{Ref: fromAB.Ref, Blob: []byte{9}}, nil)
	require.ErrorIs(t, err, kms.ErrCiphertext, "malformed")
	other := f.wrapped(t, f.add(t, &region{ref: kms.Ref{Provider: "region", KeyID: "e"}}))
	_, err = all.Unwrap(t.Context(), other, nil)
	requireOnly(t, err, kms.ErrNotFound)
	asked, _ := f.took()
	require.Empty(t, asked)
}

// TestAnyOfRollingMembers: a member may be on the move, and from a list.
func TestAnyOfRollingMembers(t *testing.T) {
	f := newFleet(t, 3)
	a, b, c := f.keys[0], f.keys[1], f.keys[2]
	ab := f.anyOf(t, kms.AnyOptions{}, a, b)
	before := f.wrapped(t, ab)
	k := f.anyOf(t, kms.AnyOptions{}, rolling(t, c, a), b)
	f.requireOpens(t, k, before, []string{"unwrap a"}, nil)
	f.regions[0].fails(kms.ErrDisabled)
	f.requireOpens(t, k, before, []string{"unwrap a", "unwrap b"}, []string{"unwrap a disabled"})
	require.True(t, k.Stale(before))
	after := f.wrapped(t, k)
	require.Equal(t, []string{"c", "b"}, recipients(t, after))
	require.False(t, k.Stale(after))
	f.requireOpens(t, f.anyOf(t, kms.AnyOptions{}, rolling(t, c, ab)), f.wrapped(t, b), []string{"unwrap b"}, nil)
}

// TestRollingRefusesTheSameAnyOf: no key is given twice.
func TestRollingRefusesTheSameAnyOf(t *testing.T) {
	f := newFleet(t, 2)
	k := f.anyOf(t, kms.AnyOptions{})
	_, err := kms.Rolling(k, k)
	require.ErrorIs(t, err, kms.ErrInvalid)
}

// TestRollingBetweenAnyOfs that share a member: what the old list's other member can open opens while the shared one is down.
func TestRollingBetweenAnyOfs(t *testing.T) {
	f := newFleet(t, 3)
	ab := f.anyOf(t, kms.AnyOptions{}, f.keys[0], f.keys[1])
	ac := f.anyOf(t, kms.AnyOptions{}, f.keys[0], f.keys[2])
	w := f.wrapped(t, ab)
	k := rolling(t, ac, ab)
	f.requireOpens(t, k, w, []string{"unwrap a"}, nil)
	f.regions[0].fails(kms.ErrUnavailable)
	got, err := k.Unwrap(t.Context(), w, nil)
	require.NoError(t, err)
	require.Equal(t, "secret", string(got))
}

// TestAnyOfMemberOfTwoRecipients: a member that could open two of the list is asked for both.
func TestAnyOfMemberOfTwoRecipients(t *testing.T) {
	f := newFleet(t, 3)
	w := f.wrapped(t, f.anyOf(t, kms.AnyOptions{}, f.keys[0], f.keys[1]))
	f.regions[0].fails(kms.ErrUnavailable)
	k := f.anyOf(t, kms.AnyOptions{}, rolling(t, f.keys[2], f.keys[0], f.keys[1]))
	got, err := k.Unwrap(t.Context(), w, nil)
	require.NoError(t, err)
	require.Equal(t, "secret", string(got))
}

// replicas returns two regions of one key, each of which owns the other's name, and a third key.
func replicas(t *testing.T) (f *fleet, us, eu, other *kms.Key) {
	f = newFleet(t, 0)
	refs := []kms.Ref{{Provider: "region", KeyID: "us"}, {Provider: "region", KeyID: "eu"}}
	us = f.add(t, &region{ref: refs[0], material: "same", replicas: refs})
	eu = f.add(t, &region{ref: refs[1], material: "same", replicas: refs})
	other = f.add(t, &region{ref: kms.Ref{Provider: "region", KeyID: "other"}, material: "other"})
	return f, us, eu, other
}

// TestOwner: a key opens what its replica wrapped, wherever it stands.
func TestOwner(t *testing.T) {
	f, us, eu, other := replicas(t)
	byEU := f.wrapped(t, eu)
	list := f.wrapped(t, f.anyOf(t, kms.AnyOptions{}, other, eu))
	for name, k := range map[string]*kms.Key{
		"alone": us, "rolling to": rolling(t, us, other), "rolling from": rolling(t, other, us), "any of": f.anyOf(t, kms.AnyOptions{}, other, us),
		"rolling in any of": f.anyOf(t, kms.AnyOptions{}, rolling(t, other, us)), "any of in rolling": rolling(t, other, f.anyOf(t, kms.AnyOptions{}, us)),
	} {
		t.Run(name, func(t *testing.T) {
			f.requireOpens(t, k, byEU, []string{"unwrap us of eu"}, nil)
		})
	}
	f.requireOpens(t, f.anyOf(t, kms.AnyOptions{}, us), list, []string{"unwrap us of eu"}, nil)
	_, err := other.Unwrap(t.Context(), byEU, nil)
	requireOnly(t, err, kms.ErrNotFound)

	// Each has its own, if it is there, and stands in for the other.
	both := f.anyOf(t, kms.AnyOptions{}, us, eu)
	byBoth := f.wrapped(t, both)
	require.Equal(t, []string{"us", "eu"}, recipients(t, byBoth))
	f.requireOpens(t, both, byBoth, []string{"unwrap us"}, nil)
	f.requireOpens(t, f.anyOf(t, kms.AnyOptions{}, eu, us), byBoth, []string{"unwrap eu"}, nil)
	f.regions[0].fails(kms.ErrUnavailable)
	f.requireOpens(t, both, byEU, []string{"unwrap us of eu", "unwrap eu"}, []string{"unwrap us unavailable"})
	require.False(t, both.Stale(byBoth))
}

// TestOwnerStale: what a replica wrapped is under the same key, also in a list, or two regions would wrap each other's anew for ever.
func TestOwnerStale(t *testing.T) {
	f, us, eu, other := replicas(t)
	require.False(t, us.Stale(f.wrapped(t, eu)))
	require.False(t, rolling(t, us, other).Stale(f.wrapped(t, eu)))
	require.True(t, other.Stale(f.wrapped(t, eu)))
	list := f.wrapped(t, f.anyOf(t, kms.AnyOptions{}, eu, other))
	require.False(t, f.anyOf(t, kms.AnyOptions{}, us, other).Stale(list))
}

// TestRollingPrefersTheExactRef to a replica's.
func TestRollingPrefersTheExactRef(t *testing.T) {
	f, us, eu, _ := replicas(t)
	f.requireOpens(t, rolling(t, us, eu), f.wrapped(t, eu), []string{"unwrap eu"}, nil)
}

// TestAnyOfRollingWrapOnlyMember: an offline recovery key that takes the place of another is still one that only wraps.
func TestAnyOfRollingWrapOnlyMember(t *testing.T) {
	f := newFleet(t, 3)
	w := f.wrapped(t, f.anyOf(t, kms.AnyOptions{}, f.keys[0], f.keys[2]))
	public := make([]*kms.Key, 2)
	for i := range public {
		f.regions[i].wrapOnly = true
		k, err := kms.NewKey(f.regions[i], nil)
		require.NoError(t, err)
		public[i] = k
	}
	k := f.anyOf(t, kms.AnyOptions{}, rolling(t, public[1], public[0]), f.keys[2])
	t.Run("check", func(t *testing.T) { require.NoError(t, k.Check(t.Context())) })
	f.took()
	t.Run("unwrap", func(t *testing.T) { f.requireOpens(t, k, w, []string{"unwrap c"}, nil) })
}
