package tlsconfig_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// crafted is a certificate that tlsconfigtest does not make.
func crafted(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	issuer := &x509.Certificate{IsCA: true, BasicConstraintsValid: true}
	issuer.Subject.CommonName = "issuer"
	c := &x509.Certificate{DNSNames: []string{servedHost}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	change(c)
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, key.Public(), key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// shown are a server and a client with a certificate.
func (s *served) shown(cert tls.Certificate) []tlsconfig.Target {
	return s.bothWith(func(c *tls.Config) { c.Certificates = []tls.Certificate{cert} })
}

func TestTrap38Chain(t *testing.T) {
	s := newServed(t)
	middle := s.ca.Intermediate(nil)
	good := middle.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}})
	wrong := good
	wrong.Certificate = [][]byte{good.Certificate[0], s.ca.Certificate().Raw, good.Certificate[1]}
	trapped(t, 38, tlsconfig.SeverityViolation, s.shown(wrong)...)
	alone := crafted(t, func(c *x509.Certificate) { c.IssuingCertificateURL = []string{"http://ca.example/ca.crt"} })
	trapped(t, 38, tlsconfig.SeverityWarning, s.shown(alone)...)
	ownFree(t, 38)
	untrapped(t, 38, s.shown(good)...)
}

func TestTrap42Weak(t *testing.T) {
	s := newServed(t)
	weak := []tlsconfigtest.Leaf{{Key: tlsconfigtest.KeyP224}, {Signature: x509.ECDSAWithSHA1}, {Key: tlsconfigtest.KeyP521}}
	if !fips140.Enforced() {
		weak = append(weak, tlsconfigtest.Leaf{Key: tlsconfigtest.KeyRSA1024})
	}
	for _, leaf := range weak {
		leaf.DNS = []string{servedHost}
		trapped(t, 42, tlsconfig.SeverityViolation, s.shown(s.ca.Issue(&leaf))...)
	}
	long := s.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, NotAfter: time.Now().Add(10 * 24 * time.Hour)})
	trappedBy(t, tlsconfig.InternalMTLS(), 42, tlsconfig.SeverityViolation, s.shown(long)...)
	chosen := s.serverWith(func(c *tls.Config) { // seen in handshakes only
		c.Certificates = nil
		c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			cert := s.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, Signature: x509.ECDSAWithSHA1})
			return &cert, nil
		}
	})
	trapped(t, 42, tlsconfig.SeverityViolation, chosen)
	ownFree(t, 42)
}

func TestTrap43SharedKey(t *testing.T) {
	s := newServed(t)
	same := func(c *x509.Certificate) *x509.Certificate {
		again := *c
		again.SerialNumber = nil
		return &again
	}
	key := s.server.PrivateKey.(crypto.Signer)
	der, err := x509.CreateCertificate(rand.Reader, same(s.server.Leaf), s.server.Leaf, key.Public(), key)
	require.NoError(t, err)
	other := s.serverWith(func(c *tls.Config) { c.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}} })
	r := auditOf(t, s.ownServer(t), other)
	require.Contains(t, traps(r), 43)
	require.NotContains(t, traps(auditOf(t, s.ownServer(t), s.ownServer(t), s.ownClient(t))), 43, "one certificate in two places is one key")
}

// traps returns the numbers in a report.
func traps(r *tlsconfig.Report) (list []int) {
	for _, f := range r.Findings {
		list = append(list, f.Trap)
	}
	return list
}

func TestTrap44ManyNames(t *testing.T) {
	s := newServed(t)
	var many []string
	for i := range 51 {
		many = append(many, fmt.Sprintf("host%d.example", i))
	}
	for _, names := range [][]string{many, {"*.example.com"}} {
		trapped(t, 44, tlsconfig.SeverityWarning, s.shown(s.ca.Issue(&tlsconfigtest.Leaf{DNS: names}))...)
	}
	ownFree(t, 44)
}

func TestTrap45Usage(t *testing.T) {
	s := newServed(t)
	trapped(t, 45, tlsconfig.SeverityViolation,
		s.serverWith(func(c *tls.Config) { c.Certificates = []tls.Certificate{s.client} }),
		s.clientWith(func(c *tls.Config) { c.Certificates = []tls.Certificate{s.server} }))
	ownFree(t, 45)
}

func TestTrap51Clock(t *testing.T) {
	s := newServed(t)
	soon := s.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, NotBefore: time.Now().Add(time.Minute)})
	trapped(t, 51, tlsconfig.SeverityInfo, s.shown(soon)...)
	ownFree(t, 51)
}

func TestAuditValidity(t *testing.T) {
	s := newServed(t)
	for name, leaf := range map[string]tlsconfigtest.Leaf{
		"expired":       {NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)},
		"not yet valid": {NotBefore: time.Now().Add(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			leaf.DNS = []string{servedHost}
			target := s.serverWith(func(c *tls.Config) {
				s.mutual(c)
				c.Certificates, c.CurvePreferences = []tls.Certificate{s.ca.Issue(&leaf)}, []tls.CurveID{tls.X25519MLKEM768, tls.CurveP256} // nothing else is wrong that has no number
			})
			r := auditOf(t, target)
			require.Contains(t, traps(r), 0, "%s", r)
			require.Equal(t, "required", r.Facts[0].Clients, "the rest is seen all the same")
			require.NotEmpty(t, r.Facts[0].Resumes)
		})
	}
	nameless := auditOf(t, s.serverWith(func(c *tls.Config) {
		c.Certificates = []tls.Certificate{s.ca.Issue(&tlsconfigtest.Leaf{CommonName: servedHost})}
	}))
	require.Contains(t, violations(nameless), "the certificate names no host: no client takes it")
	require.NotEmpty(t, nameless.Facts[0].NotSeen)
}

// pickySigner is an RSA key that signs with PSS and SHA-384 alone, as keys in a KMS do.
type pickySigner struct{ *rsa.PrivateKey }

func (p pickySigner) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if _, pss := o.(*rsa.PSSOptions); !pss || o.HashFunc() != crypto.SHA384 {
		return nil, errors.New("not with this algorithm")
	}
	return p.PrivateKey.Sign(random, digest, o)
}

func TestTrap56OneAlgorithm(t *testing.T) {
	s := newServed(t)
	cert := s.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, Key: tlsconfigtest.KeyRSA2048})
	picky := pickySigner{cert.PrivateKey.(*rsa.PrivateKey)}
	cert.PrivateKey = picky
	trapped(t, 56, tlsconfig.SeverityViolation, s.serverWith(func(c *tls.Config) { c.Certificates = []tls.Certificate{cert} }))
	own, err := tlsconfig.NewServer(t.Context(), tlsconfig.Signer(cert.Certificate, picky, nil), nil)
	require.NoError(t, err)
	defer own.Close()
	ownFree(t, 56)
	untrapped(t, 56, tlsconfig.ServerConfig("own signer", own.Config()))
}
