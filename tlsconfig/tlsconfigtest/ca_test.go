package tlsconfigtest_test

import (
	"bytes"
	"crypto/fips140"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
	"github.com/stretchr/testify/require"
)

func TestIssue(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	begin, end := time.Now().Add(-time.Minute).Truncate(time.Second), time.Now().Add(time.Minute).Truncate(time.Second)
	c := ca.Issue(&tlsconfigtest.Leaf{
		DNS: []string{"a.example"}, IP: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, URI: []string{"spiffe://a/b"},
		CommonName: "name", Client: true, NotBefore: begin, NotAfter: end,
	})
	require.Equal(t, []string{"a.example"}, c.Leaf.DNSNames)
	require.Equal(t, "192.0.2.1", c.Leaf.IPAddresses[0].String())
	require.Equal(t, "spiffe://a/b", c.Leaf.URIs[0].String())
	require.Equal(t, "name", c.Leaf.Subject.CommonName)
	require.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, c.Leaf.ExtKeyUsage)
	require.True(t, begin.Equal(c.Leaf.NotBefore) && end.Equal(c.Leaf.NotAfter))
	require.False(t, c.Leaf.IsCA)

	both := ca.Issue(nil)
	require.ElementsMatch(t, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}, both.Leaf.ExtKeyUsage)
	require.NotEqual(t, c.Leaf.SerialNumber, both.Leaf.SerialNumber)
	require.Equal(t, ca.Certificate().Raw, requirePEM(t, ca.PEM(), "CERTIFICATE"))
}

func requirePEM(t *testing.T, text []byte, kind string) []byte {
	t.Helper()
	block, rest := pem.Decode(text)
	require.NotNil(t, block)
	require.Equal(t, kind, block.Type)
	require.Empty(t, rest)
	return block.Bytes
}

func TestKeys(t *testing.T) {
	keys := []tlsconfigtest.Key{
		tlsconfigtest.KeyP256, tlsconfigtest.KeyP224, tlsconfigtest.KeyP384, tlsconfigtest.KeyP521,
		tlsconfigtest.KeyEd25519, tlsconfigtest.KeyRSA1024, tlsconfigtest.KeyRSA2048, tlsconfigtest.KeyRSA3072,
	}
	root := tlsconfigtest.NewCA(t, nil)
	for _, key := range keys {
		t.Run("key "+string(key), func(t *testing.T) {
			if key == tlsconfigtest.KeyRSA1024 && fips140.Enforced() {
				t.Skip("FIPS mode doesn't make RSA keys of 1024 bits")
			}
			ca := root.Intermediate(&tlsconfigtest.CAOptions{Key: key})
			c := ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"a.example"}, Key: key})
			require.Len(t, c.Certificate, 2)
			intermediates := x509.NewCertPool()
			intermediates.AddCert(ca.Certificate())
			_, err := c.Leaf.Verify(x509.VerifyOptions{Roots: root.Pool(), Intermediates: intermediates, DNSName: "a.example"})
			require.NoError(t, err)
			require.NoError(t, list(t, ca.CRL(nil)).CheckSignatureFrom(ca.Certificate()))
		})
	}
}

func TestChains(t *testing.T) {
	root, other := tlsconfigtest.NewCA(t, nil), tlsconfigtest.NewCA(t, &tlsconfigtest.CAOptions{Name: "Other"})
	middle := root.Intermediate(nil)
	low := middle.Intermediate(nil)
	client := &tls.Config{RootCAs: root.Pool(), ServerName: "a.example"}
	connect := func(c tls.Certificate) error {
		_, _, _, err := tlsconfigtest.Pipe(t, &tls.Config{Certificates: []tls.Certificate{c}}, client)
		return err
	}
	a := &tlsconfigtest.Leaf{DNS: []string{"a.example"}}
	require.NoError(t, connect(root.Issue(a)))
	require.NoError(t, connect(middle.Issue(a)))
	require.NoError(t, connect(low.Issue(a)))
	require.Len(t, low.Issue(a).Certificate, 3)
	require.Error(t, connect(low.Issue(&tlsconfigtest.Leaf{DNS: a.DNS, WithoutIntermediates: true})))
	require.Error(t, connect(other.Issue(a)))
	require.NoError(t, connect(root.CrossSign(other).Issue(a)))
	require.NoError(t, connect(root.CrossSign(other.Intermediate(nil)).Issue(a)))
}

// list parses a revocation list in PEM.
func list(t *testing.T, text []byte) *x509.RevocationList {
	t.Helper()
	l, err := x509.ParseRevocationList(requirePEM(t, text, "X509 CRL"))
	require.NoError(t, err)
	return l
}

func TestCRL(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	a, b := ca.Issue(nil).Leaf, ca.Issue(nil).Leaf
	first := list(t, ca.CRL(nil))
	require.Empty(t, first.RevokedCertificateEntries)
	ca.Revoke(a, b)
	end := time.Now().Add(-time.Hour).Truncate(time.Second)
	second := list(t, ca.CRL(&tlsconfigtest.CRLOptions{ThisUpdate: end.Add(-time.Hour), NextUpdate: end}))
	require.Len(t, second.RevokedCertificateEntries, 2)
	require.Equal(t, b.SerialNumber, second.RevokedCertificateEntries[1].SerialNumber)
	require.True(t, end.Equal(second.NextUpdate))
	require.Positive(t, second.Number.Cmp(first.Number))
}

func TestWritePair(t *testing.T) {
	root := tlsconfigtest.NewCA(t, nil)
	dir := t.TempDir()
	for _, ca := range []*tlsconfigtest.CA{root, root.Intermediate(nil)} { // the second replaces the first
		c := ca.Issue(nil)
		certFile, keyFile := tlsconfigtest.WritePair(t, dir, c)
		read, err := tls.LoadX509KeyPair(certFile, keyFile)
		require.NoError(t, err)
		require.Equal(t, c.Certificate, read.Certificate)
	}
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 2)
}

// Fatal ends the goroutine of a test: this one keeps what it says and ends likewise.
type failing struct {
	testing.TB
	said []string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, _ ...any) {
	f.said = append(f.said, format)
	panic(f)
}

func TestWhatCantBeMade(t *testing.T) {
	for name, do := range map[string]func(ca *tlsconfigtest.CA){
		"key":       func(ca *tlsconfigtest.CA) { ca.Issue(&tlsconfigtest.Leaf{Key: "none"}) },
		"URI":       func(ca *tlsconfigtest.CA) { ca.Issue(&tlsconfigtest.Leaf{URI: []string{"%"}}) },
		"signature": func(ca *tlsconfigtest.CA) { ca.Issue(&tlsconfigtest.Leaf{Signature: x509.MD5WithRSA}) },
		"CA key":    func(ca *tlsconfigtest.CA) { ca.Intermediate(&tlsconfigtest.CAOptions{Key: "none"}) },
		"CRL": func(ca *tlsconfigtest.CA) {
			ca.CRL(&tlsconfigtest.CRLOptions{NextUpdate: time.Now().Add(-2 * time.Hour)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := &failing{TB: t}
			ca := tlsconfigtest.NewCA(f, nil)
			require.Panics(t, func() { do(ca) })
			require.Len(t, f.said, 1)
			require.True(t, strings.HasPrefix(f.said[0], "tlsconfigtest: "))
		})
	}
	require.False(t, bytes.Contains(tlsconfigtest.NewCA(t, nil).PEM(), []byte("PRIVATE")))
}
