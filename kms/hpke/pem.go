package hpke

import (
	"bytes"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"slices"

	"github.com/holdfast-go/holdfast/kms"
)

// The types of PEM blocks. Go's crypto/x509 has no encoding for these keys.
const (
	publicType  = "HOLDFAST HPKE PUBLIC KEY"
	privateType = "HOLDFAST HPKE PRIVATE KEY"
	sealedType  = "HOLDFAST HPKE SEALED PRIVATE KEY"
)

// checkSize is the length of the check value at the end of a body, in bytes. It finds accidents, such as a bad copy or disk:
// most of what a flipped bit makes of a public key is a public key too, whose private half nobody has.
const checkSize = 8

// maxFile bounds a PEM file, in bytes: a sealed key holds a Wrapped, which may take 131 598, in base64.
const maxFile = 256 << 10

var errCut = fmt.Errorf("%w: the key is cut short", kms.ErrInvalid)

// ParsePublicKey reads what [PublicKey.PEM] returns. It fails with [kms.ErrInvalid] on anything else, white space
// around it excepted, and with [kms.ErrUnsupported] when the FIPS module in force has no HPKE.
func ParsePublicKey(text []byte) (*PublicKey, error) {
	pub, _, err := decodeAs(publicType, text)
	if err != nil {
		return nil, fmt.Errorf("kms/hpke: parse public key: %w", err)
	}
	return pub, nil
}

// ParsePrivateKey reads what [PrivateKey.PEM] returns, and fails as [ParsePublicKey] does; also when
// the two halves in the file are not of one pair.
func ParsePrivateKey(text []byte) (*PrivateKey, error) {
	pub, seed, err := decodeAs(privateType, text)
	defer clear(seed)
	var key *PrivateKey
	if err == nil {
		key, err = fromSeed(seed, pub)
	}
	if err != nil {
		return nil, fmt.Errorf("kms/hpke: parse private key: %w", err)
	}
	return key, nil
}

func decodeAs(want string, text []byte) (pub *PublicKey, rest []byte, err error) {
	kind, pub, rest, err := decode(text)
	if err == nil && kind != want {
		clear(rest)
		return nil, nil, fmt.Errorf("%w: the file holds a %s, not a %s", kms.ErrInvalid, kind, want)
	}
	return pub, rest, err
}

// decode reads a PEM file of any type. rest is what follows the public key: clear it when done.
func decode(text []byte) (kind string, pub *PublicKey, rest []byte, err error) {
	refuse := func() (string, *PublicKey, []byte, error) {
		return "", nil, nil, fmt.Errorf("%w: this is not one PEM block of a key of this package, or a damaged one", kms.ErrInvalid)
	}
	if len(text) > maxFile {
		return refuse()
	}
	given := bytes.TrimSpace(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))) // a copy
	defer clear(given)
	block, _ := pem.Decode(given)
	if block == nil {
		return refuse()
	}
	defer func() {
		if err != nil {
			clear(block.Bytes)
		}
	}()
	if block.Type != publicType && block.Type != privateType && block.Type != sealedType {
		return refuse()
	}
	// encoding/pem skips what it does not know: what it read must be all that there is.
	again := pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})
	defer clear(again)
	if !bytes.Equal(given, bytes.TrimSpace(again)) || len(block.Bytes) < checkSize {
		return refuse()
	}
	body, stored := block.Bytes[:len(block.Bytes)-checkSize], block.Bytes[len(block.Bytes)-checkSize:]
	if !bytes.Equal(stored, checkValue(body)) {
		return "", nil, nil, fmt.Errorf("%w: the key file is damaged: restore it from a backup", kms.ErrInvalid)
	}
	pub, rest, err = cutPublicKey(body)
	if err != nil {
		return "", nil, nil, err
	}
	if block.Type == publicType && len(rest) > 0 {
		return "", nil, nil, fmt.Errorf("%w: bytes after the public key", kms.ErrInvalid)
	}
	return block.Type, pub, rest, nil
}

// check returns what kind of file text is. It fails as decode does, and where the rest of the file can't give its private key.
func check(text []byte) (kind string, err error) {
	kind, pub, rest, err := decode(text)
	defer clear(rest)
	switch {
	case err != nil:
	case kind == privateType:
		_, err = fromSeed(rest, pub)
	case kind == sealedType:
		_, err = cutSealed(rest)
	}
	return kind, err
}

// encodeFile returns the text of a file that has body and its check value. It does not write to body.
func encodeFile(kind string, body []byte) []byte {
	whole := slices.Concat(body, checkValue(body))
	defer clear(whole)
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: whole})
}

func checkValue(body []byte) []byte {
	sum := sha256.Sum256(body)
	return sum[:checkSize]
}
