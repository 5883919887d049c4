package memstore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestOrderModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o order
		for _, key := range rapid.SliceOfDistinct(rapid.StringN(0, 3, -1), rapid.ID).Draw(t, "keys") {
			o.insert(key)
		}
		from := rapid.StringN(0, 3, -1).Draw(t, "from")
		all := slices.Concat(o.chunks...)
		require.True(t, slices.IsSorted(all))
		at, _ := slices.BinarySearch(all, from)
		require.True(t, slices.Equal(all[at:], slices.Collect(o.from(from))))
	})
}

// TestOrderGrows inserts in every direction, over many chunks.
func TestOrderGrows(t *testing.T) {
	const n = 20 * maxChunk
	for name, at := range map[string]func(i int) int{
		"ascending":  func(i int) int { return i },
		"descending": func(i int) int { return n - 1 - i },
		"shuffled": func() func(i int) int {
			p := rand.New(rand.NewPCG(1, 2)).Perm(n)
			return func(i int) int { return p[i] }
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			var o order
			var want []string
			for i := range n {
				o.insert(fmt.Sprintf("%08d", at(i)))
				want = append(want, fmt.Sprintf("%08d", i))
			}
			require.Greater(t, len(o.chunks), 20)
			for _, c := range o.chunks {
				require.NotEmpty(t, c)
				require.LessOrEqual(t, len(c), maxChunk)
			}
			require.True(t, slices.Equal(want, slices.Collect(o.from(""))))
			for _, i := range []int{0, 1, maxChunk - 1, maxChunk, maxChunk + 1, n / 2, n - 1} {
				require.True(t, slices.Equal(want[i:], slices.Collect(o.from(want[i]))))
				require.True(t, slices.Equal(want[i+1:], slices.Collect(o.from(want[i]+"+"))))
			}
		})
	}
}
