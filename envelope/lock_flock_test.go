//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package envelope

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestUnlockWithHeir has a second descriptor of the locked file, as a child has that is being forked.
func TestUnlockWithHeir(t *testing.T) {
	path := filepath.Join(t.TempDir(), "message")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	f, other := open(), open()
	require.NoError(t, lockExclusive(f))
	heir, err := syscall.Dup(int(f.Fd()))
	require.NoError(t, err)
	defer syscall.Close(heir)
	require.Error(t, lockExclusive(other))
	unlock(f)
	require.NoError(t, f.Close())
	require.NoError(t, lockExclusive(other))
}
