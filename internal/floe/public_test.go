package floe

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPublicVectors opens the known answers of the reference implementations, in the folder
// floe of $HOLDFAST_VECTORS.
func TestPublicVectors(t *testing.T) {
	root := os.Getenv("HOLDFAST_VECTORS")
	if root == "" {
		t.Skip("HOLDFAST_VECTORS not set")
	}
	files, err := filepath.Glob(filepath.Join(root, "floe", "*_ct.txt"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), "_ct.txt")
		t.Run(name, func(t *testing.T) {
			bits := uint(rotation)
			if strings.HasSuffix(name, "rotation") {
				bits = 2 // a parameter of these vectors alone
			}
			sealed, plaintext := readHex(t, file), readHex(t, strings.TrimSuffix(file, "_ct.txt")+"_pt.txt")
			got, err := openStream(new([KeySize]byte), []byte("This is AAD"), sealed, readerLimit, bits)
			require.NoError(t, err)
			require.Equal(t, plaintext, got)

			_, err = openStream(new([KeySize]byte), []byte("This is AAE"), sealed, readerLimit, bits)
			require.ErrorIs(t, err, ErrOpen)
			if bits != rotation {
				_, err = openStream(new([KeySize]byte), []byte("This is AAD"), sealed, readerLimit, rotation)
				require.ErrorIs(t, err, ErrOpen)
			}
		})
	}
}

func readHex(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	b, err = hex.DecodeString(strings.TrimSpace(string(b)))
	require.NoError(t, err)
	return b
}
