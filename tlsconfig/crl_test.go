package tlsconfig_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// revocationOdd returns a list in DER that only odd CAs make.
func revocationOdd(t testing.TB, change func(*x509.RevocationList)) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "Odd CA"}, KeyUsage: x509.KeyUsageCRLSign, SubjectKeyId: []byte{1}}
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}
	change(list)
	der, err := x509.CreateRevocationList(rand.Reader, list, issuer, key)
	require.NoError(t, err)
	return der
}

// revocationEndless returns a list in DER without the time of the next one, which crypto/x509 doesn't make. Its signature is wrong.
func revocationEndless(t testing.TB, der []byte) []byte {
	t.Helper()
	list, err := x509.ParseRevocationList(der)
	require.NoError(t, err)
	type tbs struct {
		Version    int
		Signature  pkix.AlgorithmIdentifier
		Issuer     asn1.RawValue
		ThisUpdate time.Time `asn1:"utc"`
	}
	algorithm := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}} // ecdsa-with-SHA256
	der, err = asn1.Marshal(struct {
		TBS       tbs
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{tbs{1, algorithm, asn1.RawValue{FullBytes: list.RawIssuer}, list.ThisUpdate}, algorithm, asn1.BitString{Bytes: list.Signature, BitLength: 8 * len(list.Signature)}})
	require.NoError(t, err)
	_, err = x509.ParseRevocationList(der)
	require.NoError(t, err, "it is a list")
	return der
}

func TestRevocationFiles(t *testing.T) {
	ca, other := tlsconfigtest.NewCA(t, nil), tlsconfigtest.NewCA(t, nil)
	text, otherText := ca.CRL(nil), other.CRL(nil)
	block, _ := pem.Decode(text)
	der := block.Bytes
	critical := []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 0}}}
	var sha1 []byte
	fips140.WithoutEnforcement(func() {
		sha1 = revocationOdd(t, func(l *x509.RevocationList) { l.SignatureAlgorithm = x509.ECDSAWithSHA1 })
	})
	tests := []struct {
		name  string
		file  []byte
		lists int // 0: an error
	}{
		{"DER", der, 1},
		{"PEM", text, 1},
		{"PEM of two", append(bytes.Clone(text), otherText...), 2},
		{"text around it", append([]byte("Revoked:\n"), append(bytes.Clone(text), "The end.\n"...)...), 1},
		{"an extension that isn't critical", revocationOdd(t, func(l *x509.RevocationList) {
			l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}}}
		}), 1},
		{"empty", nil, 0},
		{"text", []byte("no list\n"), 0},
		{"half a DER", der[:len(der)/2], 0},
		{"two DER", append(bytes.Clone(der), der...), 0},
		{"half a PEM", text[:len(text)/2], 0},
		{"a PEM and a half", append(bytes.Clone(text), text[:len(text)/2]...), 0},
		{"a half and a PEM", append(bytes.Clone(text[:len(text)/2]), text...), 0},
		{"a certificate", ca.PEM(), 0},
		{"a list and a certificate", append(bytes.Clone(text), ca.PEM()...), 0},
		{"PEM of garbage", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: []byte("garbage")}), 0},
		{"PEM of another kind", pem.EncodeToMemory(&pem.Block{Type: "X509 CRLS", Bytes: der}), 0},
		{"SHA-1", sha1, 0},
		{"no next update", revocationEndless(t, der), 0},
		{"a partial list", revocationOdd(t, func(l *x509.RevocationList) { l.ExtraExtensions = critical }), 0},
		{"an entry of another issuer", revocationOdd(t, func(l *x509.RevocationList) {
			l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: big.NewInt(1), RevocationTime: time.Now(), ExtraExtensions: critical}}
		}), 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			n, err := tlsconfig.MatchParseCRLs(test.file)
			require.Equal(t, test.lists, n)
			require.Equal(t, test.lists == 0, err != nil)
			_, err = tlsconfig.MatchHoldRevocation(t.Context(), tlsconfig.CRLFiles(revocationFile(t, text), revocationFile(t, test.file)), func(tlsconfig.Event) {})
			if test.lists == 0 {
				require.ErrorIs(t, err, tlsconfig.ErrInvalid, "also beside a good file")
			} else {
				require.NoError(t, err)
			}
		})
	}
	t.Run("no files", func(t *testing.T) {
		for _, r := range []tlsconfig.Revocation{tlsconfig.CRLFiles(), tlsconfig.CRLFiles(filepath.Join(t.TempDir(), "none"))} {
			_, err := tlsconfig.MatchHoldRevocation(t.Context(), r, func(tlsconfig.Event) {})
			require.ErrorIs(t, err, tlsconfig.ErrInvalid)
		}
	})
	t.Run("a context that has ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := tlsconfig.MatchHoldRevocation(ctx, tlsconfig.CRLFiles(revocationFile(t, text)), func(tlsconfig.Event) {})
		require.ErrorIs(t, err, context.Canceled)
	})
}

// FuzzCRL has no panic, and nothing that is taken may be without a list.
func FuzzCRL(f *testing.F) {
	ca := tlsconfigtest.NewCA(f, nil)
	f.Add(ca.CRL(nil))
	ca.Revoke(ca.Issue(nil).Leaf)
	text := ca.CRL(nil)
	block, _ := pem.Decode(text)
	f.Add(text)
	f.Add(block.Bytes)
	f.Add(append(bytes.Clone(text), text...))
	f.Add(ca.PEM())
	f.Add([]byte("-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n"))
	f.Add(revocationOdd(f, func(l *x509.RevocationList) {
		l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: big.NewInt(-1), RevocationTime: time.Now(), ReasonCode: 6}}
	}))
	f.Fuzz(func(t *testing.T, file []byte) {
		n, err := tlsconfig.MatchParseCRLs(file)
		require.Equal(t, err == nil, n > 0)
	})
}
