package tlsconfig_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// revocationFile writes lists to a file.
func revocationFile(t testing.TB, lists ...[]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "crl.pem")
	revocationWrite(t, path, lists...)
	return path
}

func revocationWrite(t testing.TB, path string, lists ...[]byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".new", bytes.Join(lists, nil), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

// revocationHold holds the lists of one file until the test ends.
func revocationHold(t testing.TB, lists ...[]byte) tlsconfig.MatchRevoked {
	t.Helper()
	v, err := tlsconfig.MatchHoldRevocation(t.Context(), tlsconfig.CRLFiles(revocationFile(t, lists...)), func(tlsconfig.Event) {})
	require.NoError(t, err)
	return v
}

// revocationChain returns the only chain of a leaf that cas, leaf's issuer first, signed.
func revocationChain(leaf *x509.Certificate, cas ...*tlsconfigtest.CA) [][]*x509.Certificate {
	chain := []*x509.Certificate{leaf}
	for _, ca := range cas {
		chain = append(chain, ca.Certificate())
	}
	return [][]*x509.Certificate{chain}
}

func TestRevocationCheck(t *testing.T) {
	root := tlsconfigtest.NewCA(t, nil)
	middle := root.Intermediate(nil)
	good, bad := middle.Issue(nil).Leaf, middle.Issue(nil).Leaf
	ofRoot, ofMiddle := root.CRL(nil), middle.CRL(nil) // nothing revoked
	middle.Revoke(bad)
	ofMiddleRevoked := middle.CRL(nil)
	root.Revoke(middle.Certificate())
	ofRootRevoked := root.CRL(nil)

	namesake := tlsconfigtest.NewCA(t, &tlsconfigtest.CAOptions{Name: middle.Certificate().Subject.CommonName})
	namesake.Revoke(good)
	now := time.Now()
	at := func(begin, end time.Duration) []byte {
		return middle.CRL(&tlsconfigtest.CRLOptions{ThisUpdate: now.Add(begin), NextUpdate: now.Add(end)})
	}

	tests := []struct {
		name  string
		lists [][]byte
		leaf  *x509.Certificate
		want  tlsconfig.Reason
	}{
		{"nothing revoked", [][]byte{ofRoot, ofMiddle}, good, tlsconfig.Allowed},
		{"another revoked", [][]byte{ofRoot, ofMiddleRevoked}, good, tlsconfig.Allowed},
		{"leaf revoked", [][]byte{ofRoot, ofMiddleRevoked}, bad, tlsconfig.ReasonRevoked},
		{"intermediate revoked", [][]byte{ofRootRevoked, ofMiddle}, good, tlsconfig.ReasonRevoked},
		{"revoked, and no list above", [][]byte{ofMiddleRevoked}, bad, tlsconfig.ReasonRevoked},
		{"intermediate revoked, and no list of it", [][]byte{ofRootRevoked}, good, tlsconfig.ReasonRevoked},
		{"no list of the intermediate", [][]byte{ofRoot}, good, tlsconfig.ReasonRevocation},
		{"no list of the root", [][]byte{ofMiddle}, good, tlsconfig.ReasonRevocation},
		{"a list by another CA of the same name", [][]byte{ofRoot, namesake.CRL(nil)}, good, tlsconfig.ReasonRevocation},
		{"that and the right one", [][]byte{ofRoot, namesake.CRL(nil), ofMiddle}, good, tlsconfig.Allowed},
		{"ended", [][]byte{ofRoot, at(-2*time.Hour, -6*time.Minute)}, good, tlsconfig.ReasonRevocation},
		{"ended a moment ago", [][]byte{ofRoot, at(-2*time.Hour, -4*time.Minute)}, good, tlsconfig.Allowed},
		{"from the future", [][]byte{ofRoot, at(6*time.Minute, time.Hour)}, good, tlsconfig.ReasonRevocation},
		{"from the near future", [][]byte{ofRoot, at(4*time.Minute, time.Hour)}, good, tlsconfig.Allowed},
		{"ended, and revoked by it", [][]byte{ofRoot, at(-2*time.Hour, -time.Hour)}, bad, tlsconfig.ReasonRevoked},
		{"an older list without it, and a newer with it", [][]byte{ofRoot, ofMiddle, ofMiddleRevoked}, bad, tlsconfig.ReasonRevoked},
		{"in the other order", [][]byte{ofRoot, ofMiddleRevoked, ofMiddle}, bad, tlsconfig.ReasonRevoked},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := revocationHold(t, test.lists...)
			for range 2 { // the second time what was verified is remembered
				err := v.Check(revocationChain(test.leaf, middle, root), now)
				require.Equal(t, test.want, tlsconfig.ReasonOf(err))
				require.Equal(t, test.want != tlsconfig.Allowed, err != nil)
			}
		})
	}

	t.Run("what was verified for one issuer is not for its namesake", func(t *testing.T) {
		v := revocationHold(t, ofRoot, ofMiddle)
		require.NoError(t, v.Check(revocationChain(good, middle, root), now))
		err := v.Check(revocationChain(good, namesake, root), now)
		require.Equal(t, tlsconfig.ReasonRevocation, tlsconfig.ReasonOf(err))
		require.NoError(t, v.Check(revocationChain(good, middle, root), now))
	})
	t.Run("no chain", func(t *testing.T) {
		v := revocationHold(t, ofRoot, ofMiddle)
		for _, chains := range [][][]*x509.Certificate{nil, {}, {nil}, {{}}} {
			require.Equal(t, tlsconfig.ReasonRevocation, tlsconfig.ReasonOf(v.Check(chains, now)))
		}
	})
	t.Run("a broken signature", func(t *testing.T) {
		block, _ := pem.Decode(ofMiddle)
		block.Bytes[len(block.Bytes)-1] ^= 1
		v := revocationHold(t, ofRoot, pem.EncodeToMemory(block))
		require.Equal(t, tlsconfig.ReasonRevocation, tlsconfig.ReasonOf(v.Check(revocationChain(good, middle, root), now)))
	})
}

