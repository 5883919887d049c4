package tlsconfig_test

import (
	"bufio"
	"context"
	"crypto/fips140"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// hostSays answers with the protocol of the request and the peer of the connection.
var hostSays = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	peer, ok := tlsconfig.Peer(r.TLS)
	fmt.Fprint(w, r.Proto, " ", ok, " ", peer.DNS)
})

// get asks for a URL through a client and returns status and body.
func get(t testing.TB, rt http.RoundTripper, url string) (int, string, error) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body), nil
}

// to is a http.Transport that connects to one address whatever the URL says.
func to(addr string) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}
}

// TestServe: mutual TLS, HTTP/2, and the defaults that it sets.
func TestServe(t *testing.T) {
	s := newServed(t)
	h := &http.Server{Handler: hostSays}
	addr := serveHTTP(t, s.newServer(t, &tlsconfig.ServerOptions{Clients: s.clients()}), h)
	rt, err := s.newClient(t, &tlsconfig.ClientOptions{Identity: tlsconfig.Static(s.client)}).Transport(to(addr))
	require.NoError(t, err)
	for range 3 {
		status, body, err := get(t, rt, "https://"+servedHost+"/")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "HTTP/2.0 true [client.example]", body)
	}
	require.Equal(t, 10*time.Second, h.ReadHeaderTimeout)
	require.Equal(t, 2*time.Minute, h.IdleTimeout)
	anonymous, err := s.newClient(t, nil).Transport(to(addr))
	require.NoError(t, err)
	_, _, err = get(t, anonymous, "https://"+servedHost+"/")
	require.Error(t, err)
}

// TestServeByAddress asks for an address: such clients name no host in the handshake.
func TestServeByAddress(t *testing.T) {
	s := newServed(t)
	addr := serveHTTP(t, s.newServer(t, nil), &http.Server{Handler: hostSays})
	rt, err := s.newClient(t, nil).Transport(nil)
	require.NoError(t, err)
	status, body, err := get(t, rt, "https://"+addr+"/")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "HTTP/2.0 false []", body)
}

// TestServeMisdirected: a request for another host than the handshake is for is answered 421.
func TestServeMisdirected(t *testing.T) {
	s := newServed(t)
	seen := &events{}
	addr := serveHTTP(t, s.newServer(t, &tlsconfig.ServerOptions{Observer: seen, Protocols: []string{"http/1.1"}}), &http.Server{Handler: hostSays})
	for _, c := range []struct {
		serverName, host string
		want             int
	}{
		{servedHost, servedHost, 200},
		{servedHost, "API.Example", 200},
		{servedHost, servedHost + ".", 200},
		{servedHost, servedHost + ":8443", 200},
		{servedHost, "other.example", 421},
		{servedHost, "", 400},
		{servedHost, "127.0.0.1", 421},
		{servedHost, servedHost + ".evil.example", 421},
		{servedHost, "evil." + servedHost, 421},
		{"", "127.0.0.1", 200},
		{"", "127.0.0.1:443", 200},
		{"", "[::1]:443", 200},
		{"", servedHost, 421},
	} {
		t.Run(c.serverName+" "+c.host, func(t *testing.T) {
			name := c.serverName
			if name == "" {
				name = "127.0.0.1"
			}
			conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: s.ca.Pool(), ServerName: name})
			require.NoError(t, err)
			defer conn.Close()
			fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", c.host)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			defer resp.Body.Close()
			if c.host == "" && resp.StatusCode == 421 {
				return // net/http leaves it to us
			}
			require.Equal(t, c.want, resp.StatusCode)
		})
	}
	refused := seen.of(tlsconfig.KindRefused)
	require.NotEmpty(t, refused)
	for _, e := range refused {
		require.Equal(t, tlsconfig.ReasonMisdirected, e.Reason)
	}
}

// TestServeRefuses what would go round the Server.
func TestServeRefuses(t *testing.T) {
	s := newServed(t)
	server := s.newServer(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	require.ErrorIs(t, server.Serve(nil, l), tlsconfig.ErrInvalid)
	require.ErrorIs(t, server.Serve(&http.Server{}, nil), tlsconfig.ErrInvalid)
	require.ErrorIs(t, server.Serve(&http.Server{TLSConfig: &tls.Config{}}, l), tlsconfig.ErrInvalid)
}

// TestServeHoldsNobodyUp: a client that never ends its handshake, and one that speaks plain HTTP, keep nobody waiting.
func TestServeHoldsNobodyUp(t *testing.T) {
	s := newServed(t)
	seen := &events{}
	addr := serveHTTP(t, s.newServer(t, &tlsconfig.ServerOptions{Observer: seen}), &http.Server{Handler: hostSays})
	for range 50 {
		slow, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		defer slow.Close()
	}
	plain, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer plain.Close()
	fmt.Fprint(plain, "GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
	answer, _ := io.ReadAll(plain)
	require.NotContains(t, string(answer), "200 OK")
	rt, err := s.newClient(t, nil).Transport(to(addr))
	require.NoError(t, err)
	status, _, err := get(t, rt, "https://"+servedHost+"/")
	require.NoError(t, err)
	require.Equal(t, 200, status)
}

// TestServeSeesWhy: the Observer hears why a client was refused, where crypto/tls refuses it too.
func TestServeSeesWhy(t *testing.T) {
	s := newServed(t)
	stranger := tlsconfigtest.NewCA(t, nil).Issue(&tlsconfigtest.Leaf{DNS: []string{"client.example"}, Client: true})
	present := func(c tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }
	}
	for name, c := range map[string]struct {
		edit func(*tls.Config)
		want tlsconfig.Reason
	}{
		"no certificate": {func(*tls.Config) {}, tlsconfig.ReasonNoCertificate},
		"a stranger":     {func(c *tls.Config) { c.GetClientCertificate = present(stranger) }, tlsconfig.ReasonUntrusted},
		"not allowed":    {func(c *tls.Config) { c.GetClientCertificate = present(s.client) }, tlsconfig.ReasonIdentity},
		"TLS 1.1":        {func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, tlsconfig.ReasonVersion},
		"CBC": {func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
		}, tlsconfig.ReasonSuite},
		"P-521":           {func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP521} }, tlsconfig.ReasonGroup},
		"it distrusts us": {func(c *tls.Config) { c.RootCAs = tlsconfigtest.NewCA(t, nil).Pool() }, tlsconfig.ReasonPeer},
	} {
		t.Run(name, func(t *testing.T) {
			seen := &events{}
			server := s.newServer(t, &tlsconfig.ServerOptions{
				Clients: &tlsconfig.Clients{Roots: s.roots(), Allow: tlsconfig.DNS("someone.example")}, Observer: seen,
			})
			addr := serveHTTP(t, server, &http.Server{Handler: hostSays})
			config := &tls.Config{RootCAs: s.ca.Pool(), ServerName: servedHost}
			c.edit(config)
			if fips140.Enabled() && (name == "TLS 1.1" || name == "CBC") {
				t.Skip("in FIPS mode crypto/tls does not offer it")
			}
			_, err := hear(addr, config)
			require.Error(t, err)
			require.Eventually(t, func() bool { return len(seen.of(tlsconfig.KindRefused)) > 0 }, 10*time.Second, time.Millisecond)
			refused := seen.of(tlsconfig.KindRefused)
			require.Len(t, refused, 1)
			require.Equal(t, c.want, refused[0].Reason)
			require.True(t, refused[0].Server)
			require.Empty(t, seen.of(tlsconfig.KindHandshake))
		})
	}
}
