package record

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAdditionalDataInsideSealed opens records whose additional data is part of their own bytes: of the
// 12 that are known before a record is sealed.
func TestAdditionalDataInsideSealed(t *testing.T) {
	k := oneLane()
	for _, n := range []int{0, 1, 11, 12, 13, 28, 29, 30, 1000} {
		for _, c := range []struct {
			name string
			dst  func(sealed []byte) []byte
		}{
			{"apart", func([]byte) []byte { return nil }},
			{"in place", func(sealed []byte) []byte { return sealed[:0] }},
			{"offset", func(sealed []byte) []byte { return sealed[5:5] }},
		} {
			for from := range prefixSize {
				prefix := prefixOf(k.Seal(nil, nil, nil))
				for to := from + 1; to <= prefixSize; to++ {
					sealed := k.Seal(nil, pattern(n), prefix[from:to])
					got, err := k.Open(c.dst(sealed), sealed, sealed[from:to])
					require.NoError(t, err, "%d bytes, %s, %d to %d", n, c.name, from, to)
					require.True(t, bytes.Equal(pattern(n), got), "%d bytes, %s, %d to %d", n, c.name, from, to)
				}
			}
		}
	}
}
