package boltstore

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

func TestOpenRefusesPipe(t *testing.T) {
	path := newPath(t)
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, err := Open(path, nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
}
