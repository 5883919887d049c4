package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
)

// fill creates rows whose values tell their keys, some at a time.
func fill(t testing.TB, s envelope.Store, keys ...string) {
	t.Helper()
	for some := range slices.Chunk(keys, envelope.MaxChanges) {
		var changes []envelope.Change
		for _, key := range some {
			changes = append(changes, created(key, "value of "+key))
		}
		apply(t, s, changes...)
	}
}

// lists requires that List returns the rows of these keys.
func lists(t testing.TB, s envelope.Store, prefix, after string, limit int, keys ...string) {
	t.Helper()
	rows, err := s.List(t.Context(), prefix, after, limit)
	require.NoError(t, err)
	got := []string{}
	for _, r := range rows {
		got = append(got, r.Key)
		require.True(t, string(r.Value) == "value of "+r.Key, "a listed row has another row's value")
		require.NotZero(t, r.Revision, "a listed row has no revision")
	}
	require.True(t, slices.Equal(keys, got), "List(%.40q, %.40q, %d) has the keys %.400q and not %.400q", prefix, after, limit, got, keys)
}

// unordered are keys that sort differently as text, in most languages, than as bytes.
func unordered() []string {
	return []string{
		"b", "a", "B", "A", "a/", "a0", "a b", "ab", "a\x00", "a\x00b", "a\xff", "aa", "\x00", "\xff", "\xff\xff", "é", "z", "Z", "_", "-", "~", "10", "9",
		"\u65e5", "\U0001f600", "\uffff", "ß", "ss", "ä", "a\u0308", "\xc3",
	}
}

func listOrder(t testing.TB, h Harness) {
	keys := unordered()
	fill(t, h.Store, keys...)
	slices.Sort(keys)
	lists(t, h.Store, "", "", 1000, keys...)
}

func listPrefix(t testing.TB, h Harness) {
	keys := []string{
		"a", "a/", "a/1", "a/1/x", "a/2", "a_1", "a%1", "a\\1", "ax1", "A/1", "b", "b/1", "_", "_1", "x1", "%", "%1", "\\", "\\1", "a/\x00", "a/\xff", "a/\xff\xff", "a/\xff\xff\x01",
		"a0", "\xff", "\xff\x00", "\xff\xff", "\xff\xff\xff", "\xfe\xff", "é", "é1", "e\u0301", "*", "[a]", "'", "a'1", "\"", ";", "a/é", "a/É",
	}
	fill(t, h.Store, keys...)
	slices.Sort(keys)
	for _, prefix := range append(slices.Clone(keys), "", "c", "a/1/x/", "a/\xff\xff\xff", "é1\x00", "e", "\xc3", "\xfe", strings.Repeat("\xff", envelope.MaxRowKey)) {
		var want []string
		for _, key := range keys {
			if strings.HasPrefix(key, prefix) {
				want = append(want, key)
			}
		}
		lists(t, h.Store, prefix, "", 1000, want...)
	}
}

func listAfter(t testing.TB, h Harness) {
	fill(t, h.Store, "a", "b/1", "b/2", "b/2\x00", "b/3", "b/\xff", "c")
	for _, tc := range []struct {
		prefix, after string
		limit         int
		want          []string
	}{
		{"", "", 2, []string{"a", "b/1"}},
		{"", "a", 2, []string{"b/1", "b/2"}},
		{"", "b/2", 2, []string{"b/2\x00", "b/3"}},
		{"", "b/\xff", 2, []string{"c"}},
		{"", "c", 2, nil},
		{"", "d", 2, nil},
		{"b/", "", 1, []string{"b/1"}},
		{"b/", "b/", 1, []string{"b/1"}},
		{"b/", "b/1", 1, []string{"b/2"}},
		{"b/", "b/15", 1, []string{"b/2"}}, // which is no row
		{"b/", "b/2", 5, []string{"b/2\x00", "b/3", "b/\xff"}},
		{"b/", "b/3", 5, []string{"b/\xff"}},
		{"b/", "b/\xff", 5, nil},
		{"b/", "a", 5, []string{"b/1", "b/2", "b/2\x00", "b/3", "b/\xff"}}, // before the prefix
		{"b/", "b", 1, []string{"b/1"}},
		{"b/", "b0", 5, nil}, // past it
		{"b/", "c", 5, nil},
		{"b/2", "b/2", 5, []string{"b/2\x00"}},
		{"b/2", "b/2\x00", 5, nil},
		{"", strings.Repeat("\xff", envelope.MaxRowKey), 5, nil},
	} {
		lists(t, h.Store, tc.prefix, tc.after, tc.limit, tc.want...)
	}
}

// pages lists everything under prefix, limit rows at a time, and calls between after each page.
func pages(t testing.TB, s envelope.Store, prefix string, limit int, between func(last string)) (keys []string) {
	t.Helper()
	for after := ""; ; {
		rows, err := s.List(t.Context(), prefix, after, limit)
		require.NoError(t, err)
		require.LessOrEqual(t, len(rows), limit)
		for _, r := range rows {
			require.True(t, r.Key > after || after == "", "a page goes back")
			after = r.Key
			keys = append(keys, r.Key)
		}
		if len(rows) < limit {
			return keys
		}
		between(after)
	}
}

func listPages(t testing.TB, h Harness) {
	var keys []string
	for i := range 1100 {
		keys = append(keys, fmt.Sprintf("p/%04d", i))
	}
	fill(t, h.Store, append(slices.Clone(keys), "o", "p", "p0", "q")...)
	for _, limit := range []int{7, 100, 999, 1000} {
		require.Equal(t, keys, pages(t, h.Store, "p/", limit, func(string) {}), "pages of %d rows", limit)
	}
	rows, err := h.Store.List(t.Context(), "", "", 1000)
	require.NoError(t, err)
	require.Equal(t, 1000, len(rows))
}

// listUnderChange changes rows between the pages. Those that were there all the time are listed once.
func listUnderChange(t testing.TB, h Harness) {
	var keys []string
	for i := range 40 {
		keys = append(keys, fmt.Sprintf("p/%02d", i))
	}
	fill(t, h.Store, keys...)
	s := h.clients(t)[1]
	for _, limit := range []int{1, 3, 13} {
		n := 0
		got := pages(t, h.Store, "p/", limit, func(last string) {
			if n++; n > 10 { // or the listing would never come to an end
				return
			}
			first, err := s.Get(t.Context(), keys[0])
			require.NoError(t, err)
			final, err := s.Get(t.Context(), keys[len(keys)-1])
			require.NoError(t, err)
			apply(t, s, changed(first, fmt.Sprint(n)), changed(final, fmt.Sprint(n)), created(fmt.Sprintf("p/ early %d %d", limit, n), "new"),
				created(fmt.Sprintf("%s+%d", last, limit), "new"), created(fmt.Sprintf("p/~ late %d %d", limit, n), "new"))
		})
		count := map[string]int{}
		for _, key := range got {
			count[key]++
			require.Equal(t, 1, count[key], "the row %q is listed twice", key)
		}
		for _, key := range keys {
			require.Equal(t, 1, count[key], "the row %q, which was always there, is not listed", key)
		}
	}
}
