//go:build unix && !aix

package tlsconfig

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// To open a named pipe would wait for its writer for ever.
func TestPollNamedPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, err := readBounded(path)
	require.Error(t, err)
}

// TestPollSwappedLinks: nothing is missing where a link leads to another directory each time, and the one before is removed.
func TestPollSwappedLinks(t *testing.T) {
	volume := t.TempDir()
	data, visible := filepath.Join(volume, "..data"), filepath.Join(volume, "file")
	require.NoError(t, os.Symlink(filepath.Join("..data", "file"), visible))
	swap := func(n int) {
		name := filepath.Join(volume, fmt.Sprint(n))
		require.NoError(t, os.Mkdir(name, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(name, "file"), []byte{1}, 0o600))
		require.NoError(t, os.Symlink(fmt.Sprint(n), data+"_tmp"))
		require.NoError(t, os.Rename(data+"_tmp", data))
		require.NoError(t, os.RemoveAll(filepath.Join(volume, fmt.Sprint(n-1))))
	}
	swap(1)
	var failed error
	var reader sync.WaitGroup
	defer reader.Wait()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reader.Go(func() {
		for ctx.Err() == nil && failed == nil {
			_, failed = readBounded(visible)
		}
	})
	for n := range 2000 {
		swap(n + 2)
		time.Sleep(50 * time.Microsecond) // no volume is swapped at each try of a read
	}
	stop()
	reader.Wait()
	require.NoError(t, failed)
}
