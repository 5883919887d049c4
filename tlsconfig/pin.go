package tlsconfig

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
)

// SPKI allows a peer whose certificate has one of the public keys. A pin is the SHA-256 of the SubjectPublicKeyInfo in standard base64 with padding, 44 characters, as PeerID.SPKI has it. The chain is verified as ever.
func SPKI(pins ...string) Match { return newListed("spki", pins, canonicalPin, allowsSPKI) }

// canonicalPin returns a pin.
func canonicalPin(pin string) (string, error) {
	digest, err := base64.StdEncoding.DecodeString(pin)
	if err != nil || len(digest) != sha256.Size || base64.StdEncoding.EncodeToString(digest) != pin { // decoding skips line ends and spare bits
		return "", errors.New("it is not the base64 of a SHA-256")
	}
	return pin, nil
}

// allowsSPKI returns an error unless the certificate has one of the keys.
func allowsSPKI(pins []string, leaf *x509.Certificate) error {
	if !contains(pins, pinOf(leaf)) {
		return errors.New("the public key of the certificate is not allowed")
	}
	return nil
}

// pinOf returns the pin of a certificate.
func pinOf(leaf *x509.Certificate) string {
	digest := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(digest[:])
}
