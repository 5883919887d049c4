package grpctls_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/grpctls"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// TestCalls: calls and streams go through, by name and by address, and both sides know each other.
func TestCalls(t *testing.T) {
	r := newRig(t)
	l := listen(t)
	peers := serve(t, serverCreds(t, r.newServer(t, &tlsconfig.ServerOptions{Clients: r.clients()})), l)
	creds := clientCreds(t, r.newClient(t, &tlsconfig.ClientOptions{Identity: tlsconfig.Static(r.client)}))
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	for _, target := range []string{l.Addr().String(), "localhost:" + port, "dns:///localhost:" + port, "passthrough:///127.0.0.1:" + port} {
		var p peer.Peer
		require.NoError(t, check(t.Context(), target, creds, grpc.Peer(&p)), target)
		id := <-peers
		require.Equal(t, []string{"client.example"}, id.DNS)
		id, ok := grpctls.Peer(peer.NewContext(t.Context(), &p))
		require.True(t, ok)
		require.Equal(t, []string{"localhost"}, id.DNS)
		info := p.AuthInfo.(credentials.TLSInfo)
		require.Equal(t, credentials.PrivacyAndIntegrity, info.SecurityLevel)
		require.Equal(t, "h2", info.State.NegotiatedProtocol)
	}
	conn, err := dial(l.Addr().String(), creds)
	require.NoError(t, err)
	defer conn.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := grpc_health_v1.NewHealthClient(conn).Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	require.NoError(t, err)
	got, err := stream.Recv()
	require.NoError(t, err)
	require.Equal(t, grpc_health_v1.HealthCheckResponse_SERVING, got.Status)
	require.Equal(t, []string{"client.example"}, (<-peers).DNS)
}

// TestSPIFFE: interceptors that read credentials.TLSInfo find what they find with credentials.NewTLS.
func TestSPIFFE(t *testing.T) {
	r := newRig(t)
	a, b := tlsconfigtest.Conns(t)
	go func() {
		_, _, _ = clientCreds(t, r.newClient(t, &tlsconfig.ClientOptions{Identity: tlsconfig.Static(r.client)})).ClientHandshake(t.Context(), "localhost:443", b)
	}()
	_, info, err := serverCreds(t, r.newServer(t, &tlsconfig.ServerOptions{Clients: r.clients()})).ServerHandshake(a)
	require.NoError(t, err)
	require.Equal(t, &url.URL{Scheme: "spiffe", Host: "example.org", Path: "/client.example"}, info.(credentials.TLSInfo).SPIFFEID)
	require.Equal(t, "tls", info.AuthType())
}

// TestRefused: who is not to come in gets no answer to any call, and learns no more than that it was refused.
func TestRefused(t *testing.T) {
	r := newRig(t)
	good := &tlsconfig.ClientOptions{Identity: tlsconfig.Static(r.client)}
	l := listen(t)
	server := r.newServer(t, &tlsconfig.ServerOptions{Clients: r.clients(), Policy: tlsconfig.MozillaModern()})
	serve(t, serverCreds(t, server), l)
	refused := func(t *testing.T, err error, text string) {
		t.Helper()
		require.Equal(t, codes.Unavailable, status.Code(err), "%v", err)
		require.Contains(t, err.Error(), text)
		require.NotContains(t, err.Error(), "client.example")
	}
	t.Run("no certificate", func(t *testing.T) {
		refused(t, check(t.Context(), l.Addr().String(), clientCreds(t, r.newClient(t, nil))), "") // with TLS 1.3 the client may hear of a closed connection alone
	})
	t.Run("certificates", func(t *testing.T) {
		for _, bad := range tlsconfigtest.BadClients(r.ca, "client.example") {
			if bad.Reason == tlsconfig.ReasonRevoked || bad.Certificate.Certificate == nil {
				continue // there are no lists here, and above
			}
			config := &tls.Config{RootCAs: r.ca.Pool(), GetClientCertificate: bad.Present}
			require.Equal(t, codes.Unavailable, status.Code(check(t.Context(), l.Addr().String(), credentials.NewTLS(config))), bad.Name)
		}
		config := &tls.Config{RootCAs: r.ca.Pool(), Certificates: []tls.Certificate{r.client}}
		require.NoError(t, check(t.Context(), l.Addr().String(), credentials.NewTLS(config)))
	})
	t.Run("another", func(t *testing.T) {
		other := clientCreds(t, r.newClient(t, &tlsconfig.ClientOptions{Identity: tlsconfig.Static(clientOf(r.ca, "other.example"))}))
		refused(t, check(t.Context(), l.Addr().String(), other), "")
	})
	t.Run("old", func(t *testing.T) {
		config := &tls.Config{RootCAs: r.ca.Pool(), Certificates: []tls.Certificate{r.client}, MaxVersion: tls.VersionTLS12}
		refused(t, check(t.Context(), l.Addr().String(), credentials.NewTLS(config)), "protocol version")
	})
	t.Run("plaintext", func(t *testing.T) {
		require.Equal(t, codes.Unavailable, status.Code(check(t.Context(), l.Addr().String(), insecure.NewCredentials())))
	})
	t.Run("name", func(t *testing.T) {
		conn, err := dial(l.Addr().String(), clientCreds(t, r.newClient(t, good)), grpc.WithAuthority("wrong.example"))
		require.NoError(t, err)
		defer conn.Close()
		_, err = grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		refused(t, err, "not wrong.example")
	})
	t.Run("servers", func(t *testing.T) {
		creds := clientCreds(t, r.newClient(t, &tlsconfig.ClientOptions{Policy: tlsconfig.MozillaModern()}))
		for _, bad := range tlsconfigtest.BadServers(r.ca, "127.0.0.1") {
			if bad.Reason == tlsconfig.ReasonRevoked {
				continue
			}
			t.Run(bad.Name, func(t *testing.T) {
				l := listen(t)
				serve(t, credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{bad.Certificate}}), l)
				require.Equal(t, codes.Unavailable, status.Code(check(t.Context(), l.Addr().String(), creds)))
			})
		}
		l := listen(t)
		serve(t, credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{r.server}}), l)
		require.NoError(t, check(t.Context(), l.Addr().String(), creds))
	})
	require.NoError(t, check(t.Context(), l.Addr().String(), clientCreds(t, r.newClient(t, good))))
}

