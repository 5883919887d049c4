package tlsconfig

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ownSkew is how long before its start a certificate of our own is taken: clocks differ.
const ownSkew = 5 * time.Minute

// unusable returns an ErrCertificate that says why.
func unusable(format string, args ...any) error {
	return fmt.Errorf("tlsconfig: %w: %w", ErrCertificate, fmt.Errorf(format, args...))
}

// parsePair returns a chain, leaf first, and the key of the leaf, from PEM: the key in PKCS#8, PKCS#1 or SEC1. Errors have no prefix and nothing of the key.
func parsePair(chain, key []byte) (*tls.Certificate, error) {
	certs, _, err := pemBlocks(chain)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	if !slices.ContainsFunc(certs, func(b *pem.Block) bool { return b.Type == "CERTIFICATE" }) {
		return nil, errors.New("there is no certificate in PEM")
	}
	blocks, _, err := pemBlocks(key)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	keys := 0
	for _, b := range blocks {
		if !strings.HasSuffix(b.Type, "PRIVATE KEY") {
			continue
		}
		keys++
		if b.Type == "ENCRYPTED PRIVATE KEY" || b.Headers["DEK-Info"] != "" {
			return nil, errors.New("the key is encrypted with a password: decrypt it, or seal it and use SealedFiles")
		}
	}
	if keys != 1 {
		return nil, fmt.Errorf("there are %d private keys in PEM, not one", keys)
	}
	c, err := tls.X509KeyPair(chain, key)
	if err == nil && c.Leaf == nil { // so it is with GODEBUG=x509keypairleaf=0
		c.Leaf, err = x509.ParseCertificate(c.Certificate[0])
	}
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// usable returns a copy of c with Leaf set, if the key is that of the leaf, the leaf is valid at now and the chain is in order. Otherwise it returns ErrCertificate.
func usable(c *tls.Certificate, now time.Time) (*tls.Certificate, error) {
	chain, err := parseChain(c)
	if err != nil {
		return nil, err
	}
	leaf := chain[0]
	key, ok := c.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, unusable("the private key (%T) can't sign", c.PrivateKey)
	}
	if !samePublic(key.Public(), leaf.PublicKey) {
		return nil, unusable("the private key is not that of the first certificate")
	}
	for _, cert := range withoutRoot(chain) {
		if err := checkValidity(cert, now); err != nil {
			return nil, err
		}
	}
	for i := range chain[1:] {
		if err := chain[i].CheckSignatureFrom(chain[i+1]); err != nil {
			return nil, unusable("certificate %d of the chain is not signed by the next, which is the order they must have: %w", i+1, err)
		}
	}
	own := *c
	own.Leaf = leaf
	return &own, nil
}

// withoutRoot returns a chain without a root at its end, which peers leave alone.
func withoutRoot(chain []*x509.Certificate) []*x509.Certificate {
	if n := len(chain) - 1; n > 0 && bytes.Equal(chain[n].RawSubject, chain[n].RawIssuer) {
		return chain[:n]
	}
	return chain
}

// chainEnd returns when the first certificate of a chain of our own ends.
func chainEnd(c *tls.Certificate) time.Time {
	end := c.Leaf.NotAfter
	chain, _ := parseChain(c) // which was parsed before
	for _, cert := range withoutRoot(chain) {
		if cert.NotAfter.Before(end) {
			end = cert.NotAfter
		}
	}
	return end
}

// parseChain returns the certificates of c, leaf first and at least one, or ErrCertificate.
func parseChain(c *tls.Certificate) ([]*x509.Certificate, error) {
	if c == nil || len(c.Certificate) == 0 {
		return nil, unusable("there is none")
	}
	chain := make([]*x509.Certificate, len(c.Certificate))
	for i, der := range c.Certificate {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, unusable("certificate %d of the chain: %w", i+1, err)
		}
		chain[i] = cert
	}
	return chain, nil
}

// checkValidity returns ErrCertificate unless a certificate of our own is valid at now, with ownSkew before its start.
func checkValidity(leaf *x509.Certificate, now time.Time) error {
	switch {
	case now.After(leaf.NotAfter):
		return unusable("%w", x509.CertificateInvalidError{Cert: leaf, Reason: x509.Expired, Detail: "it ended at " + utc(leaf.NotAfter)})
	case now.Add(ownSkew).Before(leaf.NotBefore):
		return unusable("%w", x509.CertificateInvalidError{Cert: leaf, Reason: x509.Expired, Detail: "it is before its start at " + utc(leaf.NotBefore)})
	}
	return nil
}

// ownAs returns the check of certificates that we serve, or as a client show: their use and the policy.
func (p Policy) ownAs(server bool) func(*tls.Certificate) error {
	return func(c *tls.Certificate) error {
		chain, err := parseChain(c)
		if err != nil {
			return err
		}
		if err := checkRole(chain[0], server); err != nil {
			return err
		}
		return p.checkOwn(chain, time.Now())
	}
}

// checkRole returns ErrCertificate unless a leaf of our own may be used for the side that we are.
func checkRole(leaf *x509.Certificate, server bool) error {
	want := x509.ExtKeyUsageClientAuth
	if server {
		want = x509.ExtKeyUsageServerAuth
	}
	any := len(leaf.ExtKeyUsage) == 0 && len(leaf.UnknownExtKeyUsage) == 0
	if !any && !slices.Contains(leaf.ExtKeyUsage, want) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny) {
		return unusable("its extended key usage is not that of a server or client as this side is one: %w", x509.CertificateInvalidError{Cert: leaf, Reason: x509.IncompatibleUsage})
	}
	if leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return unusable("its key usage has no digital signature: %w", x509.CertificateInvalidError{Cert: leaf, Reason: x509.IncompatibleUsage})
	}
	return nil
}

// samePublic says whether two public keys are equal.
func samePublic(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(x crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

// utc writes a time for errors.
func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }
