package tlsconfigtest

import (
	"crypto"
	"crypto/fips140"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"
	"time"
)

// CAOptions are the optional parts of a CA. nil is the same as the zero value.
type CAOptions struct {
	Name         string   // the common name; default "Test CA"
	Key          Key      // default ECDSA P-256
	PermittedDNS []string // name constraint: it may sign only for these domains and what is below them; default none
	NotBefore    time.Time
	NotAfter     time.Time // default an hour ago and in 48 hours
}

// CA is a throw-away certificate authority. It is not safe for concurrent use.
type CA struct {
	t       testing.TB
	cert    *x509.Certificate
	key     crypto.Signer
	parents []*x509.Certificate // intermediates between it and the root, nearest first, itself the first if it is one
	revoked []x509.RevocationListEntry
	lists   int64 // how many lists it has signed
}

// NewCA returns a root CA. t fails when something that it is asked for can't be made.
func NewCA(t testing.TB, o *CAOptions) *CA {
	t.Helper()
	return newCA(t, o, nil)
}

// Intermediate returns a CA below ca. What it issues comes with the intermediates.
func (ca *CA) Intermediate(o *CAOptions) *CA {
	ca.t.Helper()
	return newCA(ca.t, o, ca)
}

// CrossSign returns the CA other, its name and its key, as an intermediate of ca: what a CA does to be trusted by those who only know ca.
func (ca *CA) CrossSign(other *CA) *CA {
	ca.t.Helper()
	template := *other.cert
	template.SerialNumber, template.SignatureAlgorithm = nil, 0 // both are those of the new certificate
	cert := ca.sign(&template, other.key.Public())
	return &CA{t: ca.t, cert: cert, key: other.key, parents: append([]*x509.Certificate{cert}, ca.parents...)}
}

// newCA returns a CA below parent, or a root.
func newCA(t testing.TB, o *CAOptions, parent *CA) *CA {
	t.Helper()
	if o == nil {
		o = &CAOptions{}
	}
	key, err := o.Key.make()
	if err != nil {
		t.Fatalf("tlsconfigtest: make a key: %v", err)
	}
	name := o.Name
	if name == "" {
		name = "Test CA"
		if parent != nil {
			name = "Intermediate of " + parent.cert.Subject.CommonName
		}
	}
	template := &x509.Certificate{
		Subject:                     pkix.Name{CommonName: name},
		NotBefore:                   orTime(o.NotBefore, -time.Hour),
		NotAfter:                    orTime(o.NotAfter, 48*time.Hour),
		IsCA:                        true,
		BasicConstraintsValid:       true,
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		PermittedDNSDomains:         o.PermittedDNS,
		PermittedDNSDomainsCritical: len(o.PermittedDNS) > 0,
	}
	ca := &CA{t: t, key: key}
	if parent == nil {
		ca.cert = template
		ca.cert = ca.sign(template, key.Public())
		return ca
	}
	ca.cert = parent.sign(template, key.Public())
	ca.parents = append([]*x509.Certificate{ca.cert}, parent.parents...)
	return ca
}

// Certificate returns the certificate of the CA.
func (ca *CA) Certificate() *x509.Certificate { return ca.cert }

// PEM returns the certificate of the CA as a PEM file has it.
func (ca *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
}

// Pool returns a pool with the certificate of the CA alone.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

// sign returns a certificate that ca signs.
func (ca *CA) sign(template *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	ca.t.Helper()
	var der []byte
	var err error
	create := func() { der, err = x509.CreateCertificate(rand.Reader, template, ca.cert, public, ca.key) }
	if template.SignatureAlgorithm == x509.SHA1WithRSA || template.SignatureAlgorithm == x509.ECDSAWithSHA1 {
		fips140.WithoutEnforcement(create) // a bad certificate that a test asks for
	} else {
		create()
	}
	if err != nil {
		ca.t.Fatalf("tlsconfigtest: sign a certificate: %v", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		ca.t.Fatalf("tlsconfigtest: parse what was signed: %v", err)
	}
	return cert
}

// orTime returns at, or the time that is d from now.
func orTime(at time.Time, d time.Duration) time.Time {
	if at.IsZero() {
		return time.Now().Add(d)
	}
	return at
}