// TestWithoutHTTP2: there is no gRPC where one side does not agree to h2.
func TestWithoutHTTP2(t *testing.T) {
	r := newRig(t)
	server, client := r.newServer(t, nil), r.newClient(t, nil)
	for name, ask := range map[string][]string{"none": nil, "another": {"http/1.1"}} {
		t.Run("server, "+name, func(t *testing.T) {
			a, b := tlsconfigtest.Conns(t)
			go func() { _, _ = client.Handshake(t.Context(), b, "localhost", ask...) }()
			_, _, err := serverCreds(t, server).ServerHandshake(a)
			require.Equal(t, tlsconfig.ReasonProtocol, tlsconfig.ReasonOf(err))
			_, err = a.Write([]byte("x"))
			require.Error(t, err, "it is closed")
		})
	}
	t.Run("client", func(t *testing.T) {
		a, b := tlsconfigtest.Conns(t)
		go func() { _ = tls.Server(a, &tls.Config{Certificates: []tls.Certificate{r.server}}).Handshake() }()
		_, _, err := clientCreds(t, client).ClientHandshake(t.Context(), "localhost", b)
		require.Equal(t, tlsconfig.ReasonProtocol, tlsconfig.ReasonOf(err))
	})
}

// TestGuard: a listener of a Guard may be served, and no TLS connection of anybody else.
func TestGuard(t *testing.T) {
	r := newRig(t)
	server := r.newServer(t, &tlsconfig.ServerOptions{Clients: r.clients()})
	l := listen(t)
	prefixes, err := tlsconfig.ParsePrefixes("127.0.0.1")
	require.NoError(t, err)
	list, err := tlsconfig.NewAllowList(prefixes)
	require.NoError(t, err)
	guarded, err := server.Guard(l, &tlsconfig.GuardOptions{Allow: list})
	require.NoError(t, err)
	peers := serve(t, serverCreds(t, server), guarded)
	creds := clientCreds(t, r.newClient(t, &tlsconfig.ClientOptions{Identity: tlsconfig.Static(r.client)}))
	require.NoError(t, check(t.Context(), l.Addr().String(), creds))
	require.Equal(t, []string{"client.example"}, (<-peers).DNS)
	require.NoError(t, list.Replace(nil))
	require.Equal(t, codes.Unavailable, status.Code(check(t.Context(), l.Addr().String(), creds)))

	plain := listen(t)
	other, err := r.newServer(t, &tlsconfig.ServerOptions{Clients: r.clients()}).Guard(plain, nil)
	require.NoError(t, err)
	serve(t, serverCreds(t, server), other)
	require.Equal(t, codes.Unavailable, status.Code(check(t.Context(), plain.Addr().String(), creds)))
}

// TestCredentials: each is for its side alone, and a clone is as good.
func TestCredentials(t *testing.T) {
	r := newRig(t)
	for name, err := range map[string]error{
		"no server": second(grpctls.NewServer(nil)),
		"no client": second(grpctls.NewClient(nil)),
		"no h2":     second(grpctls.NewServer(r.newServer(t, &tlsconfig.ServerOptions{Protocols: []string{"http/1.1"}}))),
	} {
		require.ErrorIs(t, err, tlsconfig.ErrInvalid, name)
	}
	server, client := serverCreds(t, r.newServer(t, nil)), clientCreds(t, r.newClient(t, nil))
	a, _ := tlsconfigtest.Conns(t)
	_, _, err := server.ClientHandshake(t.Context(), "localhost", a)
	require.ErrorIs(t, err, tlsconfig.ErrInvalid)
	_, _, err = client.ServerHandshake(a)
	require.ErrorIs(t, err, tlsconfig.ErrInvalid)
	for _, creds := range []credentials.TransportCredentials{server, client} {
		//lint:ignore SA1019 a part of the interface
		require.ErrorIs(t, creds.OverrideServerName("localhost"), tlsconfig.ErrInvalid)
		require.Equal(t, "tls", creds.Clone().Info().SecurityProtocol)
	}
	a, b := tlsconfigtest.Conns(t)
	go func() { _, _, _ = server.Clone().ServerHandshake(a) }()
	_, _, err = client.Clone().ClientHandshake(t.Context(), "localhost", b)
	require.NoError(t, err)

	_, ok := grpctls.Peer(t.Context())
	require.False(t, ok)
	_, ok = grpctls.Peer(peer.NewContext(t.Context(), &peer.Peer{}))
	require.False(t, ok)
}

func second[T any](_ T, err error) error { return err }

// TestSilence: a client that says nothing is closed in time, whatever gRPC would grant it.
func TestSilence(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the 10 seconds of a handshake")
	}
	r := newRig(t)
	l := listen(t)
	serve(t, serverCreds(t, r.newServer(t, nil)), l, grpc.ConnectionTimeout(time.Hour))
	conn, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
	require.False(t, strings.Contains(err.Error(), "timeout"), "it is open")
}
