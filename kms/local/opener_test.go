package local

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

func TestOpener(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a key.json")
	f, err := Create(path, passphrase(rightPassphrase))
	require.NoError(t, err)
	defer f.Close()
	w := wrap(t, f, "secret")

	o := passphrase(rightPassphrase)
	openers := kms.Openers{"local": Opener(o)}
	o.Passphrase = nil // the opener has its own
	k, err := openers.Open(t.Context(), "local://"+path)
	require.NoError(t, err)
	got, err := k.Unwrap(t.Context(), w.w, kms.Context{"tenant": "acme"})
	require.NoError(t, err)
	require.Equal(t, "secret", string(got))
	require.NoError(t, k.Check(t.Context()))
	require.NoError(t, k.Close())

	for _, uri := range []string{
		"local:", "local:" + path, "local://", "local:a/key.json", "local://host" + path, "local://user@" + path, "local://user:pass@host" + path,
		"local://" + path + "?mode=0600", "local://" + path + "?", "local://" + path + "#fragment",
	} {
		t.Run(uri, func(t *testing.T) {
			k, err := openers.Open(t.Context(), uri)
			require.ErrorIs(t, err, kms.ErrInvalid)
			require.Nil(t, k)
		})
	}
	_, err = openers.Open(t.Context(), "local://"+path+".missing")
	require.ErrorIs(t, err, kms.ErrNotFound)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = openers.Open(ctx, "local://"+path)
	require.ErrorIs(t, err, context.Canceled)
}

// observed counts what a Key tells of.
type observed struct{ n int }

func (o *observed) Observe(context.Context, kms.Event) { o.n++ }

func TestKeyOptions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.json")
	_, err := Create(path, &Options{Key: &kms.Options{Timeout: -1}})
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.NoFileExists(t, path)

	var o observed
	f, err := Create(path, &Options{Key: &kms.Options{Observer: &o}})
	require.NoError(t, err)
	defer f.Close()
	wrap(t, f, "secret")
	require.Equal(t, 1, o.n)
	_, err = Open(path, &Options{Key: &kms.Options{Timeout: -1}})
	require.ErrorIs(t, err, kms.ErrInvalid)
	again, err := Open(path, &Options{Key: &kms.Options{Observer: &o}})
	require.NoError(t, err)
	defer again.Close()
	wrap(t, again, "secret")
	require.Equal(t, 2, o.n)
}
