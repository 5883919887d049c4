package tlsconfig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/netip"
	"time"
)

// The names that an audit uses where the target has none: nobody has them (RFC 6761 section 6.4, RFC 5737).
const (
	baitHost    = "audit.invalid"
	strangeHost = "stranger.invalid"
	baitAddress = "192.0.2.1"
)

// bait is a throw-away CA for one audit, which no target trusts by itself, and a key for all that it signs.
type bait struct {
	now    time.Time
	root   *x509.Certificate
	caKey  crypto.Signer
	key    crypto.Signer
	client tls.Certificate
}

func newBait(r rules, now time.Time) (*bait, error) {
	b := &bait{now: now}
	var err error
	if b.caKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	if b.key, err = baitKey(r); err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "Throw-away CA of an audit"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, b.caKey.Public(), b.caKey)
	if err != nil {
		return nil, err
	}
	if b.root, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	b.client, err = b.issue(baitHost, x509.ExtKeyUsageClientAuth, now.Add(time.Hour))
	return b, err
}

// baitKey returns a key that the rules allow in a leaf, of the kind that is made fastest.
func baitKey(r rules) (crypto.Signer, error) {
	switch {
	case r.keys&keyP256 != 0:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case r.keys&keyP384 != 0:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case r.keys&keyP521 != 0:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case r.keys&keyEd25519 != 0:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return rsa.GenerateKey(rand.Reader, r.rsaBits)
}

// issue returns a certificate for a DNS name or an address, valid for an hour before notAfter at least.
func (b *bait) issue(name string, usage x509.ExtKeyUsage, notAfter time.Time) (tls.Certificate, error) {
	template := &x509.Certificate{
		NotBefore: notAfter.Add(-2 * time.Hour), NotAfter: notAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage}, BasicConstraintsValid: true,
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		template.IPAddresses = []net.IP{addr.AsSlice()}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, b.root, b.key.Public(), b.caKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: b.key, Leaf: leaf}, err
}

// present is GetClientCertificate: what it has, whatever the server says that it trusts.
func (b *bait) present(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	c := b.client
	return &c, nil
}

// trusted returns a copy of a pool that trusts the CA besides. That of nil trusts it alone.
func (b *bait) trusted(pool *x509.CertPool) *x509.CertPool {
	if pool == nil {
		pool = x509.NewCertPool()
	} else {
		pool = pool.Clone()
	}
	pool.AddCert(b.root)
	return pool
}
