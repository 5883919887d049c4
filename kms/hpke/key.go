package hpke

import (
	"fmt"

	"github.com/holdfast-go/holdfast/kms"
)

// Provider is the name of this provider in a [kms.Ref].
const Provider = "hpke"

// Options are the settings of [NewRecipient], [NewIdentity] and [Opener]. nil and the zero value are the
// defaults.
type Options struct {
	// Key has the settings of the kms.Key. nil means its defaults.
	Key *kms.Options
	// SealedUnder is for [Opener]: the key that private key files are sealed under. nil means that only unsealed
	// ones open. It stays the caller's to close. The other constructors refuse it.
	SealedUnder *kms.Key
}

// NewRecipient returns a key that wraps to pub and has no way to unwrap: that, and so [kms.Key.Check], fails
// with [kms.ErrInvalid]. It fails with [kms.ErrInvalid] when an option is out of bounds, and with [kms.ErrUnsupported] when the
// FIPS module in force has no HPKE.
func NewRecipient(pub *PublicKey, o *Options) (*kms.Key, error) {
	if pub == nil || pub.key == nil {
		return nil, fmt.Errorf("kms/hpke: new recipient: %w: no public key: use ParsePublicKey or PrivateKey.Public", kms.ErrInvalid)
	}
	k, err := newKey(&driver{pub: pub}, o)
	if err != nil {
		return nil, fmt.Errorf("kms/hpke: new recipient: %w", err)
	}
	return k, nil
}

// NewIdentity returns a key that wraps to the public half of priv and unwraps with priv. It fails as [NewRecipient]
// does.
func NewIdentity(priv *PrivateKey, o *Options) (*kms.Key, error) {
	if priv == nil || priv.get == nil {
		return nil, fmt.Errorf("kms/hpke: new identity: %w: no private key: use GenerateKey, ParsePrivateKey or OpenPrivateKey", kms.ErrInvalid)
	}
	k, err := newKey(&driver{pub: priv.Public(), priv: priv}, o)
	if err != nil {
		return nil, fmt.Errorf("kms/hpke: new identity: %w", err)
	}
	return k, nil
}

func newKey(d *driver, o *Options) (*kms.Key, error) {
	if o == nil {
		o = &Options{}
	}
	if o.SealedUnder != nil {
		return nil, fmt.Errorf("%w: Options.SealedUnder is for Opener: leave it nil", kms.ErrInvalid)
	}
	if err := d.pub.suite.try(d.pub.key); err != nil {
		return nil, err
	}
	return kms.NewKey(d, o.Key)
}
