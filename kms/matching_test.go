package kms_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// TestAnyOfStaleMatches: fresh is one recipient for each member and none besides, where a replica's may stand for a member's own, but for one only.
func TestAnyOfStaleMatches(t *testing.T) {
	f := newFleet(t, 0)
	var refs []kms.Ref
	for _, id := range []string{"us", "eu", "ap", "sa"} {
		refs = append(refs, kms.Ref{Provider: "region", KeyID: id})
	}
	keys := map[string]*kms.Key{}
	for _, ref := range refs {
		keys[ref.KeyID] = f.add(t, &region{ref: ref, material: "same", replicas: refs, version: "1"})
	}
	for _, id := range []string{"other", "foreign"} {
		keys[id] = f.add(t, &region{ref: kms.Ref{Provider: "region", KeyID: id}, material: id, version: "1"})
	}
	type ids = []string
	of := func(names ids) *kms.Key {
		var all []*kms.Key
		for _, id := range names {
			all = append(all, keys[id])
		}
		return f.anyOf(t, kms.AnyOptions{}, all...)
	}
	for _, tc := range []struct {
		name          string
		members, list ids
		want          bool
	}{
		{"own", ids{"us", "eu"}, ids{"us", "eu"}, false},
		{"own, in another order", ids{"us", "eu", "other"}, ids{"other", "eu", "us"}, false},
		{"a replica for one", ids{"us", "eu"}, ids{"ap", "eu"}, false},
		{"a replica for the other", ids{"us", "eu"}, ids{"us", "ap"}, false},
		{"a replica first", ids{"us", "eu"}, ids{"ap", "us"}, false},
		{"replicas for all", ids{"us", "eu"}, ids{"ap", "sa"}, false},
		{"a replica beside another", ids{"us", "other"}, ids{"other", "ap"}, false},
		{"a replica of both, and a foreign one", ids{"us", "eu"}, ids{"ap", "foreign"}, true},
		{"the same, turned", ids{"us", "eu"}, ids{"foreign", "ap"}, true},
		{"own of one, and a foreign one", ids{"us", "eu"}, ids{"us", "foreign"}, true},
		{"two replicas of one member, another missing", ids{"us", "other"}, ids{"us", "eu"}, true},
		{"one missing", ids{"us", "eu"}, ids{"us"}, true},
		{"one missing, of a replica", ids{"us", "eu"}, ids{"ap"}, true},
		{"one of three missing", ids{"us", "eu", "other"}, ids{"us", "other"}, true},
		{"a foreign one besides", ids{"us", "eu"}, ids{"us", "eu", "foreign"}, true},
		{"a replica besides", ids{"us", "eu"}, ids{"us", "eu", "ap"}, true},
		{"none", ids{"us", "eu"}, ids{"other", "foreign"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, of(tc.members).Stale(f.wrapped(t, of(tc.list))))
		})
	}

	ab, w := of(ids{"us", "eu"}), f.wrapped(t, of(ids{"ap", "eu"}))
	require.False(t, ab.Stale(w))
	set(f.regions[0], &f.regions[0].version, "2") // us
	require.True(t, ab.Stale(w), "the replica's is not under the current version")
}
