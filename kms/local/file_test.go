package local

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/kms"
)

// wrapped is a plaintext and what a key made of it.
type wrapped struct {
	plaintext string
	w         kms.Wrapped
}

func wrap(t require.TestingT, f *File, plaintext string) wrapped {
	w, err := f.Key().Wrap(context.Background(), []byte(plaintext), kms.Context{"tenant": "acme"})
	require.NoError(t, err)
	return wrapped{plaintext, w}
}

func (w wrapped) opens(t require.TestingT, f *File) {
	got, err := f.Key().Unwrap(context.Background(), w.w, kms.Context{"tenant": "acme"})
	require.NoError(t, err)
	require.Equal(t, w.plaintext, string(got))
}

func (w wrapped) fails(t require.TestingT, f *File, class error) {
	got, err := f.Key().Unwrap(context.Background(), w.w, kms.Context{"tenant": "acme"})
	require.ErrorIs(t, err, class)
	require.Nil(t, got)
}

// reopen opens the file of f once more.
func reopen(t *testing.T, f *File) *File {
	t.Helper()
	again, err := Open(f.d.path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, again.Close()) })
	return again
}

func TestBlobFormat(t *testing.T) {
	f := newTestFile(t)
	w := wrap(t, f, "secret").w
	var file struct{ Versions []struct{ Key []byte } }
	b, err := os.ReadFile(f.d.path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &file))
	wrapping := derive.Key((*[32]byte)(file.Versions[0].Key), "kms local")
	k, err := aead.ParseKey(wrapping[:])
	require.NoError(t, err)
	got, err := k.Open(nil, w.Blob, []byte("\x00\x01\x00\x06tenant\x00\x04acme"))
	require.NoError(t, err)
	require.Equal(t, "secret", string(got))
	require.Equal(t, "1", w.Version)
	require.Equal(t, "local", w.Provider)
	require.Len(t, w.KeyID, 32)
}

func TestCreate(t *testing.T) {
	f := newTestFile(t)
	info, err := os.Stat(f.d.path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
	info, err = os.Stat(f.d.path + ".lock")
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
	w := wrap(t, f, "secret")
	w.opens(t, reopen(t, f))
	require.Same(t, f.Key(), f.Key())

	before, err := os.ReadFile(f.d.path)
	require.NoError(t, err)
	again, err := Create(f.d.path, nil)
	require.ErrorIs(t, err, fs.ErrExist)
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.Nil(t, again)
	after, err := os.ReadFile(f.d.path)
	require.NoError(t, err)
	require.Equal(t, before, after)

	dangling := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink("nowhere", dangling))
	_, err = Create(dangling, nil)
	require.ErrorIs(t, err, fs.ErrExist)

	_, err = Create(filepath.Join(t.TempDir(), "no such directory", "key.json"), nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestOpenRefuses(t *testing.T) {
	for _, tc := range []struct {
		name    string
		prepare func(t *testing.T, path string)
		want    []error
	}{
		{"missing", func(*testing.T, string) {}, []error{kms.ErrNotFound, fs.ErrNotExist}},
		{"directory", func(t *testing.T, path string) { require.NoError(t, os.Mkdir(path, 0o700)) }, []error{kms.ErrInvalid}},
		{"empty", func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, nil, 0o600)) }, []error{kms.ErrInvalid}},
		{"over 1 MiB", func(t *testing.T, path string) {
			b := append(sample(t, nil), bytes.Repeat([]byte(" "), 1<<20)...) // a good file but for its size
			require.NoError(t, os.WriteFile(path, b, 0o600))
		}, []error{kms.ErrInvalid}},
		{"dangling link", func(t *testing.T, path string) { require.NoError(t, os.Symlink("nowhere", path)) }, []error{kms.ErrNotFound, fs.ErrNotExist}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key.json")
			tc.prepare(t, path)
			before, _ := os.ReadDir(filepath.Dir(path))
			f, err := Open(path, nil)
			for _, want := range tc.want {
				require.ErrorIs(t, err, want)
			}
			require.Nil(t, f)
			after, _ := os.ReadDir(filepath.Dir(path))
			require.Len(t, after, len(before), "Open makes nothing")
		})
	}
}

func TestOpenThroughLink(t *testing.T) {
	f := newTestFile(t)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(f.d.path, link))
	linked, err := Open(link, nil)
	require.NoError(t, err)
	defer linked.Close()
	require.NoError(t, linked.Rotate(t.Context()))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.Equal(t, fs.ModeSymlink, info.Mode().Type(), "a rotation leaves the link")
	wrap(t, linked, "secret").opens(t, f)

	require.NoError(t, os.Chmod(f.d.path, 0o644))
	_, err = Open(link, nil)
	require.ErrorIs(t, err, kms.ErrInvalid, "the target's mode counts")
}

