package derive

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestVectors checks the derived keys and commitments among the vectors of package aead.
func TestVectors(t *testing.T) {
	b, err := os.ReadFile("../../aead/testdata/vectors.json")
	require.NoError(t, err)
	var file struct {
		Format  string
		Vectors []struct {
			Name, Kind, Key, Label, Out string
			Info                        []string
		}
	}
	require.NoError(t, json.Unmarshal(b, &file))
	require.Equal(t, "holdfast vectors v1", file.Format)
	ran := map[string]int{}
	for _, v := range file.Vectors {
		if v.Kind != "derive" && v.Kind != "commitment" {
			continue
		}
		ran[v.Kind]++
		t.Run(v.Name, func(t *testing.T) {
			key := (*[Size]byte)(unhex(t, v.Key))
			got := Commitment(key)
			if v.Kind == "derive" {
				var info [][]byte
				for _, part := range v.Info {
					info = append(info, unhex(t, part))
				}
				got = Key(key, v.Label, info...)
			}
			require.Equal(t, v.Out, hex.EncodeToString(got[:]))
		})
	}
	require.NotZero(t, ran["derive"])
	require.NotZero(t, ran["commitment"])
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}
