package local

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// TestCreateDoesNotReplace has a file appear while Create waits for the passphrase.
func TestCreateDoesNotReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.json")
	_, err := Create(path, &Options{Passphrase: func() ([]byte, error) {
		return []byte("passphrase"), os.WriteFile(path, []byte("somebody's key"), 0o600)
	}})
	require.ErrorIs(t, err, os.ErrExist)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "somebody's key", string(b))
}

// TestSpecialFiles has a pipe at the lock's name and a link in the file's place: neither is waited for or followed.
func TestSpecialFiles(t *testing.T) {
	f := newTestFile(t)
	require.NoError(t, os.Remove(f.d.path+".lock"))
	require.NoError(t, syscall.Mkfifo(f.d.path+".lock", 0o600))
	require.ErrorIs(t, f.Rotate(t.Context()), kms.ErrInvalid)
	require.NoError(t, os.Remove(f.d.path+".lock"))

	elsewhere := filepath.Join(t.TempDir(), "key.json")
	require.NoError(t, os.Rename(f.d.path, elsewhere))
	require.NoError(t, os.Symlink(elsewhere, f.d.path))
	require.ErrorIs(t, f.Rotate(t.Context()), kms.ErrInvalid)
	again, err := Open(f.d.path, nil) // an Open follows it, and then keeps to the file
	require.NoError(t, err)
	require.NoError(t, again.Rotate(t.Context()))
	require.NoError(t, again.Close())
}

// TestLockTakenIsAnOutage holds the class of a lock that is not to be had in time.
func TestLockTakenIsAnOutage(t *testing.T) {
	f := newTestFile(t)
	unlock, err := lockFile(t.Context(), f.d.path)
	require.NoError(t, err)
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = f.Disable(ctx)
	require.ErrorIs(t, err, kms.ErrUnavailable)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// TestUndurableVersion has a rotation whose rename can't be made durable: nobody else wraps under it.
func TestUndurableVersion(t *testing.T) {
	f := newTestFile(t)
	other := reopen(t, f)
	require.NoError(t, f.Rotate(t.Context()))
	dir := filepath.Dir(f.d.path)
	require.NoError(t, os.Chmod(dir, 0o311)) // it can't be opened, and so not synced
	unprivileged(t, f.d.path, func() {
		if _, err := other.d.Describe(context.Background()); err == nil { // a Key would ask in a goroutine with other privileges
			t.Error("the version was taken over")
		}
	})
	require.NoError(t, os.Chmod(dir, 0o700))
	require.Equal(t, "1", other.d.CurrentVersion())
	_, err := other.Key().Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, "2", other.d.CurrentVersion())
}