func TestRotate(t *testing.T) {
	f := newTestFile(t)
	old := wrap(t, f, "old")
	require.False(t, f.Key().Stale(old.w))
	require.NoError(t, f.Rotate(t.Context()))
	require.True(t, f.Key().Stale(old.w))
	fresh := wrap(t, f, "new")
	require.Equal(t, "2", fresh.w.Version)
	for _, f := range []*File{f, reopen(t, f)} {
		old.opens(t, f)
		fresh.opens(t, f)
		info, err := f.Key().Describe(t.Context())
		require.NoError(t, err)
		require.Equal(t, "2", info.Version)
		require.Equal(t, kms.Enabled, info.State)
		require.False(t, info.Rotated.IsZero())
	}
}

func TestDisable(t *testing.T) {
	f := newTestFile(t)
	other := reopen(t, f)
	w := wrap(t, f, "secret")
	require.NoError(t, f.Disable(t.Context()))
	require.NoError(t, f.Disable(t.Context()), "again does nothing")
	w.fails(t, f, kms.ErrDisabled)
	w.fails(t, reopen(t, f), kms.ErrDisabled)
	require.ErrorIs(t, f.Rotate(t.Context()), kms.ErrDisabled)

	w.opens(t, other) // has not looked at the file since
	info, err := other.Key().Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, kms.Disabled, info.State)
	w.fails(t, other, kms.ErrDisabled)

	require.NoError(t, other.Enable(t.Context()))
	w.opens(t, other)
	w.opens(t, reopen(t, f))
}

func TestDestroy(t *testing.T) {
	f := newTestFile(t)
	other := reopen(t, f)
	require.NoError(t, f.Rotate(t.Context()))
	w := wrap(t, f, "secret")
	backup, err := os.ReadFile(f.d.path)
	require.NoError(t, err)
	old, err := os.Open(f.d.path)
	require.NoError(t, err)
	defer old.Close()

	require.NoError(t, f.Destroy(t.Context()))
	require.NoError(t, f.Destroy(t.Context()), "again does nothing")
	left := make([]byte, len(backup))
	_, err = old.ReadAt(left, 0)
	require.NoError(t, err)
	require.Equal(t, make([]byte, len(backup)), left, "the old bytes are overwritten")

	w.fails(t, f, kms.ErrDestroyed)
	reopened := reopen(t, f)
	w.fails(t, reopened, kms.ErrDestroyed)
	_, err = reopened.Key().Wrap(t.Context(), []byte("secret"), nil)
	require.ErrorIs(t, err, kms.ErrDestroyed)
	for _, change := range []error{reopened.Rotate(t.Context()), reopened.Enable(t.Context()), reopened.Disable(t.Context())} {
		require.ErrorIs(t, change, kms.ErrDestroyed)
	}
	info, err := reopened.Key().Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, kms.Destroyed, info.State)
	require.False(t, info.DestroyAt.IsZero())
	require.NoError(t, reopened.Destroy(t.Context()))

	tombstone, err := os.ReadFile(f.d.path)
	require.NoError(t, err)
	require.NotContains(t, string(tombstone), `"key":`)
	_, err = Create(f.d.path, nil)
	require.ErrorIs(t, err, fs.ErrExist, "a tombstone is not replaced by a new key")

	_, err = other.Key().Describe(t.Context())
	require.NoError(t, err)
	w.fails(t, other, kms.ErrDestroyed)

	// A process that saw the destruction does not take a backup for the key.
	require.NoError(t, os.WriteFile(f.d.path, backup, 0o600))
	_, err = f.Key().Describe(t.Context())
	require.ErrorIs(t, err, kms.ErrDestroyed)
	w.fails(t, f, kms.ErrDestroyed)
}

func TestDestroyLater(t *testing.T) {
	f := newTestFile(t)
	_, err := f.Key().Destroy(t.Context(), 1)
	require.ErrorIs(t, err, kms.ErrUnsupported)
	wrap(t, f, "secret").opens(t, f)
}

func TestClose(t *testing.T) {
	f := newTestFile(t)
	w := wrap(t, f, "secret")
	require.NoError(t, f.Key().Close())
	require.NoError(t, f.Close())
	w.fails(t, f, kms.ErrClosed)
	require.ErrorIs(t, f.Rotate(t.Context()), kms.ErrClosed)
	require.ErrorIs(t, f.Disable(t.Context()), kms.ErrClosed)
	_, err := f.d.Describe(t.Context())
	require.ErrorIs(t, err, kms.ErrClosed)
}
