package tlsconfig_test

import (
	"crypto/tls"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// TestBadServers: every bad server is refused for what is wrong with it, by name and by address, and good ones are not.
func TestBadServers(t *testing.T) {
	for _, host := range []string{servedHost, "127.0.0.1"} {
		t.Run(host, func(t *testing.T) {
			ca := tlsconfigtest.NewCA(t, nil)
			bad := tlsconfigtest.BadServers(ca, host)
			require.Greater(t, len(bad), 8)
			crl := t.TempDir() + "/crl.pem"
			middle, low := ca.Intermediate(nil), ca.Intermediate(nil).Intermediate(nil)
			writeFile(t, crl, slices.Concat(ca.CRL(nil), middle.CRL(nil)))
			newClient := func(lists tlsconfig.Revocation, seen tlsconfig.Observer) *tlsconfig.Client {
				client, err := tlsconfig.NewClient(t.Context(), tlsconfig.RootPEM(ca.PEM()), &tlsconfig.ClientOptions{Observer: seen, Revoked: lists})
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, client.Close()) })
				return client
			}
			client := newClient(nil, nil)
			for _, b := range bad {
				t.Run(b.Name, func(t *testing.T) {
					seen := &events{}
					watched := newClient(tlsconfig.CRLFiles(crl), seen)
					addr := echo(t, &tls.Config{Certificates: []tls.Certificate{b.Certificate}})
					_, err := shake(t, watched, addr, host)
					require.Error(t, err)
					require.Equal(t, b.Reason, tlsconfig.ReasonOf(err), err)
					require.Len(t, seen.of(tlsconfig.KindRefused), 1)
					if b.Reason == tlsconfig.ReasonRevoked {
						return // without lists nobody knows
					}
					_, err = hear(addr, client.Snapshot(host))
					require.Equal(t, b.Reason, tlsconfig.ReasonOf(err), err)
				})
			}
			for _, good := range []*tlsconfigtest.CA{ca, middle, low} {
				for _, key := range []tlsconfigtest.Key{tlsconfigtest.KeyP256, tlsconfigtest.KeyP384, tlsconfigtest.KeyRSA2048} {
					leaf := &tlsconfigtest.Leaf{DNS: []string{servedHost}, IP: addresses("127.0.0.1"), Server: true, Key: key}
					addr := echo(t, &tls.Config{Certificates: []tls.Certificate{good.Issue(leaf)}})
					mustHear(t, addr, client.Snapshot(host))
					if good != low { // whose lists are missing
						mustHear(t, addr, newClient(tlsconfig.CRLFiles(crl), nil).Snapshot(host))
					}
				}
			}
		})
	}
}

// TestBadClients: every bad client is refused for what is wrong with it, and good ones are not.
func TestBadClients(t *testing.T) {
	s := newServed(t)
	bad := tlsconfigtest.BadClients(s.ca, "client.example")
	require.Greater(t, len(bad), 8)
	crl := t.TempDir() + "/crl.pem"
	writeFile(t, crl, s.ca.CRL(nil))
	options := func(o tlsconfig.Observer) *tlsconfig.ServerOptions {
		return &tlsconfig.ServerOptions{Observer: o, Clients: &tlsconfig.Clients{
			Roots: s.roots(), Allow: tlsconfig.DNS("client.example"), Revoked: tlsconfig.CRLFiles(crl),
		}}
	}
	for _, b := range bad {
		t.Run(b.Name, func(t *testing.T) {
			seen := &events{}
			addr := serveHTTP(t, s.newServer(t, options(seen)), &http.Server{Handler: hostSays})
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				config := s.plain()
				config.Certificates, config.GetClientCertificate, config.MaxVersion = nil, b.Present, version
				_, err := hear(addr, config)
				require.Error(t, err)
			}
			require.Eventually(t, func() bool { return len(seen.of(tlsconfig.KindRefused)) == 2 }, 10*time.Second, time.Millisecond)
			for _, e := range seen.of(tlsconfig.KindRefused) {
				require.Equal(t, b.Reason, e.Reason)
			}
			require.Empty(t, seen.of(tlsconfig.KindHandshake))
		})
	}
	addr := echo(t, s.newServer(t, options(nil)).Config())
	for _, key := range []tlsconfigtest.Key{tlsconfigtest.KeyP256, tlsconfigtest.KeyP384, tlsconfigtest.KeyRSA2048} {
		config := s.plain()
		config.Certificates = []tls.Certificate{s.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"client.example"}, Client: true, Key: key})}
		mustHear(t, addr, config)
	}
}

// TestRevokedWhileServing: a list that comes while a server runs counts from then on, also for sessions from before.
func TestRevokedWhileServing(t *testing.T) {
	s := newServed(t)
	crl := t.TempDir() + "/crl.pem"
	writeFile(t, crl, s.ca.CRL(nil))
	server := s.newServer(t, &tlsconfig.ServerOptions{Clients: &tlsconfig.Clients{Roots: s.roots(), Allow: tlsconfig.AnyIdentity(), Revoked: tlsconfig.CRLFiles(crl)}})
	addr := echo(t, server.Config())
	theft := s.theft(t, addr)
	s.ca.Revoke(s.client.Leaf)
	writeFile(t, crl, s.ca.CRL(nil))
	requireRefusedSoon(t, addr, theft)
	requireNeverResumed(t, addr, theft, true)
}
