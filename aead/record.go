package aead

import "github.com/holdfast-go/holdfast/internal/record"

// Overhead is what Seal adds to a plaintext: a 24-byte nonce and a 16-byte tag.
const Overhead = record.Overhead

// Seal encrypts plaintext, authenticates it and additionalData, appends the
// result to dst and returns the extended slice: XAES-256-GCM, 40 bytes longer
// than plaintext. It allocates nothing when dst has that much room. dst may
// overlap plaintext: Seal(plaintext[:0], plaintext, ad) works in place.
//
// Records that one process seals close together share the first 12 bytes of
// their nonces. Seal panics beyond GCM's own limit of 64 GiB.
// FORMAT.md section 2 has bytes and bounds.
func (k *Key) Seal(dst, plaintext, additionalData []byte) []byte {
	return k.made().Seal(dst, plaintext, additionalData)
}

// Open authenticates sealed and additionalData, appends the plaintext to dst
// and returns the extended slice. It fails with [ErrOpen] and then leaves no plaintext
// in dst's spare capacity. It allocates nothing when dst has room and the record's subkey is
// cached, as it is from the third record with that prefix on; else twice, 1.3 KiB. dst may overlap sealed:
// Open(sealed[:0], sealed, ad) works in place and destroys sealed.
func (k *Key) Open(dst, sealed, additionalData []byte) ([]byte, error) {
	return k.made().Open(dst, sealed, additionalData)
}
