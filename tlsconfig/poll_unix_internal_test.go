//go:build unix && !aix

package tlsconfig

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// To open a named pipe would wait for its writer for ever.
func TestPollNamedPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, err := readBounded(path)
	require.Error(t, err)
}
