package hpke

import (
	"context"
	"fmt"
	"net/url"

	"github.com/holdfast-go/holdfast/internal/keyfile"
	"github.com/holdfast-go/holdfast/kms"
)

// Opener returns what opens hpke:///absolute/path/to/file.pem for [kms.Openers]. What the file holds decides: a public key
// makes a key as of [NewRecipient], a private key one as of [NewIdentity], and a sealed one is opened first with
// Options.SealedUnder.
//
// A URI with a host, a user, a query or a fragment is [kms.ErrInvalid], but for an empty fragment, which net/url drops. So is, but on Windows, a private key whose file
// has more than mode 0600, and a public key whose file others than its owner may write. A missing file is [kms.ErrNotFound].
func Opener(o *Options) kms.OpenFunc {
	var own Options
	if o != nil {
		own = *o
	}
	return func(ctx context.Context, u *url.URL) (*kms.Key, error) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("kms/hpke: %w", err)
		}
		path, err := keyfile.Path(u)
		if err != nil {
			return nil, fmt.Errorf("kms/hpke: %w", err)
		}
		k, err := openFile(ctx, path, own)
		if err != nil {
			return nil, fmt.Errorf("kms/hpke: open %q: %w", path, err)
		}
		return k, nil
	}
}

func openFile(ctx context.Context, path string, o Options) (*kms.Key, error) {
	text, mode, err := readFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	kind, pub, rest, err := decode(text)
	if err != nil {
		return nil, err
	}
	defer clear(rest)
	if err := checkMode(path, mode, kind); err != nil {
		return nil, err
	}
	d := &driver{pub: pub}
	switch kind {
	case privateType:
		d.priv, err = fromSeed(rest, pub)
	case sealedType:
		d.priv, err = unseal(ctx, rest, pub, o.SealedUnder)
	}
	if err != nil {
		return nil, err
	}
	return newKey(d, &Options{Key: o.Key})
}
