package envelope

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/internal/verify"
	"github.com/holdfast-go/holdfast/kms"
)

// dataKey is the key of a message. Who has one clears it.
type dataKey struct {
	key     [32]byte
	wrapped kms.Wrapped
}

func (d *dataKey) clear() { clear(d.key[:]) }

// body returns the key of the message's stream.
func (d *dataKey) body() *aead.Key {
	b := derive.Key(&d.key, "body")
	defer clear(b[:])
	k, err := aead.ParseKey(b[:])
	if err != nil {
		panic("envelope: internal error: " + err.Error()) // 32 bytes are a key
	}
	return k
}

var errZero = fmt.Errorf("%w: zero Sealer: use NewSealer", kms.ErrInvalid)

// newDataKey makes a data key and has it wrapped.
func newDataKey(ctx context.Context, k *kms.Key, ec kms.Context) (d dataKey, err error) {
	if k == nil {
		return dataKey{}, errZero
	}
	rand.Read(d.key[:]) // never fails
	if d.wrapped, err = wrap(ctx, k, &d.key, ec); err != nil {
		d.clear()
		return dataKey{}, err
	}
	return d, nil
}

func wrap(ctx context.Context, k *kms.Key, key *[32]byte, ec kms.Context) (kms.Wrapped, error) {
	w, err := k.Wrap(reserved.Allow(ctx), key[:], kmsContext(ec))
	if err != nil {
		return kms.Wrapped{}, fmt.Errorf("wrap data key: %w", err)
	}
	return w, nil
}

// openHeader unwraps the data key of the header at the front of b and checks the header with it.
func openHeader(ctx context.Context, k *kms.Key, b []byte, ec kms.Context) (*header, dataKey, error) {
	if k == nil {
		return nil, dataKey{}, errZero
	}
	want, err := canonical(ec)
	if err != nil {
		return nil, dataKey{}, err
	}
	h, err := parseHeader(b)
	if err != nil {
		return nil, dataKey{}, err
	}
	if !bytes.Equal(h.canonical, want) {
		return nil, dataKey{}, fmt.Errorf("%w: it belongs to another context", ErrOpen)
	}
	known := func(key []byte) bool { return len(key) == 32 && h.verify((*[32]byte)(key), b) == nil }
	key, err := k.Unwrap(verify.With(reserved.Allow(ctx), known), h.wrapped, kmsContext(ec))
	defer clear(key)
	switch {
	case errors.Is(err, kms.ErrCiphertext):
		return nil, dataKey{}, fmt.Errorf("%w: unwrap data key: %w", ErrOpen, err)
	case err != nil:
		return nil, dataKey{}, fmt.Errorf("unwrap data key: %w", err)
	case len(key) != len(dataKey{}.key):
		return nil, dataKey{}, fmt.Errorf("%w: the KMS unwrapped %d bytes, not 32", ErrOpen, len(key))
	}
	d := dataKey{key: [32]byte(key), wrapped: h.wrapped}
	if err := h.verify(&d.key, b); err != nil {
		d.clear()
		return nil, dataKey{}, err
	}
	return h, d, nil
}
