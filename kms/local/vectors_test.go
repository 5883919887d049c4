package local

import (
	"crypto/fips140"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// vector is a key file of testdata/ and something that it opens.
type vector struct {
	File       string      `json:"file"`
	Passphrase string      `json:"passphrase,omitempty"`
	Context    kms.Context `json:"context"`
	Plaintext  []byte      `json:"plaintext"`
	Wrapped    []byte      `json:"wrapped"` // binary form
}

// place copies a key file of testdata to where only its owner can read it.
func place(t *testing.T, name string) (path string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	path = filepath.Join(t.TempDir(), "key.json")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return path
}

func TestVectors(t *testing.T) {
	b, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	var vectors []vector
	require.NoError(t, json.Unmarshal(b, &vectors))
	require.Len(t, vectors, 4)
	for _, v := range vectors {
		t.Run(v.File, func(t *testing.T) {
			var o *Options
			if v.Passphrase != "" {
				o = passphrase(v.Passphrase)
			}
			f, err := Open(place(t, v.File), o)
			if fips140.Enforced() && v.File == "argon2id.json" {
				require.ErrorIs(t, err, kms.ErrUnsupported)
				return
			}
			require.NoError(t, err)
			defer f.Close()
			w, rest, err := kms.ParseWrapped(v.Wrapped)
			require.NoError(t, err)
			require.Empty(t, rest)
			if v.File == "destroyed.json" {
				_, err = f.Key().Unwrap(t.Context(), w, v.Context)
				require.ErrorIs(t, err, kms.ErrDestroyed)
				return
			}
			for range 2 { // and once more when the file was written anew
				got, err := f.Key().Unwrap(t.Context(), w, v.Context)
				require.NoError(t, err)
				require.Equal(t, v.Plaintext, got)
				require.NoError(t, f.Rotate(t.Context()))
			}
		})
	}
}
