package envelope

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// receiptDomain begins what is signed, so that a signature of a receipt is never one of something else.
const receiptDomain = "holdfast/v1 receipt\x00"

// signed returns the bytes that a signature covers: the domain and the canonical form without the member signature.
func (r *Receipt) signed() []byte { return append([]byte(receiptDomain), r.canonical(nil)...) }

// sign has the receipt signed.
func (r *Receipt) sign(s crypto.Signer) error {
	pub, ok := s.Public().(ed25519.PublicKey)
	if !ok {
		return invalid("KeyringOptions.Signer has no Ed25519 key any more")
	}
	r.Signer = signerName(pub)
	signature, err := s.Sign(rand.Reader, r.signed(), crypto.Hash(0))
	if err != nil {
		return fmt.Errorf("%w: the Signer did not sign: %w", ErrUnavailable, err)
	}
	r.Signature = signature
	return r.verify(pub)
}

// signerName is what a receipt says of a public key.
func signerName(pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return hex.EncodeToString(sum[:])
}

// Verify tells whether the holder of the private key to pub signed exactly this. It fails with ErrOpen when not, also where there is no signature, and with kms.ErrInvalid when pub is no Ed25519 key.
func (r *Receipt) Verify(pub ed25519.PublicKey) error { return edgeErr(r.verify(pub)) }

func (r *Receipt) verify(pub ed25519.PublicKey) error {
	switch {
	case r == nil:
		return invalid("there is no receipt")
	case len(pub) != ed25519.PublicKeySize:
		return invalid("an Ed25519 public key has %d bytes, not %d", ed25519.PublicKeySize, len(pub))
	case len(r.Signature) == 0:
		return fmt.Errorf("%w: the receipt is not signed", ErrOpen)
	case r.Signer != signerName(pub):
		return fmt.Errorf("%w: the receipt names another signer's key", ErrOpen)
	case !ed25519.Verify(pub, r.signed(), r.Signature):
		return fmt.Errorf("%w: the signature is not one of this receipt", ErrOpen)
	}
	return nil
}
