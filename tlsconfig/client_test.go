package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// shake does a handshake of a client over loopback.
func shake(t testing.TB, c *tlsconfig.Client, addr, serverName string) (*tls.Conn, error) {
	raw, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	return c.Handshake(t.Context(), raw, serverName)
}

// TestHandshake verifies names and addresses as crypto/tls does.
func TestHandshake(t *testing.T) {
	s := newServed(t)
	addr := echo(t, s.newServer(t, nil).Config())
	for name, want := range map[string]tlsconfig.Reason{
		servedHost: tlsconfig.Allowed, "API.Example": tlsconfig.Allowed, servedHost + ".": tlsconfig.Allowed, "other.example": tlsconfig.Allowed,
		"127.0.0.1": tlsconfig.Allowed, "[127.0.0.1]": tlsconfig.Allowed, "::ffff:127.0.0.1": tlsconfig.Allowed,
		"evil.example": tlsconfig.ReasonName, "127.0.0.2": tlsconfig.ReasonName, "::1": tlsconfig.ReasonName, "example": tlsconfig.ReasonName,
	} {
		seen := &events{}
		client := s.newClient(t, &tlsconfig.ClientOptions{Observer: seen})
		conn, err := shake(t, client, addr, name)
		require.Equal(t, want, tlsconfig.ReasonOf(err), "%s: %v", name, err)
		if err == nil {
			conn.Close()
			require.Len(t, seen.of(tlsconfig.KindHandshake), 1)
			require.Empty(t, seen.of(tlsconfig.KindRefused))
			continue
		}
		refused := seen.of(tlsconfig.KindRefused)
		require.Len(t, refused, 1)
		require.Equal(t, want, refused[0].Reason)
		require.False(t, refused[0].Server)
	}
}

// TestNoServerName refuses names that are none, and connects to nobody with them.
func TestNoServerName(t *testing.T) {
	s := newServed(t)
	addr := echo(t, s.newServer(t, nil).Config())
	client := s.newClient(t, nil)
	for _, name := range []string{"", ".", "api.example:443", "127.0.0.1:443", "[::1]:443", "*.example", "a b", "https://api.example", "api..example", "api.example/", "-", "[::1", "\x00"} {
		_, err := shake(t, client, addr, name)
		require.ErrorIs(t, err, tlsconfig.ErrInvalid, name)
		raw, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		conn := tls.Client(raw, client.Snapshot(name))
		require.Error(t, conn.HandshakeContext(t.Context()), name)
		conn.Close()
	}
	_, err := client.DialContext(t.Context(), "tcp", "127.0.0.1")
	require.ErrorIs(t, err, tlsconfig.ErrInvalid)
}

// TestServersRule: beside the name, the rule must allow the server.
func TestServersRule(t *testing.T) {
	s := newServed(t)
	s.server = s.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, URI: []string{"spiffe://example/api"}, IP: []netip.Addr{netip.MustParseAddr("127.0.0.1")}})
	addr := echo(t, s.newServer(t, nil).Config())
	for want, rule := range map[tlsconfig.Reason]tlsconfig.Match{
		tlsconfig.Allowed:        tlsconfig.SPIFFE("spiffe://example/api"),
		tlsconfig.ReasonIdentity: tlsconfig.SPIFFE("spiffe://example/db"),
	} {
		client := s.newClient(t, &tlsconfig.ClientOptions{Servers: rule})
		conn, err := client.DialContext(t.Context(), "tcp", addr)
		require.Equal(t, want, tlsconfig.ReasonOf(err))
		if err != nil {
			require.ErrorIs(t, err, tlsconfig.ErrRefused)
			require.Nil(t, conn)
			continue
		}
		require.IsType(t, &tls.Conn{}, conn)
		conn.Close()
	}
}

// TestClientFollows new roots and identities: what connects next uses them, and sessions from before are not resumed.
func TestClientFollows(t *testing.T) {
	s := newServed(t)
	other := tlsconfigtest.NewCA(t, nil)
	moved := other.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}})
	before := echo(t, s.newServer(t, nil).Config())
	otherServer, err := tlsconfig.NewServer(t.Context(), tlsconfig.Static(moved), nil)
	require.NoError(t, err)
	defer otherServer.Close()
	after := echo(t, otherServer.Config())
	roots := newSwapRoots(s.ca.Pool())
	client, err := tlsconfig.NewClient(t.Context(), roots, nil)
	require.NoError(t, err)
	defer client.Close()
	old := client.Snapshot(servedHost)
	mustHear(t, before, old)
	require.True(t, mustHear(t, before, client.Snapshot(servedHost)).DidResume, "of one generation")
	_, err = hear(after, client.Snapshot(servedHost))
	require.Equal(t, tlsconfig.ReasonUntrusted, tlsconfig.ReasonOf(err))
	roots.swap(other.Pool())
	require.Eventually(t, func() bool { _, err := hear(after, client.Snapshot(servedHost)); return err == nil }, 10*time.Second, time.Millisecond)
	for range attacks() {
		_, err = hear(before, client.Snapshot(servedHost))
		require.Equal(t, tlsconfig.ReasonUntrusted, tlsconfig.ReasonOf(err), "nor resumed")
	}
}

