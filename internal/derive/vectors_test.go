package derive

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/vectors"
)

// TestVectors checks the derived keys and commitments among the vectors of package aead.
func TestVectors(t *testing.T) {
	ran := map[string]int{}
	for _, v := range vectors.Load(t, "../../aead/testdata/vectors.json") {
		if v.Kind != "derive" && v.Kind != "commitment" {
			continue
		}
		ran[v.Kind]++
		t.Run(v.Name, func(t *testing.T) {
			key := (*[Size]byte)(vectors.Unhex(t, v.Key))
			got := Commitment(key)
			if v.Kind == "derive" {
				var info [][]byte
				for _, part := range v.Info {
					info = append(info, vectors.Unhex(t, part))
				}
				got = Key(key, v.Label, info...)
			}
			require.Equal(t, *v.Out, hex.EncodeToString(got[:]))
		})
	}
	require.NotZero(t, ran["derive"])
	require.NotZero(t, ran["commitment"])
}
