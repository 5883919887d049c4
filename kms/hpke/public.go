package hpke

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/holdfast-go/holdfast/kms"
)

// PublicKey is what a recipient gives away. It is no secret, but whoever can replace it reads
// what is sealed from then on. It does not change, and is safe for concurrent use. Take one from
// [ParsePublicKey] or [PrivateKey.Public]; the zero PublicKey panics when used.
type PublicKey struct {
	_     [0]func() // not comparable: compare the ids
	suite suite
	key   hpke.PublicKey
	id    string
}

// newPublicKey fails with kms.ErrUnsupported where the FIPS module can't seal to key, and with kms.ErrInvalid when nothing can.
func newPublicKey(s suite, key hpke.PublicKey) (*PublicKey, error) {
	if err := s.try(key); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(key.Bytes())
	return &PublicKey{suite: s, key: key, id: hex.EncodeToString(sum[:])}, nil
}

// cutPublicKey reads u16 KEM and public key from the front of b.
func cutPublicKey(b []byte) (p *PublicKey, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, errCut
	}
	s, err := KEM(binary.BigEndian.Uint16(b)).suite()
	if err != nil {
		return nil, nil, err
	}
	if len(b) < 2+s.publicSize {
		return nil, nil, errCut
	}
	key, err := s.kem.NewPublicKey(bytes.Clone(b[2 : 2+s.publicSize]))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: the public key is damaged", kms.ErrInvalid)
	}
	p, err = newPublicKey(s, key)
	return p, b[2+s.publicSize:], err
}

// ID returns the SHA-256 of the key's bytes as 64 lower-case hex digits: the KeyID of its [kms.Ref].
func (p *PublicKey) ID() string { return p.checked().id }

// KEM returns the key's kind.
func (p *PublicKey) KEM() KEM { return KEM(p.checked().suite.kem.ID()) }

// PEM returns the file's text: see the package documentation. [ParsePublicKey] reads it.
func (p *PublicKey) PEM() []byte { return encodeFile(publicType, p.checked().body(0)) }

// String names the key.
func (p *PublicKey) String() string {
	return kms.Ref{Provider: Provider, KeyID: p.checked().id}.String()
}

// body returns u16 KEM and public key, with room for more bytes.
func (p *PublicKey) body(more int) []byte {
	b := make([]byte, 0, 2+p.suite.publicSize+more)
	return append(binary.BigEndian.AppendUint16(b, p.suite.kem.ID()), p.key.Bytes()...)
}

func (p *PublicKey) checked() *PublicKey {
	if p == nil || p.key == nil {
		panic("kms/hpke: zero PublicKey: use ParsePublicKey or PrivateKey.Public")
	}
	return p
}
