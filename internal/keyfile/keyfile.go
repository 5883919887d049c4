// Package keyfile is what the providers that keep their key in a file share.
package keyfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/holdfast-go/holdfast/kms"
)

// Path returns the path in a URI of the form scheme:///absolute/path, or kms.ErrInvalid for one with anything else in it.
func Path(u *url.URL) (string, error) {
	if u.Opaque != "" || u.OmitHost || u.User != nil || u.Host != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || !strings.HasPrefix(u.Path, "/") {
		return "", fmt.Errorf("%w: the URI must be %.32s:///absolute/path and no more", kms.ErrInvalid, u.Scheme)
	}
	path := filepath.FromSlash(u.Path)
	if runtime.GOOS == "windows" {
		path = path[1:] // local:///C:/keys/app.json
	}
	return path, nil
}

// Error sorts what a file system said into the sentinels of kms, and keeps it as the cause. What has a class stays as it is.
func Error(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kms.ErrInvalid), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %w", kms.ErrNotFound, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %w", kms.ErrAccessDenied, err)
	case errors.Is(err, fs.ErrExist), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.EINVAL),
		errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENAMETOOLONG): // the path must change: no wait mends it
		return fmt.Errorf("%w: %w", kms.ErrInvalid, err)
	}
	return fmt.Errorf("%w: %w", kms.ErrUnavailable, err)
}