// TestClientIdentity is shown to servers that ask, the new one after it has changed.
func TestClientIdentity(t *testing.T) {
	s := newServed(t)
	seen := make(chan tlsconfig.PeerID, 10)
	server := s.newServer(t, &tlsconfig.ServerOptions{Clients: s.clients(), Observer: peerEvents{&events{}, func(p tlsconfig.PeerID) { seen <- p }}})
	addr := serveHTTP(t, server, &http.Server{Handler: hostSays})
	identity := newSwapIdentity(s.client)
	client := s.newClient(t, &tlsconfig.ClientOptions{Identity: identity})
	before := client.Snapshot(servedHost)
	ask(t, addr, before)
	require.Equal(t, []string{"client.example"}, (<-seen).DNS)
	identity.swap(s.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"renewed.example"}, Client: true}))
	require.Eventually(t, func() bool {
		ask(t, addr, client.Snapshot(servedHost))
		return (<-seen).DNS[0] == "renewed.example"
	}, 10*time.Second, time.Millisecond)
	before.ClientSessionCache = nil
	ask(t, addr, before)
	require.Equal(t, []string{"client.example"}, (<-seen).DNS, "a snapshot is of its moment")
}

// TestClosed: after Close nothing begins.
func TestClosed(t *testing.T) {
	s := newServed(t)
	server, client := s.newServer(t, nil), s.newClient(t, nil)
	addr := echo(t, server.Config())
	mustHear(t, addr, client.Snapshot(servedHost))
	require.NoError(t, client.Healthy())
	require.NoError(t, server.Healthy())
	snapshot := client.Snapshot(servedHost)
	require.NoError(t, client.Close())
	require.NoError(t, client.Close())
	_, err := hear(addr, snapshot)
	require.ErrorIs(t, err, tlsconfig.ErrClosed)
	_, err = shake(t, client, addr, servedHost)
	require.ErrorIs(t, err, tlsconfig.ErrClosed)
	require.ErrorIs(t, client.Healthy(), tlsconfig.ErrClosed)
	require.NoError(t, server.Close())
	require.NoError(t, server.Close())
	_, err = hear(addr, s.plain())
	require.Error(t, err)
	require.ErrorIs(t, server.Healthy(), tlsconfig.ErrClosed)
}

