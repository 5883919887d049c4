package local

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/holdfast-go/holdfast/kms"
)

// Opener returns what opens local:///absolute/path for [kms.Openers]. A
// URI with a host, a user, a query or a fragment is [kms.ErrInvalid]. The passphrase, if there is
// one, comes from o, never from the URI. Closing the key closes the file.
func Opener(o *Options) kms.OpenFunc {
	var own Options
	if o != nil {
		own = *o
	}
	return func(ctx context.Context, u *url.URL) (*kms.Key, error) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("kms/local: %w", err)
		}
		if u.Opaque != "" || u.OmitHost || u.User != nil || u.Host != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || !strings.HasPrefix(u.Path, "/") {
			return nil, fmt.Errorf("kms/local: %w: the URI must be local:///absolute/path and no more", kms.ErrInvalid)
		}
		path := filepath.FromSlash(u.Path)
		if runtime.GOOS == "windows" {
			path = path[1:] // local:///C:/keys/app.json
		}
		f, err := Open(path, &own)
		if err != nil {
			return nil, err
		}
		return f.Key(), nil
	}
}
