package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
)

// created is the change that creates a row.
func created(key, value string) envelope.Change {
	return envelope.Change{Row: envelope.Row{Key: key, Value: []byte(value)}}
}

// changed is the change that writes over r.
func changed(r envelope.Row, value string) envelope.Change {
	r.Value = []byte(value)
	return envelope.Change{Row: r}
}

// checked is the change that only requires r's revision.
func checked(r envelope.Row) envelope.Change {
	return envelope.Change{Row: envelope.Row{Key: r.Key, Revision: r.Revision}, Check: true}
}

func apply(t testing.TB, s envelope.Store, changes ...envelope.Change) {
	t.Helper()
	require.NoError(t, s.Apply(t.Context(), changes...))
}

// put creates a row, and returns what the store has of it.
func put(t testing.TB, s envelope.Store, key, value string) envelope.Row {
	t.Helper()
	apply(t, s, created(key, value))
	return holds(t, s, key, value)
}

func get(t testing.TB, s envelope.Store, key string) envelope.Row {
	t.Helper()
	r, err := s.Get(t.Context(), key)
	require.NoError(t, err)
	return r
}

// holds requires that there is a row with this value, also when it is listed, and returns it.
func holds(t testing.TB, s envelope.Store, key, value string) envelope.Row {
	t.Helper()
	r := get(t, s, key)
	same(t, r, key, value)
	listed, err := s.List(t.Context(), key, "", 1)
	require.NoError(t, err)
	require.Len(t, listed, 1, "a row that Get returns is not listed")
	same(t, listed[0], key, value)
	require.Equal(t, r.Revision, listed[0].Revision, "Get and List differ in a row's revision")
	return r
}

func same(t testing.TB, r envelope.Row, key, value string) {
	t.Helper()
	require.True(t, r.Key == key, "a row comes under the key %.60q and not %.60q", r.Key, key)
	require.NotZero(t, r.Revision, "there is no row %.60q", key)
	require.True(t, string(r.Value) == value, "the row %.60q has another value than was written", key)
}

// lacks requires that there is no such row.
func lacks(t testing.TB, s envelope.Store, key string) {
	t.Helper()
	r := get(t, s, key)
	require.Zero(t, r.Revision, "there is a row %.60q", key)
	require.Empty(t, r.Value, "a row that is not there has a value")
	listed, err := s.List(t.Context(), key, "", 1000)
	require.NoError(t, err)
	for _, r := range listed {
		require.False(t, r.Key == key, "a row that Get does not find is listed: %.60q", key)
	}
}

// conflicts requires that changes meet a conflict.
func conflicts(t testing.TB, s envelope.Store, changes ...envelope.Change) {
	t.Helper()
	only(t, s.Apply(t.Context(), changes...), envelope.ErrConflict)
}

func noRow(t testing.TB, h Harness) {
	lacks(t, h.Store, "a")
	rows, err := h.Store.List(t.Context(), "", "", 1000)
	require.NoError(t, err)
	require.Empty(t, rows)
	put(t, h.Store, "b", "value")
	lacks(t, h.Store, "a")
	lacks(t, h.Store, "c")
	lacks(t, h.Store, "bb")
}

func create(t testing.TB, h Harness) {
	put(t, h.Store, "a", "one")
	put(t, h.Store, "b", "two")
	apply(t, h.Store, created("c", "three"), created("d", "four"))
	for key, value := range map[string]string{"a": "one", "b": "two", "c": "three", "d": "four"} {
		holds(t, h.Store, key, value)
	}
}

func overwrite(t testing.TB, h Harness) {
	r, other := put(t, h.Store, "a", "one"), put(t, h.Store, "b", "other")
	for _, value := range []string{"two", "a longer value than before", "", "short", "short"} {
		apply(t, h.Store, changed(r, value))
		r = holds(t, h.Store, "a", value)
	}
	require.Equal(t, other, holds(t, h.Store, "b", "other"), "a write changes another row")
}

// tombstone writes less over more: nothing of what was there comes back.
func tombstone(t testing.TB, h Harness) {
	secret := strings.Repeat("secret", 500)
	clients := h.clients(t)
	r := put(t, h.Store, "a", secret)
	for _, s := range clients {
		holds(t, s, "a", secret) // who caches has it now
	}
	apply(t, h.Store, changed(r, "gone"))
	for _, s := range clients {
		holds(t, s, "a", "gone")
		rows, err := s.List(t.Context(), "", "", 1000)
		require.NoError(t, err)
		require.Len(t, rows, 1)
		same(t, rows[0], "a", "gone")
		conflicts(t, s, changed(r, secret))
		conflicts(t, s, created("a", secret))
	}
	holds(t, h.Store, "a", "gone")
}

func createExisting(t testing.TB, h Harness) {
	r := put(t, h.Store, "a", "one")
	conflicts(t, h.Store, created("a", "two"))
	conflicts(t, h.Store, created("a", "one"))
	require.Equal(t, r, holds(t, h.Store, "a", "one"), "a failed Apply changes the row")
}

func wrongRevision(t testing.TB, h Harness) {
	first := put(t, h.Store, "a", "one")
	apply(t, h.Store, changed(first, "two"))
	second := holds(t, h.Store, "a", "two")
	for _, revision := range []uint64{first.Revision, second.Revision + 1, second.Revision - 1, second.Revision + 1<<32, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		if revision == second.Revision {
			continue
		}
		wrong := second
		wrong.Revision = revision
		conflicts(t, h.Store, changed(wrong, "three"))
		wrong.Key = "b"
		if revision != 0 {
			conflicts(t, h.Store, changed(wrong, "three"))
		}
	}
	require.Equal(t, second, holds(t, h.Store, "a", "two"), "a failed Apply changes the row")
	lacks(t, h.Store, "b")
}

// revisionsDiffer never lets one who has read a row long ago pass.
func revisionsDiffer(t testing.TB, h Harness) {
	clients := h.clients(t)
	r := put(t, h.Store, "a", "one")
	seen := map[uint64]bool{r.Revision: true}
	for i := range 50 {
		value := "one"
		if i%3 == 0 {
			value = fmt.Sprint(i)
		}
		apply(t, clients[i%2], changed(r, value))
		r = holds(t, clients[(i/2)%2], "a", value)
		require.False(t, seen[r.Revision], "a row has the same revision twice")
		seen[r.Revision] = true
	}
	if h.Reopen == nil {
		return
	}
	s := h.reopen(t)
	require.Equal(t, r, get(t, s, "a"), "another client has another revision")
	apply(t, s, changed(r, "last"))
	require.False(t, seen[get(t, s, "a").Revision], "a row has the same revision twice, before and after it is opened again")
}
