package hpke

import (
	"crypto/fips140"
	"crypto/hpke"
	"crypto/mlkem"
	"encoding/binary"
	"fmt"

	"github.com/holdfast-go/holdfast/kms"
)

// KEM says how a sender and a key pair come to a shared secret: the number that HPKE gives it.
// Both are hybrids of a post-quantum and a classical one, and as strong as the stronger half.
type KEM uint16

// The KEMs that are supported, and what else each is used with.
const (
	// MLKEM768X25519 is X-Wing, with HKDF-SHA256 and AES-256-GCM. It is the default.
	MLKEM768X25519 KEM = 0x647a
	// MLKEM1024P384 is for those who must have ML-KEM-1024 or a NIST curve, with HKDF-SHA384 and AES-256-GCM.
	MLKEM1024P384 KEM = 0x0051
)

// String returns the KEM's name.
func (k KEM) String() string {
	switch k {
	case MLKEM768X25519:
		return "MLKEM768-X25519"
	case MLKEM1024P384:
		return "MLKEM1024-P384"
	}
	return fmt.Sprintf("KEM(%#04x)", uint16(k))
}

const (
	info       = "holdfast/v1 hpke"
	headerSize = 6  // three numbers
	seedSize   = 32 // of every private key
	tagSize    = 16 // of AES-GCM
	p384Point  = 97 // uncompressed
	x25519Size = 32
)

// suite is a KEM and all that goes with it. Nothing is negotiated: a KEM has one suite.
type suite struct {
	kem        hpke.KEM
	kdf        hpke.KDF
	publicSize int // of a public key, in bytes
	encSize    int // of an encapsulated secret, in bytes
}

// suite fails with kms.ErrInvalid for an unknown KEM.
func (k KEM) suite() (suite, error) {
	switch k {
	case MLKEM768X25519:
		return suite{hpke.MLKEM768X25519(), hpke.HKDFSHA256(), mlkem.EncapsulationKeySize768 + x25519Size, mlkem.CiphertextSize768 + x25519Size}, nil
	case MLKEM1024P384:
		return suite{hpke.MLKEM1024P384(), hpke.HKDFSHA384(), mlkem.EncapsulationKeySize1024 + p384Point, mlkem.CiphertextSize1024 + p384Point}, nil
	}
	return suite{}, fmt.Errorf("%w: the KEM %#04x is not supported: use MLKEM768X25519 or MLKEM1024P384", kms.ErrInvalid, uint16(k))
}

// header returns what every blob of the suite starts with.
func (s suite) header() []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, headerSize), s.kem.ID())
	b = binary.BigEndian.AppendUint16(b, s.kdf.ID())
	return binary.BigEndian.AppendUint16(b, hpke.AES256GCM().ID())
}

// sender encapsulates a fresh secret to pub.
func (s suite) sender(pub hpke.PublicKey) (enc []byte, sender *hpke.Sender, err error) {
	return hpke.NewSender(pub, s.kdf, hpke.AES256GCM(), []byte(info))
}

// try seals to pub. Whether the FIPS module in force can do it is found out by nothing else, and a public
// key may be well-formed and yet share no secret.
func (s suite) try(pub hpke.PublicKey) error {
	_, _, err := s.sender(pub)
	if err == nil {
		return nil
	}
	var free error
	fips140.WithoutEnforcement(func() { _, _, free = s.sender(pub) })
	if free != nil {
		return fmt.Errorf("%w: nothing can be sealed to this public key", kms.ErrInvalid)
	}
	return fmt.Errorf("%w: the FIPS 140-3 module %s has no HPKE, and GODEBUG=fips140=only enforces it: build with GOFIPS140=v1.26.0 or newer (%w)",
		kms.ErrUnsupported, fips140.Version(), err)
}
