package awskmstest

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/holdfast-go/holdfast/aead"
)

// The layout of a blob, which clients must take as opaque:
//
//	format 1 || key id 36 || key material id 32 || padding 42 || record of package aead
//
// With the padding, which is random, the blob of a 32-byte plaintext takes 183 bytes, about what one of AWS does: assumed, from blobs that
// people published.
const (
	blobFormat  = 0xf1
	keyIDSize   = 36
	paddingSize = 42
	headerSize  = 1 + keyIDSize + 32 + paddingSize
)

// version is one key material of a key.
type version struct {
	id  string // 64 hex digits
	key *aead.Key
}

// blob is a parsed CiphertextBlob.
type blob struct {
	header     []byte
	keyID      string
	materialID string
	record     []byte
}

func parseBlob(b []byte) (blob, bool) {
	if len(b) < headerSize || b[0] != blobFormat {
		return blob{}, false
	}
	return blob{
		header:     b[:headerSize],
		keyID:      string(b[1 : 1+keyIDSize]),
		materialID: hex.EncodeToString(b[1+keyIDSize : headerSize-paddingSize]),
		record:     b[headerSize:],
	}, true
}

// seal makes a blob of plaintext under k's current material, bound to the context.
func (k *key) seal(plaintext []byte, context map[string]string) []byte {
	v := k.current()
	id, err := hex.DecodeString(v.id)
	if err != nil {
		panic(err) // made by randomHex
	}
	padding := make([]byte, paddingSize)
	rand.Read(padding)
	header := slices.Concat([]byte{blobFormat}, []byte(k.id), id, padding)
	return v.key.Seal(slices.Clip(header), plaintext, additionalData(header, context))
}

// open returns the plaintext of a blob of k and the id of the material that it was made with.
func (k *key) open(b blob, context map[string]string) (plaintext []byte, materialID string, err error) {
	for _, v := range k.versions {
		if v.id == b.materialID && b.keyID == k.id {
			plaintext, err = v.key.Open(nil, b.record, additionalData(b.header, context))
			if err == nil {
				return plaintext, v.id, nil
			}
		}
	}
	return nil, "", fail("InvalidCiphertextException", "")
}

// additionalData is the one byte form of header and context: pairs in order, every part after its length.
func additionalData(header []byte, context map[string]string) []byte {
	b := bytes.Clone(header)
	for _, name := range slices.Sorted(maps.Keys(context)) {
		for _, part := range []string{name, context[name]} {
			b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
			b = append(b, part...)
		}
	}
	return b
}
