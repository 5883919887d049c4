package hpke

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// TestBadPaths has paths that no wait mends, so none of them is an outage.
func TestBadPaths(t *testing.T) {
	needHPKE(t)
	text := seeded(t, MLKEM768X25519, 1).PEM()
	path := written(t, text)
	dir := filepath.Dir(path)
	loop := filepath.Join(dir, "loop")
	if runtime.GOOS != "windows" {
		require.NoError(t, os.Symlink(loop, loop))
	}
	for _, c := range []struct {
		name, path string
		unix       bool // Windows says something else
		want       error
	}{
		{"below a file", filepath.Join(path, "key.pem"), false, kms.ErrNotFound},
		{"NUL", filepath.Join(dir, "a\x00b"), false, kms.ErrInvalid},
		{"links in a circle", filepath.Join(loop, "key.pem"), true, kms.ErrInvalid},
		{"name too long", filepath.Join(dir, strings.Repeat("x", 5000)), true, kms.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.unix && runtime.GOOS == "windows" {
				t.Skip("this is of Unix")
			}
			_, err := kms.Openers{"hpke": Opener(nil)}.Open(t.Context(), strings.ReplaceAll(uri(c.path), "\x00", "%00"))
			require.ErrorIs(t, err, c.want)
			require.NotErrorIs(t, err, kms.ErrUnavailable)
			err = WriteFile(c.path, text)
			require.ErrorIs(t, err, c.want)
			require.NotErrorIs(t, err, kms.ErrUnavailable)
		})
	}
	if runtime.GOOS == "linux" {
		require.ErrorIs(t, WriteFile(filepath.Join(dir, "new")+"/", text), kms.ErrInvalid) // a directory's name
	}
}

func TestWriteFileRefuses(t *testing.T) {
	needHPKE(t)
	priv, other := seeded(t, MLKEM768X25519, 1), seeded(t, MLKEM768X25519, 2)
	sealed, err := priv.Seal(t.Context(), identity(t, other))
	require.NoError(t, err)
	damaged := func(text []byte) []byte {
		block, _ := pem.Decode(text)
		block.Bytes[2+1184] ^= 1 // the first of X25519, of which every value is a public key
		return pem.EncodeToMemory(block)
	}
	for name, text := range map[string][]byte{
		"halves of two pairs": encodeFile(privateType, append(other.Public().body(0), priv.secret().seed...)),
		"no seed":             encodeFile(privateType, priv.Public().body(0)),
		"nothing sealed":      encodeFile(sealedType, priv.Public().body(0)),
		"damaged public":      damaged(priv.Public().PEM()),
		"damaged private":     damaged(priv.PEM()),
		"damaged sealed":      damaged(sealed),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key.pem")
			require.ErrorIs(t, WriteFile(path, text), kms.ErrInvalid)
			require.NoFileExists(t, path)
		})
	}
	for name, text := range map[string][]byte{"public": priv.Public().PEM(), "private": priv.PEM(), "sealed": sealed} {
		require.NoError(t, WriteFile(filepath.Join(t.TempDir(), "key.pem"), text), name)
	}
}
