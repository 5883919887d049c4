package message

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestLRUModel compares an lru with a slice, the most recently used last.
func TestLRUModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(1, 5).Draw(rt, "limit")
		l := newLRU[string, int](limit)
		var want []pair[string, int]
		key := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"})
		at := func(k string) int {
			return slices.IndexFunc(want, func(p pair[string, int]) bool { return p.key == k })
		}
		read := func(rt *rapid.T, get func(string) (int, bool)) int {
			k := key.Draw(rt, "key")
			v, ok := get(k)
			i := at(k)
			require.Equal(rt, i >= 0, ok)
			if !ok {
				require.Zero(rt, v)
				return -1
			}
			require.Equal(rt, want[i].value, v)
			return i
		}
		rt.Repeat(map[string]func(*rapid.T){
			"": func(rt *rapid.T) {
				var got []pair[string, int]
				for k, v := range l.all() {
					got = append(got, pair[string, int]{k, v})
				}
				require.Equal(rt, want, got)
				require.Equal(rt, len(want), l.len())
			},
			"put": func(rt *rapid.T) {
				p := pair[string, int]{key.Draw(rt, "key"), rapid.Int().Draw(rt, "value")}
				var forgotten pair[string, int]
				var full bool
				if i := at(p.key); i >= 0 {
					want = slices.Delete(want, i, i+1)
				} else if len(want) == limit {
					forgotten, full = want[0], true
					want = slices.Delete(want, 0, 1)
				}
				want = append(want, p)
				got, ok := l.put(p.key, p.value)
				require.Equal(rt, full, ok)
				require.Equal(rt, forgotten, got)
			},
			"peek": func(rt *rapid.T) { read(rt, l.peek) },
			"get": func(rt *rapid.T) {
				if i := read(rt, l.get); i >= 0 {
					used := want[i]
					want = append(slices.Delete(want, i, i+1), used)
				}
			},
		})
	})
}

// TestLRUAllStops leaves the loop early.
func TestLRUAllStops(t *testing.T) {
	l := newLRU[int, int](3)
	for i := range 3 {
		l.put(i, i)
	}
	for k := range l.all() {
		require.Zero(t, k, "the least recently used comes first")
		break
	}
}
