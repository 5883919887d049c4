package hpke

import (
	"bytes"
	"crypto/hpke"
	"fmt"
	"io"
	"log/slog"

	"github.com/holdfast-go/holdfast/kms"
)

// PrivateKey opens what is sealed to its public key. It prints, logs and marshals as the first
// digits of its id, never as its bytes, also from within other values. It does not change, and is safe for
// concurrent use. Take one from [GenerateKey], [ParsePrivateKey] or [OpenPrivateKey]; the zero PrivateKey panics when used.
//
// Go's crypto/hpke has no way to clear a private key: drop all references, and the garbage
// collector takes it in its time.
type PrivateKey struct {
	_   [0]func()      // not comparable: compare the public keys' ids
	get func() *secret // a closure: printers and dumpers that follow unexported pointers stop here
}

// secret is what a PrivateKey holds.
type secret struct {
	key  hpke.PrivateKey
	seed []byte // crypto/hpke's own: never write to it
	pub  *PublicKey
}

// GenerateKey returns a new key pair. 0 stands for [MLKEM768X25519]. It fails with [kms.ErrInvalid] for another number
// than those of the constants, and with [kms.ErrUnsupported] when the FIPS module in force has no HPKE.
func GenerateKey(k KEM) (*PrivateKey, error) {
	if k == 0 {
		k = MLKEM768X25519
	}
	key, err := generate(k)
	if err != nil {
		return nil, fmt.Errorf("kms/hpke: generate key: %w", err)
	}
	return key, nil
}

func generate(k KEM) (*PrivateKey, error) {
	s, err := k.suite()
	if err != nil {
		return nil, err
	}
	key, err := s.kem.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", kms.ErrUnsupported, err)
	}
	pub, err := newPublicKey(s, key.PublicKey())
	if err != nil {
		return nil, err
	}
	return newPrivateKey(key, pub)
}

// fromSeed returns the private key with a copy of seed. Its public half must be pub.
func fromSeed(seed []byte, pub *PublicKey) (*PrivateKey, error) {
	if len(seed) != seedSize {
		return nil, fmt.Errorf("%w: a private key is %d bytes, not %d", kms.ErrInvalid, seedSize, len(seed))
	}
	key, err := pub.suite.kem.NewPrivateKey(seed)
	if err != nil {
		return nil, fmt.Errorf("%w: the private key is damaged", kms.ErrInvalid)
	}
	if !bytes.Equal(key.PublicKey().Bytes(), pub.key.Bytes()) {
		return nil, fmt.Errorf("%w: the private key and the public key are not of one pair: restore the file from a backup", kms.ErrInvalid)
	}
	return newPrivateKey(key, pub)
}

func newPrivateKey(key hpke.PrivateKey, pub *PublicKey) (*PrivateKey, error) {
	seed, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", kms.ErrUnsupported, err)
	}
	s := &secret{key: key, seed: seed, pub: pub}
	return &PrivateKey{get: func() *secret { return s }}, nil
}

// Public returns the public half.
func (k *PrivateKey) Public() *PublicKey { return k.secret().pub }

// PEM returns the unsealed key as a file's text: whoever has it can open everything. Clear it when done. [WriteFile]
// writes it, [ParsePrivateKey] reads it.
func (k *PrivateKey) PEM() []byte {
	s := k.secret()
	body := append(s.pub.body(seedSize), s.seed...)
	defer clear(body)
	return encodeFile(privateType, body)
}

func (k *PrivateKey) secret() *secret {
	if k == nil || k.get == nil {
		panic("kms/hpke: zero PrivateKey: use GenerateKey, ParsePrivateKey or OpenPrivateKey")
	}
	return k.get()
}

// Format prints the key's short id for every verb.
func (k PrivateKey) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// String returns the key's short id: the first digits of that of its public half.
func (k PrivateKey) String() string {
	if k.get == nil {
		return "hpke.PrivateKey(zero)"
	}
	return "hpke.PrivateKey(" + k.get().pub.id[:8] + ")"
}

// LogValue returns the key's short id.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns the key's short id. Nothing reads it back.
func (k PrivateKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