func TestRevocationCrossSigned(t *testing.T) {
	old := tlsconfigtest.NewCA(t, &tlsconfigtest.CAOptions{Name: "Old root"})
	young := tlsconfigtest.NewCA(t, &tlsconfigtest.CAOptions{Name: "Young root"})
	middle := old.Intermediate(nil)
	crossed := young.CrossSign(middle)
	leaf := middle.Issue(nil).Leaf

	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(old.Certificate())
	roots.AddCert(young.Certificate())
	intermediates.AddCert(middle.Certificate())
	intermediates.AddCert(crossed.Certificate())
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates})
	require.NoError(t, err)
	require.Len(t, chains, 2)

	none := [][]byte{old.CRL(nil), young.CRL(nil), middle.CRL(nil)}
	old.Revoke(middle.Certificate())
	oldRevoked := old.CRL(nil)
	young.Revoke(crossed.Certificate())
	youngRevoked := young.CRL(nil)
	middle.Revoke(leaf)
	leafRevoked := middle.CRL(nil)
	tests := []struct {
		name  string
		lists [][]byte
		want  tlsconfig.Reason
	}{
		{"both chains good", none, tlsconfig.Allowed},
		{"one chain revoked", [][]byte{oldRevoked, none[1], none[2]}, tlsconfig.Allowed},
		{"the other revoked", [][]byte{none[0], youngRevoked, none[2]}, tlsconfig.Allowed},
		{"one chain without a list", [][]byte{none[0], none[2]}, tlsconfig.Allowed},
		{"both revoked", [][]byte{oldRevoked, youngRevoked, none[2]}, tlsconfig.ReasonRevoked},
		{"one revoked, the other without a list", [][]byte{oldRevoked, none[2]}, tlsconfig.ReasonRevoked},
		{"the leaf revoked", [][]byte{none[0], none[1], leafRevoked}, tlsconfig.ReasonRevoked},
		{"both without a list", [][]byte{none[2]}, tlsconfig.ReasonRevocation},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, tlsconfig.ReasonOf(revocationHold(t, test.lists...).Check(chains, time.Now())))
		})
	}
}

// A CA that has the key of another under another name does not speak for it.
func TestRevocationOtherName(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ca := func(name string) *x509.Certificate {
		template := &x509.Certificate{
			Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		require.NoError(t, err)
		cert, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		return cert
	}
	a, b := ca("A"), ca("B")
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}, a, key)
	require.NoError(t, err)
	v := revocationHold(t, der)
	leaf := tlsconfigtest.NewCA(t, nil).Issue(nil).Leaf
	require.NoError(t, v.Check([][]*x509.Certificate{{leaf, a}}, time.Now()))
	require.Equal(t, tlsconfig.ReasonRevocation, tlsconfig.ReasonOf(v.Check([][]*x509.Certificate{{leaf, b}}, time.Now())))
}

func TestRevocationDigest(t *testing.T) {
	ca, other := tlsconfigtest.NewCA(t, nil), tlsconfigtest.NewCA(t, &tlsconfigtest.CAOptions{Name: "Other CA"})
	a, b := ca.CRL(nil), other.CRL(nil)
	digest := revocationHold(t, a, b).Digest()
	require.Equal(t, digest, revocationHold(t, b, a, b).Digest(), "the order of lists says nothing")
	require.Equal(t, digest, revocationHold(t, ca.CRL(nil), b).Digest(), "a new list that says the same")
	require.NotEqual(t, digest, revocationHold(t, a).Digest(), "a list fewer")
	ca.Revoke(ca.Issue(nil).Leaf)
	one := revocationHold(t, ca.CRL(nil), b).Digest()
	require.NotEqual(t, digest, one)
	ca.Revoke(ca.Issue(nil).Leaf)
	require.NotEqual(t, one, revocationHold(t, ca.CRL(nil), b).Digest())
}
