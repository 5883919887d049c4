package keyfile_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/keyfile"
	"github.com/holdfast-go/holdfast/kms"
)

func TestError(t *testing.T) {
	for _, tc := range []struct{ err, class error }{
		{fs.ErrNotExist, kms.ErrNotFound},
		{syscall.ENOTDIR, kms.ErrNotFound},
		{fs.ErrPermission, kms.ErrAccessDenied},
		{syscall.EROFS, kms.ErrAccessDenied},
		{fs.ErrExist, kms.ErrInvalid},
		{syscall.EISDIR, kms.ErrInvalid},
		{syscall.EINVAL, kms.ErrInvalid},
		{syscall.ELOOP, kms.ErrInvalid},
		{syscall.ENAMETOOLONG, kms.ErrInvalid},
		{syscall.EIO, kms.ErrUnavailable},
		{syscall.ENOSPC, kms.ErrUnavailable},
		{syscall.EMFILE, kms.ErrUnavailable},
		{io.ErrUnexpectedEOF, kms.ErrUnavailable},
		{fmt.Errorf("%w: damaged", kms.ErrInvalid), kms.ErrInvalid},
		{context.Canceled, context.Canceled},
		{context.DeadlineExceeded, context.DeadlineExceeded},
	} {
		err := keyfile.Error(&os.PathError{Op: "open", Path: "key", Err: tc.err})
		require.ErrorIs(t, err, tc.class, "%v", tc.err)
		require.ErrorIs(t, err, tc.err)
		for _, other := range []error{kms.ErrNotFound, kms.ErrAccessDenied, kms.ErrInvalid, kms.ErrUnavailable} {
			require.Equal(t, other == tc.class, kms.Class(err) == kms.Class(other), "%v", err)
		}
	}
	require.NoError(t, keyfile.Error(nil))
}

func TestPath(t *testing.T) {
	for uri, want := range map[string]string{
		"local:///var/lib/app/key.json": "/var/lib/app/key.json",
		"local:///a%20key.json":         "/a key.json",
		"local:///x#":                   "/x", // net/url drops an empty fragment
		"local:":                        "",
		"local:/var":                    "",
		"local:var":                     "",
		"local://":                      "",
		"local://host/var":              "",
		"local://user@/var":             "",
		"local:///var?mode=0600":        "",
		"local:///var?":                 "",
		"local:///var#part":             "",
	} {
		u, err := url.Parse(uri)
		require.NoError(t, err, uri)
		path, err := keyfile.Path(u)
		if want == "" {
			require.ErrorIs(t, err, kms.ErrInvalid, uri)
			continue
		}
		require.NoError(t, err, uri)
		require.Contains(t, []string{want, want[1:]}, filepath.ToSlash(path)) // without the slash on Windows
	}
}
