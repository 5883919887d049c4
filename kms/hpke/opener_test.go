package hpke

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// written returns the path of a new file with text.
func written(t testing.TB, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a key.pem")
	require.NoError(t, WriteFile(path, text))
	return path
}

func uri(path string) string {
	path = filepath.ToSlash(path)
	if runtime.GOOS == "windows" {
		path = "/" + path
	}
	return "hpke://" + path
}

func TestOpener(t *testing.T) {
	needHPKE(t)
	for _, kem := range kems() {
		t.Run(kem.String(), func(t *testing.T) {
			priv, err := GenerateKey(kem)
			require.NoError(t, err)
			under := identity(t, seeded(t, MLKEM768X25519, 1))
			sealed, err := priv.Seal(t.Context(), under)
			require.NoError(t, err)

			o := &Options{SealedUnder: under, Key: &kms.Options{}}
			openers := kms.Openers{"hpke": Opener(o)}
			*o = Options{} // the opener has its own
			opens := func(text []byte) *kms.Key {
				k, err := openers.Open(t.Context(), uri(written(t, text)))
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, k.Close()) })
				require.Equal(t, priv.Public().ID(), k.Ref().KeyID)
				return k
			}
			r := opens(priv.Public().PEM())
			w, err := r.Wrap(t.Context(), []byte("secret"), nil)
			require.NoError(t, err)
			_, err = r.Unwrap(t.Context(), w, nil)
			require.ErrorIs(t, err, kms.ErrInvalid)
			for _, text := range [][]byte{priv.PEM(), sealed} {
				k := opens(text)
				got, err := k.Unwrap(t.Context(), w, nil)
				require.NoError(t, err)
				require.Equal(t, "secret", string(got))
				require.NoError(t, k.Check(t.Context()))
			}
			k, err := kms.Openers{"hpke": Opener(nil)}.Open(t.Context(), uri(written(t, sealed)))
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.Nil(t, k)
		})
	}
}

func TestOpenerRefuses(t *testing.T) {
	needHPKE(t)
	path := written(t, seeded(t, MLKEM768X25519, 1).PEM())
	openers := kms.Openers{"hpke": Opener(nil)}
	k, err := openers.Open(t.Context(), uri(path))
	require.NoError(t, err)
	require.NoError(t, k.Close())
	k, err = openers.Open(t.Context(), uri(path)+"#") // of which nothing is left to refuse
	require.NoError(t, err)
	require.NoError(t, k.Close())
	for _, uri := range []string{
		"hpke:", "hpke://", "hpke:a/key.pem", "hpke://host" + path, "hpke://user@" + path, "hpke://user:pass@host" + path,
		"hpke://" + path + "?kem=1", "hpke://" + path + "?", "hpke://" + path + "#fragment",
	} {
		t.Run(uri, func(t *testing.T) {
			k, err := openers.Open(t.Context(), uri)
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.Nil(t, k)
		})
	}
	_, err = openers.Open(t.Context(), uri(path+".missing"))
	require.ErrorIs(t, err, kms.ErrNotFound)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = openers.Open(t.Context(), uri(filepath.Dir(path)))
	require.ErrorIs(t, err, kms.ErrInvalid)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = openers.Open(ctx, uri(path))
	require.ErrorIs(t, err, context.Canceled)
	k, err = kms.Openers{"hpke": Opener(&Options{Key: &kms.Options{Timeout: -1}})}.Open(t.Context(), uri(path))
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.Nil(t, k)
	for name, text := range map[string][]byte{"empty": nil, "no key": []byte("key"), "huge": bytes.Repeat([]byte(" "), maxFile+1)} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key.pem")
			require.NoError(t, os.WriteFile(path, text, 0o600))
			_, err := openers.Open(t.Context(), uri(path))
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.ErrorIs(t, WriteFile(path+".new", text), kms.ErrInvalid)
			_, err = os.Stat(path + ".new")
			require.ErrorIs(t, err, fs.ErrNotExist)
		})
	}
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	needHPKE(t)
	priv := seeded(t, MLKEM768X25519, 1)
	under := identity(t, seeded(t, MLKEM768X25519, 2))
	sealed, err := priv.Seal(t.Context(), under)
	require.NoError(t, err)
	openers := kms.Openers{"hpke": Opener(&Options{SealedUnder: under})}
	for _, c := range []struct {
		name      string
		text      []byte
		forbidden fs.FileMode
		fix       string
	}{
		{"public", priv.Public().PEM(), 0o022, "chmod go-w "},
		{"private", priv.PEM(), 0o177, "chmod 600 "},
		{"sealed", sealed, 0o177, "chmod 600 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := written(t, c.text)
			for _, mode := range []fs.FileMode{0o400, 0o600, 0o444, 0o644, 0o640, 0o604, 0o620, 0o602, 0o700, 0o610, 0o601, 0o777} {
				require.NoError(t, os.Chmod(path, mode))
				k, err := openers.Open(t.Context(), uri(path))
				if mode&c.forbidden == 0 {
					require.NoError(t, err, "%04o", mode)
					require.NoError(t, k.Close())
					continue
				}
				require.ErrorIs(t, err, kms.ErrInvalid, "%04o", mode)
				require.ErrorContains(t, err, c.fix+strconv.Quote(path)) // the fix is in the text
			}
		})
	}
}

func TestWriteFile(t *testing.T) {
	needHPKE(t)
	first, second := seeded(t, MLKEM768X25519, 1).PEM(), seeded(t, MLKEM768X25519, 2).PEM()
	path := written(t, first)
	if runtime.GOOS != "windows" {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode())
		like := filepath.Join(t.TempDir(), "like")
		require.NoError(t, os.WriteFile(like, nil, 0o644))
		want, err := os.Stat(like) // less the umask
		require.NoError(t, err)
		info, err = os.Stat(written(t, seeded(t, MLKEM768X25519, 1).Public().PEM()))
		require.NoError(t, err)
		require.Equal(t, want.Mode(), info.Mode())
	}
	err := WriteFile(path, second)
	require.ErrorIs(t, err, fs.ErrExist)
	require.ErrorIs(t, err, kms.ErrInvalid)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, first, got)
	require.ErrorIs(t, WriteFile(filepath.Join(path+".dir", "key.pem"), first), kms.ErrNotFound)
}
