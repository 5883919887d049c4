package tlsconfig_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// peerConfigs returns a server that verifies clients as auth says, and a client with a certificate.
func peerConfigs(ca *tlsconfigtest.CA, auth tls.ClientAuthType, c tls.Certificate) (server, client *tls.Config) {
	server = &tls.Config{
		Certificates: []tls.Certificate{ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"server.example"}, Server: true})},
		ClientCAs:    ca.Pool(),
		ClientAuth:   auth,
	}
	client = &tls.Config{
		ServerName:           "server.example",
		RootCAs:              ca.Pool(),
		ClientSessionCache:   tls.NewLRUClientSessionCache(0),
		GetClientCertificate: tlsconfigtest.Bad{Certificate: c}.Present,
	}
	return server, client
}

// peerConnect returns the server's and the client's view of a connection, after a byte each way, so that tickets arrived.
func peerConnect(t *testing.T, server, client *tls.Config) (ofServer, ofClient tls.ConnectionState) {
	t.Helper()
	s, c, serverErr, clientErr := tlsconfigtest.Pipe(t, server, client)
	require.NoError(t, serverErr)
	require.NoError(t, clientErr)
	_, err := s.Write([]byte{1})
	require.NoError(t, err)
	_, err = c.Read(make([]byte, 1))
	require.NoError(t, err)
	return s.ConnectionState(), c.ConnectionState()
}

func TestPeer(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	certificate := ca.Issue(&tlsconfigtest.Leaf{
		DNS:    []string{"Client.Example", "*.client.example"},
		URI:    []string{"spiffe://example.org/client"},
		IP:     []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
		Client: true,
	})
	want := tlsconfig.PeerID{
		DNS:      []string{"client.example", "*.client.example"},
		SPIFFE:   "spiffe://example.org/client",
		IP:       []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
		SPKI:     matchPin(certificate.Leaf),
		Serial:   fmt.Sprintf("%x", certificate.Leaf.SerialNumber),
		NotAfter: certificate.Leaf.NotAfter,
	}

	t.Run("verified, and resumed", func(t *testing.T) {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			server, client := peerConfigs(ca, tls.RequireAndVerifyClientCert, certificate)
			server.MaxVersion = version
			for _, resumed := range []bool{false, true} {
				ofServer, ofClient := peerConnect(t, server, client)
				require.Equal(t, resumed, ofServer.DidResume)
				id, ok := tlsconfig.Peer(&ofServer)
				require.True(t, ok)
				require.Equal(t, want, id)
				require.Equal(t, "spiffe", tlsconfig.MatchPeerClass(&ofServer))

				id, ok = tlsconfig.Peer(&ofClient)
				require.True(t, ok)
				require.Equal(t, []string{"server.example"}, id.DNS)
				require.Empty(t, id.SPIFFE)
				require.Equal(t, "dns", tlsconfig.MatchPeerClass(&ofClient))
			}
		}
	})
	t.Run("shown and not verified", func(t *testing.T) {
		server, client := peerConfigs(ca, tls.RequireAnyClientCert, certificate)
		state, _ := peerConnect(t, server, client)
		require.NotEmpty(t, state.PeerCertificates)
		id, ok := tlsconfig.Peer(&state)
		require.False(t, ok)
		require.Zero(t, id)
		require.Equal(t, "none", tlsconfig.MatchPeerClass(&state))
	})
	t.Run("none shown", func(t *testing.T) {
		server, client := peerConfigs(ca, tls.VerifyClientCertIfGiven, tls.Certificate{})
		state, _ := peerConnect(t, server, client)
		_, ok := tlsconfig.Peer(&state)
		require.False(t, ok)
	})
	t.Run("nothing at all", func(t *testing.T) {
		for _, state := range []*tls.ConnectionState{nil, {}, {VerifiedChains: [][]*x509.Certificate{{}}}} {
			_, ok := tlsconfig.Peer(state)
			require.False(t, ok)
		}
	})
	t.Run("copies", func(t *testing.T) {
		state := &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{certificate.Leaf}}}
		id, _ := tlsconfig.Peer(state)
		id.DNS[0], id.IP[0] = "evil.test", netip.Addr{}
		again, _ := tlsconfig.Peer(state)
		require.Equal(t, want, again)
	})
}

func TestPeerNames(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	tests := []struct {
		name  string
		leaf  tlsconfigtest.Leaf
		class string
	}{
		{"SPIFFE before the others", tlsconfigtest.Leaf{URI: []string{"spiffe://a/b"}, DNS: []string{"a.example"}, IP: []netip.Addr{netip.IPv6Loopback()}}, "spiffe"},
		{"two URIs are no ID", tlsconfigtest.Leaf{URI: []string{"spiffe://a/b", "urn:x"}, DNS: []string{"a.example"}}, "dns"},
		{"an ID that is wrong", tlsconfigtest.Leaf{URI: []string{"spiffe://a/b/"}, IP: []netip.Addr{netip.IPv6Loopback()}}, "ip"},
		{"DNS before addresses", tlsconfigtest.Leaf{DNS: []string{"a.example"}, IP: []netip.Addr{netip.IPv6Loopback()}}, "dns"},
		{"an address", tlsconfigtest.Leaf{IP: []netip.Addr{netip.IPv6Loopback()}}, "ip"},
		{"a common name is no name", tlsconfigtest.Leaf{CommonName: "a.example"}, "other"},
		{"no name", tlsconfigtest.Leaf{}, "other"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			state := &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{ca.Issue(&test.leaf).Leaf, ca.Certificate()}}}
			require.Equal(t, test.class, tlsconfig.MatchPeerClass(state))
		})
	}
	t.Run("names that are none are left out", func(t *testing.T) {
		leaf := ca.Issue(nil).Leaf
		leaf.DNSNames = []string{"a b", "a.example\n", "a.example.", "ok.example"}
		id, _ := tlsconfig.Peer(&tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{leaf}}})
		require.Equal(t, []string{"ok.example"}, id.DNS)
	})
}

func ExamplePeer() {
	var t testing.T // that of your test
	ca := tlsconfigtest.NewCA(&t, nil)
	server := &tls.Config{
		Certificates: []tls.Certificate{ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"server.example"}})},
		ClientCAs:    ca.Pool(),
		ClientAuth:   tls.RequireAndVerifyClientCert,
	}
	client := &tls.Config{
		Certificates: []tls.Certificate{ca.Issue(&tlsconfigtest.Leaf{URI: []string{"spiffe://example.org/worker"}})},
		RootCAs:      ca.Pool(),
		ServerName:   "server.example",
	}
	conn, _, _, _ := tlsconfigtest.Pipe(&t, server, client)

	state := conn.ConnectionState() // in a handler: *request.TLS
	peer, ok := tlsconfig.Peer(&state)
	fmt.Println(peer.SPIFFE, time.Now().Before(peer.NotAfter), ok)
	// Output: spiffe://example.org/worker true true
}
