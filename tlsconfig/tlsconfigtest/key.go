package tlsconfigtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
)

// Key is a kind of key.
type Key string

// The kinds. RSA keys are slow to make.
const (
	KeyP256    Key = "" // the default
	KeyP224    Key = "ECDSA P-224"
	KeyP384    Key = "ECDSA P-384"
	KeyP521    Key = "ECDSA P-521"
	KeyEd25519 Key = "Ed25519"
	KeyRSA1024 Key = "RSA 1024" // too weak for anything; can't be made where FIPS mode is enforced
	KeyRSA2048 Key = "RSA 2048"
	KeyRSA3072 Key = "RSA 3072"
)

// make returns a new key.
func (k Key) make() (crypto.Signer, error) {
	switch k {
	case KeyP256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case KeyP224:
		return ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	case KeyP384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case KeyP521:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case KeyEd25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case KeyRSA1024:
		return rsa.GenerateKey(rand.Reader, 1024)
	case KeyRSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case KeyRSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	}
	return nil, fmt.Errorf("no such kind of key: %q", string(k))
}
