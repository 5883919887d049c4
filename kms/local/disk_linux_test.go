package local

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.json")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, err := Open(path, nil) // and does not wait for a writer
	require.ErrorIs(t, err, kms.ErrInvalid)
}

// unprivileged runs f on a thread that file permissions hold for, and makes path its own.
func unprivileged(t *testing.T, path string, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	const nobody = 65534
	require.NoError(t, os.Chown(path, nobody, -1))
	require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(path)), 0o755))
	var done sync.WaitGroup
	done.Go(func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		if err := syscall.Setfsuid(nobody); err != nil {
			t.Error(err)
			return
		}
		f()
	})
	done.Wait()
}

func TestReadOnlyDirectory(t *testing.T) {
	f := newTestFile(t)
	w := wrap(t, f, "secret")
	dir := filepath.Dir(f.d.path)
	before, err := os.ReadFile(f.d.path)
	require.NoError(t, err)
	require.NoError(t, os.Remove(f.d.path+".lock"))
	require.NoError(t, os.Chmod(dir, 0o555))
	defer os.Chmod(dir, 0o755)
	var rotated, created, opened error
	unprivileged(t, f.d.path, func() {
		var again *File
		if again, opened = Open(f.d.path, nil); opened == nil {
			_, opened = again.d.Unwrap(t.Context(), w.w, kms.Context{"tenant": "acme"})
			rotated = again.d.Rotate(t.Context()) // not through the Key: its goroutine has other privileges
			opened = errors.Join(opened, again.Close())
		}
		_, created = Create(filepath.Join(dir, "other.json"), nil)
	})
	require.NoError(t, opened, "reading needs no writing")
	require.ErrorIs(t, rotated, kms.ErrAccessDenied)
	require.ErrorIs(t, rotated, fs.ErrPermission)
	require.ErrorIs(t, created, kms.ErrAccessDenied)
	after, err := os.ReadFile(f.d.path)
	require.NoError(t, err)
	require.Equal(t, before, after)
}
