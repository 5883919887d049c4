//go:build unix

package main

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSignForServices: they read the file, whatever the umask of who signs.
func TestSignForServices(t *testing.T) {
	l := newSignLab(t)
	defer syscall.Umask(syscall.Umask(0o077))
	code, _, errs := run(l.flags()...)
	require.Zero(t, code, errs)
	info, err := os.Stat(l.out)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o644), info.Mode().Perm())
}