// TestConstructorsRefuse what can't be meant.
func TestConstructorsRefuse(t *testing.T) {
	s := newServed(t)
	id := tlsconfig.Static(s.server)
	expired := s.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	forClients := s.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, Client: true})
	weak := s.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, Key: tlsconfigtest.KeyP224})
	clients := func(edit func(*tlsconfig.Clients)) *tlsconfig.ServerOptions {
		c := s.clients()
		edit(c)
		return &tlsconfig.ServerOptions{Clients: c}
	}
	strict := tlsconfig.InternalMTLS()
	for name, c := range map[string]struct {
		id   tlsconfig.Identity
		o    *tlsconfig.ServerOptions
		want error
	}{
		"no identity":             {nil, nil, tlsconfig.ErrInvalid},
		"no certificate":          {tlsconfig.Static(tls.Certificate{}), nil, tlsconfig.ErrCertificate},
		"expired":                 {tlsconfig.Static(expired), nil, tlsconfig.ErrCertificate},
		"for clients":             {tlsconfig.Static(forClients), nil, tlsconfig.ErrCertificate},
		"weak":                    {tlsconfig.Static(weak), nil, tlsconfig.ErrCertificate},
		"no roots":                {id, clients(func(c *tlsconfig.Clients) { c.Roots = nil }), tlsconfig.ErrInvalid},
		"empty roots":             {id, clients(func(c *tlsconfig.Clients) { c.Roots = tlsconfig.RootPEM(nil) }), tlsconfig.ErrInvalid},
		"nil pool":                {id, clients(func(c *tlsconfig.Clients) { c.Roots = newSwapRoots(nil) }), tlsconfig.ErrInvalid},
		"empty pool":              {id, clients(func(c *tlsconfig.Clients) { c.Roots = newSwapRoots(x509.NewCertPool()) }), tlsconfig.ErrInvalid},
		"no rule":                 {id, clients(func(c *tlsconfig.Clients) { c.Allow = nil }), tlsconfig.ErrInvalid},
		"wrong rule":              {id, clients(func(c *tlsconfig.Clients) { c.Allow = tlsconfig.DNS() }), tlsconfig.ErrInvalid},
		"no such lists":           {id, clients(func(c *tlsconfig.Clients) { c.Revoked = tlsconfig.CRLFiles("/no/such") }), tlsconfig.ErrInvalid},
		"clients are demanded":    {id, &tlsconfig.ServerOptions{Policy: strict}, tlsconfig.ErrInvalid},
		"all clients":             {id, &tlsconfig.ServerOptions{Policy: strict, Clients: clients(func(c *tlsconfig.Clients) { c.Optional = true }).Clients}, tlsconfig.ErrInvalid},
		"private roots":           {id, &tlsconfig.ServerOptions{Policy: strict, Clients: clients(func(c *tlsconfig.Clients) { c.Roots = tlsconfig.SystemRoots() }).Clients}, tlsconfig.ErrInvalid},
		"an epoch of nanoseconds": {id, &tlsconfig.ServerOptions{Tickets: &tlsconfig.Tickets{Epoch: 1}}, tlsconfig.ErrInvalid},
	} {
		_, err := tlsconfig.NewServer(t.Context(), c.id, c.o)
		require.ErrorIs(t, err, c.want, name)
	}
	for name, c := range map[string]struct {
		roots tlsconfig.Roots
		o     *tlsconfig.ClientOptions
		want  error
	}{
		"no roots":            {nil, nil, tlsconfig.ErrInvalid},
		"empty roots":         {tlsconfig.RootPEM(nil), nil, tlsconfig.ErrInvalid},
		"private roots":       {tlsconfig.SystemRoots(), &tlsconfig.ClientOptions{Policy: strict, Identity: tlsconfig.Static(s.client)}, tlsconfig.ErrInvalid},
		"identity demanded":   {s.roots(), &tlsconfig.ClientOptions{Policy: strict}, tlsconfig.ErrInvalid},
		"wrong rule":          {s.roots(), &tlsconfig.ClientOptions{Servers: tlsconfig.DNS()}, tlsconfig.ErrInvalid},
		"negative age":        {s.roots(), &tlsconfig.ClientOptions{Drain: tlsconfig.Drain{MaxAge: -1}}, tlsconfig.ErrInvalid},
		"a server's identity": {s.roots(), &tlsconfig.ClientOptions{Identity: tlsconfig.Static(s.server)}, tlsconfig.ErrCertificate},
	} {
		_, err := tlsconfig.NewClient(t.Context(), c.roots, c.o)
		require.ErrorIs(t, err, c.want, name)
	}
}

// stuckIdentity is an Identity that never answers.
type stuckIdentity struct{}

func (stuckIdentity) Certificate(ctx context.Context) (*tls.Certificate, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (stuckIdentity) Changed() <-chan struct{} { return nil }

// TestStartIsBounded by its context, which matters to nothing later.
func TestStartIsBounded(t *testing.T) {
	s := newServed(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err := tlsconfig.NewServer(ctx, stuckIdentity{}, nil)
	require.True(t, errors.Is(err, context.Canceled), err)
	ctx, cancel = context.WithCancel(t.Context())
	server, err := tlsconfig.NewServer(ctx, tlsconfig.Static(s.server), nil)
	require.NoError(t, err)
	defer server.Close()
	cancel()
	mustHear(t, echo(t, server.Config()), s.plain())
	require.NoError(t, server.Healthy())
}

// TestClientChain: the same certificate with the intermediates that were missing is another identity.
func TestClientChain(t *testing.T) {
	s := newServed(t)
	addr := echo(t, s.newServer(t, &tlsconfig.ServerOptions{Clients: s.clients()}).Config())
	whole := s.ca.Intermediate(nil).Issue(&tlsconfigtest.Leaf{DNS: []string{"client.example"}, Client: true})
	short := whole
	short.Certificate = whole.Certificate[:1]
	identity := newSwapIdentity(short)
	client := s.newClient(t, &tlsconfig.ClientOptions{Identity: identity})
	_, err := hear(addr, client.Snapshot(servedHost))
	require.Error(t, err)
	identity.swap(whole)
	require.Eventually(t, func() bool { _, err := hear(addr, client.Snapshot(servedHost)); return err == nil }, 10*time.Second, time.Millisecond)
}
