package local

import (
	"context"
	"fmt"
	"net/url"

	"github.com/holdfast-go/holdfast/internal/keyfile"
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
		path, err := keyfile.Path(u)
		if err != nil {
			return nil, fmt.Errorf("kms/local: %w", err)
		}
		f, err := Open(path, &own)
		if err != nil {
			return nil, err
		}
		return f.Key(), nil
	}
}
