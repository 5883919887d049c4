package hpke

import (
	"bytes"
	"context"
	"crypto/hpke"
	"fmt"
	"sync"

	"github.com/holdfast-go/holdfast/kms"
)

// driver is the kms.Driver over one key pair, or the public half of one.
type driver struct {
	pub *PublicKey

	mu     sync.RWMutex // held for writing by Close, which so waits for calls in flight
	closed bool
	priv   *PrivateKey // nil in a recipient and after Close
}

func (d *driver) Ref() kms.Ref { return kms.Ref{Provider: Provider, KeyID: d.pub.id} }

// WrapOnly implements [kms.WrapOnly].
func (d *driver) WrapOnly() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.priv == nil
}

func (d *driver) Wrap(ctx context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error) {
	if err := ctx.Err(); err != nil {
		return kms.Wrapped{}, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return kms.Wrapped{}, kms.ErrClosed
	}
	if n := len(plaintext); n == 0 || n > kms.MaxPlaintext {
		return kms.Wrapped{}, fmt.Errorf("%w: plaintext must be 1 to %d bytes, not %d", kms.ErrInvalid, kms.MaxPlaintext, n)
	}
	ad, err := ec.Canonical()
	if err != nil {
		return kms.Wrapped{}, err
	}
	enc, sender, err := d.pub.suite.sender(d.pub.key)
	var sealed []byte
	if err == nil {
		sealed, err = sender.Seal(ad, plaintext)
	}
	if err != nil {
		return kms.Wrapped{}, fmt.Errorf("%w: %w", kms.ErrUnsupported, err) // it worked when the key was made
	}
	blob := bytes.Join([][]byte{d.pub.suite.header(), enc, sealed}, nil)
	return kms.Wrapped{Ref: d.Ref(), Blob: blob}, nil
}

func (d *driver) Unwrap(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	switch {
	case d.closed:
		return nil, kms.ErrClosed
	case w.Ref != d.Ref():
		return nil, fmt.Errorf("%w: it was wrapped under another", kms.ErrNotFound)
	case w.Version != "":
		return nil, fmt.Errorf("%w: no version %.20q: key pairs have none", kms.ErrNotFound, w.Version)
	case d.priv == nil:
		return nil, fmt.Errorf("%w: no private key: this is a recipient, which can only wrap", kms.ErrInvalid)
	}
	ad, err := ec.Canonical()
	if err != nil {
		return nil, err
	}
	s := d.pub.suite
	body, ok := bytes.CutPrefix(w.Blob, s.header())
	if n := len(body) - s.encSize - tagSize; !ok || n < 1 || n > kms.MaxPlaintext {
		return nil, kms.ErrCiphertext
	}
	recipient, err := hpke.NewRecipient(body[:s.encSize], d.priv.secret().key, s.kdf, hpke.AES256GCM(), []byte(info))
	if err != nil {
		if err := s.try(d.pub.key); err != nil {
			return nil, err // not the blob's fault
		}
		return nil, kms.ErrCiphertext
	}
	plaintext, err := recipient.Open(ad, body[s.encSize:])
	if err != nil {
		return nil, kms.ErrCiphertext
	}
	return plaintext, nil
}

// Close waits for calls in flight and drops the private key.
func (d *driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed, d.priv = true, nil
	return nil
}
