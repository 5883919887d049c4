//go:build unix

package hpke

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, err := kms.Openers{"hpke": Opener(nil)}.Open(t.Context(), uri(path)) // and does not wait for a writer
	require.ErrorIs(t, err, kms.ErrInvalid)
}
