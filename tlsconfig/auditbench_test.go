package tlsconfig_test

import (
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// BenchmarkAudit pairs an audit with one plain handshake of the same certificate, so that the ratio holds on a noisy machine.
func BenchmarkAudit(b *testing.B) {
	s := newServed(b)
	rsa := *s
	rsa.server = s.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, Key: tlsconfigtest.KeyRSA2048})
	for _, of := range []struct {
		key string
		*served
	}{{"P-256", s}, {"RSA-2048", &rsa}} {
		own := of.newServer(b, &tlsconfig.ServerOptions{Clients: s.clients()}).Config()
		client := of.newClient(b, &tlsconfig.ClientOptions{Identity: tlsconfig.Static(s.client)}).Snapshot(servedHost)
		plain := &tls.Config{Certificates: []tls.Certificate{of.server}}
		for _, audit := range []struct {
			of     string
			target tlsconfig.Target
		}{{"server", tlsconfig.ServerConfig("own", own)}, {"client", tlsconfig.ClientConfig("own", client)}, {"plain", tlsconfig.ServerConfig("plain", plain)}} {
			b.Run("audit="+audit.of+"/key="+of.key, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					_, err := tlsconfig.Audit(b.Context(), tlsconfig.Policy{}, audit.target)
					require.NoError(b, err)
				}
			})
		}
		b.Run("handshake=plain/key="+of.key, func(b *testing.B) {
			b.ReportAllocs()
			dial := &tls.Config{RootCAs: s.ca.Pool(), ServerName: servedHost}
			for b.Loop() {
				_, _, serverErr, clientErr := tlsconfigtest.Pipe(b, plain, dial)
				require.NoError(b, serverErr)
				require.NoError(b, clientErr)
			}
		})
	}
}
