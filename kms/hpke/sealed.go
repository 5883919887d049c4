package hpke

import (
	"context"
	"fmt"
	"slices"

	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/kms"
)

// Seal wraps the private key under another key and returns it as a file's text, which is no secret as long as
// that key is one. [WriteFile] writes it, [OpenPrivateKey] and [Opener] open it. It fails as [kms.Key.Wrap] does, and with
// [kms.ErrInvalid] when nothing but the private key itself could open what it returns.
func (k *PrivateKey) Seal(ctx context.Context, under *kms.Key) ([]byte, error) {
	text, err := k.secret().seal(ctx, under)
	if err != nil {
		return nil, fmt.Errorf("kms/hpke: seal private key: %w", err)
	}
	return text, nil
}

func (s *secret) seal(ctx context.Context, under *kms.Key) ([]byte, error) {
	if under == nil {
		return nil, fmt.Errorf("%w: the key to seal under is nil", kms.ErrInvalid)
	}
	w, err := under.Wrap(reserved.Allow(ctx), s.seed, sealContext(s.pub))
	if err != nil {
		return nil, err
	}
	list, err := w.Recipients()
	if err != nil {
		return nil, err
	}
	own := kms.Ref{Provider: Provider, KeyID: s.pub.id}
	if !slices.ContainsFunc(list, func(w kms.Wrapped) bool { return w.Ref != own }) {
		return nil, fmt.Errorf("%w: sealed under itself the private key could never be opened: give another key to seal under", kms.ErrInvalid)
	}
	body, err := w.AppendBinary(s.pub.body(0))
	if err != nil {
		return nil, err
	}
	return encodeFile(sealedType, body), nil
}

// OpenPrivateKey opens what [PrivateKey.Seal] returned, with the key that it was sealed under. It fails as [kms.Key.Unwrap]
// and [ParsePrivateKey] do.
func OpenPrivateKey(ctx context.Context, text []byte, under *kms.Key) (*PrivateKey, error) {
	pub, stored, err := decodeAs(sealedType, text)
	var key *PrivateKey
	if err == nil {
		key, err = unseal(ctx, stored, pub, under)
	}
	if err != nil {
		return nil, fmt.Errorf("kms/hpke: open private key: %w", err)
	}
	return key, nil
}

// unseal opens the Wrapped in stored.
func unseal(ctx context.Context, stored []byte, pub *PublicKey, under *kms.Key) (*PrivateKey, error) {
	if under == nil {
		return nil, fmt.Errorf("%w: the private key is sealed: give the key that it is sealed under (of Opener: Options.SealedUnder)", kms.ErrInvalid)
	}
	w, err := cutSealed(stored)
	if err != nil {
		return nil, err
	}
	seed, err := under.Unwrap(reserved.Allow(ctx), w, sealContext(pub))
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	return fromSeed(seed, pub)
}

// cutSealed reads the Wrapped that stored is.
func cutSealed(stored []byte) (kms.Wrapped, error) {
	w, rest, err := kms.ParseWrapped(stored)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%w: bytes after the sealed private key", kms.ErrInvalid)
	}
	return w, err
}

func sealContext(pub *PublicKey) kms.Context {
	return kms.Context{reserved.Prefix + "purpose": "hpke private key", reserved.Prefix + "key": pub.id}
}
