package storetest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
)

func check(t testing.TB, h Harness) {
	a, b := put(t, h.Store, "a", "one"), put(t, h.Store, "b", "two")
	apply(t, h.Store, checked(a))
	apply(t, h.Store, checked(b), checked(a))
	require.Equal(t, a, holds(t, h.Store, "a", "one"), "a Check changes the row")
	apply(t, h.Store, checked(a), changed(b, "three"), created("c", "four"))
	require.Equal(t, a, holds(t, h.Store, "a", "one"), "a Check changes the row")
	holds(t, h.Store, "b", "three")
	holds(t, h.Store, "c", "four")

	loud := checked(a)
	loud.Value = []byte("not to be written")
	apply(t, h.Store, loud)
	require.Equal(t, a, holds(t, h.Store, "a", "one"), "a Check writes its value")
	apply(t, h.Store, changed(a, "five")) // its revision is still good
	holds(t, h.Store, "a", "five")
}

func failedCheck(t testing.TB, h Harness) {
	old, b := put(t, h.Store, "a", "one"), put(t, h.Store, "b", "two")
	apply(t, h.Store, changed(old, "one again"))
	missing := envelope.Row{Key: "missing", Revision: 1}
	late := get(t, h.Store, "a")
	late.Revision++
	for _, r := range []envelope.Row{old, missing, late} {
		conflicts(t, h.Store, checked(r))
		conflicts(t, h.Store, checked(r), changed(b, "three"), created("c", "four"))
		conflicts(t, h.Store, changed(b, "three"), created("c", "four"), checked(r))
		require.Equal(t, b, holds(t, h.Store, "b", "two"), "a failed Check lets another change pass")
		lacks(t, h.Store, "c")
		lacks(t, h.Store, "missing")
	}
	holds(t, h.Store, "a", "one again")
}

// allOrNothing has one of several changes fail, each in turn.
func allOrNothing(t testing.TB, h Harness) {
	const n = 5
	for name, spoil := range map[string]func(*envelope.Change){
		"stale write":   func(c *envelope.Change) { c.Revision += 100 },
		"stale check":   func(c *envelope.Change) { *c = checked(envelope.Row{Key: c.Key, Revision: c.Revision + 100}) },
		"late creation": func(c *envelope.Change) { c.Revision = 0 },
	} {
		var rows []envelope.Row
		for i := range n {
			rows = append(rows, put(t, h.Store, fmt.Sprintf("%s/%d", name, i), "before"))
		}
		for bad := range n {
			t.Log(name, "is change", bad)
			var changes []envelope.Change
			for _, r := range rows {
				changes = append(changes, changed(r, "after"))
			}
			spoil(&changes[bad])
			conflicts(t, h.Store, append(changes, created(name+"/new", "after"))...)
			for _, r := range rows {
				require.Equal(t, r, holds(t, h.Store, r.Key, "before"), "a failed Apply changes a row")
			}
			lacks(t, h.Store, name+"/new")
		}
	}
}

// largestApply is as large as one may be, in number and in bytes, and lacks nothing when it succeeds.
func largestApply(t testing.TB, h Harness) {
	value := string(make([]byte, envelope.MaxRowValue))
	batch := func(revision uint64) (changes []envelope.Change) {
		for i := range envelope.MaxChanges {
			c := created(fmt.Sprintf("%03d", i), value)
			c.Revision = revision
			changes = append(changes, c)
		}
		return changes
	}
	changes := batch(0)
	apply(t, h.Store, changes...)
	rows, err := h.Store.List(t.Context(), "", "", 1000)
	require.NoError(t, err)
	require.Equal(t, envelope.MaxChanges, len(rows))
	for i, r := range rows {
		same(t, r, changes[i].Key, value)
		changes[i] = changed(r, "after")
	}
	changes[len(changes)-1].Revision++
	conflicts(t, h.Store, changes...)
	for _, r := range rows {
		require.Equal(t, r.Revision, get(t, h.Store, r.Key).Revision, "a failed Apply changes a row")
	}
	changes[len(changes)-1].Revision--
	apply(t, h.Store, changes...)
	for _, r := range rows {
		same(t, get(t, h.Store, r.Key), r.Key, "after")
	}
}

// duplicateID has two keys of different owners claim one id, which a row of its own keeps unique.
func duplicateID(t testing.TB, h Harness) {
	id := put(t, h.Store, "id/0123", "owner one")
	apply(t, h.Store, created("id/4567", "owner one"), created("one/key", "wrapped"))
	conflicts(t, h.Store, created("id/0123", "owner two"), created("two/key", "wrapped"))
	conflicts(t, h.Store, created("two/key", "wrapped"), created("id/4567", "owner two"))
	lacks(t, h.Store, "two/key")
	require.Equal(t, id, holds(t, h.Store, "id/0123", "owner one"))
	holds(t, h.Store, "id/4567", "owner one")
	apply(t, h.Store, created("id/89ab", "owner two"), created("two/key", "wrapped"))
}
