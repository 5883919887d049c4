package tlsconfigtest_test

import (
	"crypto/fips140"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// requireBad checks what a plain config says of a bad certificate: it refuses it for the reason, or else what remains to be refused is truly there.
func requireBad(t *testing.T, ca *tlsconfigtest.CA, bad tlsconfigtest.Bad, err error) {
	t.Helper()
	switch bad.Reason {
	case tlsconfig.ReasonWeak:
		if fips140.Enabled() { // then crypto/tls itself refuses it
			require.Equal(t, bad.Reason, tlsconfig.ReasonOf(err), "%v", err)
		} else {
			require.NoError(t, err)
		}
		require.Equal(t, 1024, bad.Certificate.Leaf.PublicKey.(*rsa.PublicKey).N.BitLen())
	case tlsconfig.ReasonRevoked:
		require.NoError(t, err)
		var serials []string
		for _, entry := range list(t, ca.CRL(nil)).RevokedCertificateEntries {
			serials = append(serials, entry.SerialNumber.String())
		}
		require.Contains(t, serials, bad.Certificate.Leaf.SerialNumber.String())
	case tlsconfig.ReasonIdentity:
		require.NoError(t, err)
		require.NotContains(t, bad.Certificate.Leaf.DNSNames, "client.example")
	case tlsconfig.ReasonNoCertificate:
		require.Error(t, err)
		require.Empty(t, bad.Certificate.Certificate)
	default:
		require.Error(t, err)
		require.Equal(t, bad.Reason, tlsconfig.ReasonOf(err), "%v", err)
	}
}

// labSize is how many of n bad certificates there are in this mode.
func labSize(n int) int {
	if fips140.Enforced() {
		return n - 1 // no RSA 1024
	}
	return n
}

func TestBadServers(t *testing.T) {
	for _, host := range []string{"host.example", "127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			ca := tlsconfigtest.NewCA(t, nil)
			lab := tlsconfigtest.BadServers(ca, host)
			require.Len(t, lab, labSize(18))
			client := &tls.Config{ServerName: host, RootCAs: ca.Pool()}
			names := map[string]bool{}
			for _, bad := range lab {
				require.False(t, names[bad.Name], "names are unique")
				names[bad.Name] = true
				t.Run(bad.Name, func(t *testing.T) {
					_, _, serverErr, clientErr := tlsconfigtest.Pipe(t, &tls.Config{Certificates: []tls.Certificate{bad.Certificate}}, client)
					requireBad(t, ca, bad, clientErr)
					require.Equal(t, clientErr == nil, serverErr == nil)
				})
			}
		})
	}
}

func TestBadClients(t *testing.T) {
	for _, key := range []tlsconfigtest.Key{tlsconfigtest.KeyP256, tlsconfigtest.KeyRSA2048} {
		t.Run("CA "+string(key), func(t *testing.T) {
			ca := tlsconfigtest.NewCA(t, &tlsconfigtest.CAOptions{Key: key})
			lab := tlsconfigtest.BadClients(ca, "client.example")
			require.Len(t, lab, labSize(19))
			server := &tls.Config{
				Certificates: []tls.Certificate{ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"host.example"}})},
				ClientCAs:    ca.Pool(),
				ClientAuth:   tls.RequireAndVerifyClientCert,
			}
			for _, bad := range lab {
				t.Run(bad.Name, func(t *testing.T) {
					client := &tls.Config{ServerName: "host.example", RootCAs: ca.Pool(), GetClientCertificate: bad.Present}
					_, _, serverErr, clientErr := tlsconfigtest.Pipe(t, server, client)
					requireBad(t, ca, bad, serverErr)
					require.Equal(t, serverErr == nil, clientErr == nil, "the client learns of it: %v", clientErr)
				})
			}
		})
	}
}

func TestBadWithoutSHA1(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, &tlsconfigtest.CAOptions{Key: tlsconfigtest.KeyEd25519})
	require.Len(t, tlsconfigtest.BadServers(ca, "host.example"), labSize(17))
}

// A bad certificate is good but for one thing, or it would prove nothing: with its issue and time set right all that crypto/x509 refuses pass.
func TestGoodIsTaken(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	middle := ca.Intermediate(&tlsconfigtest.CAOptions{PermittedDNS: []string{"example"}})
	c := middle.Issue(&tlsconfigtest.Leaf{DNS: []string{"host.example"}})
	_, _, serverErr, clientErr := tlsconfigtest.Pipe(
		t,
		&tls.Config{Certificates: []tls.Certificate{c}, ClientCAs: ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert},
		&tls.Config{ServerName: "host.example", RootCAs: ca.Pool(), GetClientCertificate: tlsconfigtest.Bad{Certificate: c}.Present},
	)
	require.NoError(t, serverErr)
	require.NoError(t, clientErr)
}

func ExampleNewCA() {
	var t testing.T // that of your test
	ca := tlsconfigtest.NewCA(&t, nil)
	server := &tls.Config{Certificates: []tls.Certificate{ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"api.example"}})}}

	_, _, _, err := tlsconfigtest.Pipe(&t, server, &tls.Config{RootCAs: ca.Pool(), ServerName: "api.example"})
	fmt.Println("good:", err)
	_, _, _, err = tlsconfigtest.Pipe(&t, server, &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "api.example"})
	fmt.Println("without the CA:", tlsconfig.ReasonOf(err))
	// Output:
	// good: <nil>
	// without the CA: untrusted
}

func ExampleBadServers() {
	var t testing.T // that of your test
	ca := tlsconfigtest.NewCA(&t, nil)
	client := &tls.Config{RootCAs: ca.Pool(), ServerName: "api.example"} // of what you test
	for _, bad := range tlsconfigtest.BadServers(ca, "api.example") {
		server := &tls.Config{Certificates: []tls.Certificate{bad.Certificate}}
		if _, _, _, err := tlsconfigtest.Pipe(&t, server, client); err == nil && bad.Reason == tlsconfig.ReasonRevoked {
			fmt.Println("taken:", bad.Name) // crypto/tls alone looks at no revocation list
		}
	}
	// Output: taken: revoked
}
