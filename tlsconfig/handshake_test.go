package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// accepting is both sides of what a Server and a Client make of a connection.
func accepting(t *testing.T, ctx context.Context, server *tlsconfig.Server, client func(net.Conn) (*tls.Conn, error)) (s, c *tls.Conn, serverErr, clientErr error) {
	t.Helper()
	a, b := tlsconfigtest.Conns(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s, serverErr = server.Handshake(ctx, a)
	}()
	c, clientErr = client(b)
	<-done
	return s, c, serverErr, clientErr
}

// TestServerHandshake: a Server and a Client make a connection of whatever was accepted and dialed, with the protocol that both have.
func TestServerHandshake(t *testing.T) {
	s := newServed(t)
	seen := &events{}
	server := s.newServer(t, &tlsconfig.ServerOptions{Observer: seen, Protocols: []string{"mqtt", "h2"}, Clients: s.clients()})
	client := s.newClient(t, &tlsconfig.ClientOptions{Identity: tlsconfig.Static(s.client)})
	for _, c := range []struct {
		ask  []string
		want string
	}{{nil, ""}, {[]string{"h2"}, "h2"}, {[]string{"other", "h2", "mqtt"}, "mqtt"}} {
		mine, theirs, err, clientErr := accepting(t, t.Context(), server, func(raw net.Conn) (*tls.Conn, error) {
			return client.Handshake(t.Context(), raw, servedHost, c.ask...)
		})
		require.NoError(t, err)
		require.NoError(t, clientErr)
		require.Equal(t, c.want, mine.ConnectionState().NegotiatedProtocol)
		require.Equal(t, c.want, theirs.ConnectionState().NegotiatedProtocol)
		cs := mine.ConnectionState()
		id, ok := tlsconfig.Peer(&cs)
		require.True(t, ok)
		require.Equal(t, []string{"client.example"}, id.DNS)
		_, err = mine.Write([]byte("hello"))
		require.NoError(t, err)
		b := make([]byte, 5)
		_, err = theirs.Read(b)
		require.NoError(t, err)
		require.Equal(t, "hello", string(b))
	}
	require.Len(t, seen.of(tlsconfig.KindHandshake), 3)
	require.Empty(t, seen.of(tlsconfig.KindRefused))
	_, _, err, clientErr := accepting(t, t.Context(), server, func(raw net.Conn) (*tls.Conn, error) {
		return client.Handshake(t.Context(), raw, servedHost, "other")
	})
	require.Error(t, err)
	require.Error(t, clientErr)
	require.Len(t, seen.of(tlsconfig.KindRefused), 1)
}

// TestServerHandshakeFails: the connection is closed, and who listens hears why.
func TestServerHandshakeFails(t *testing.T) {
	s := newServed(t)
	for name, c := range map[string]struct {
		config *tls.Config // nil for one who says nothing
		reason tlsconfig.Reason
	}{
		"old":     {&tls.Config{MaxVersion: tls.VersionTLS12}, tlsconfig.ReasonVersion},
		"nobody":  {&tls.Config{}, tlsconfig.ReasonNoCertificate},
		"silence": {nil, tlsconfig.ReasonTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			seen := &events{}
			server := s.newServer(t, &tlsconfig.ServerOptions{Observer: seen, Policy: tlsconfig.MozillaModern(), Clients: s.clients()})
			ctx, cancel := context.WithTimeout(t.Context(), map[bool]time.Duration{false: time.Minute, true: 50 * time.Millisecond}[c.config == nil])
			defer cancel()
			_, _, err, _ := accepting(t, ctx, server, func(raw net.Conn) (*tls.Conn, error) {
				if c.config == nil {
					closedOn(t, raw)
					return nil, nil
				}
				c.config.RootCAs, c.config.ServerName = s.ca.Pool(), servedHost
				conn := tls.Client(raw, c.config)
				_, err := conn.Read(make([]byte, 1))
				return conn, err
			})
			require.Error(t, err)
			refused := seen.of(tlsconfig.KindRefused)
			require.Len(t, refused, 1)
			require.Equal(t, c.reason, refused[0].Reason, "%v", err)
		})
	}
}

// TestServerHandshakeRecovers: code of a user that panics ends a connection, not the process.
func TestServerHandshakeRecovers(t *testing.T) {
	s := newServed(t)
	defer log.SetOutput(log.Writer())
	log.SetOutput(io.Discard)
	server := s.newServer(t, &tlsconfig.ServerOptions{Observer: angry{}})
	conn, _, err, _ := accepting(t, t.Context(), server, func(raw net.Conn) (*tls.Conn, error) {
		client := tls.Client(raw, s.plain())
		_, err := client.Read(make([]byte, 1))
		return client, err
	})
	require.ErrorIs(t, err, tlsconfig.ErrRefused)
	require.Nil(t, conn)
}

// TestServerHandshakeOfTLS: what a Guard of the Server has made is taken as it is, anybody else's not, nor anything once the Server is closed.
func TestServerHandshakeOfTLS(t *testing.T) {
	s := newServed(t)
	server, other := s.newServer(t, nil), s.newServer(t, nil)
	f := newFar(t)
	guarded, err := server.Guard(f, nil)
	require.NoError(t, err)
	defer guarded.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		if conn, err := guarded.Accept(); err == nil {
			accepted <- conn
		}
	}()
	raw, err := f.dial("192.0.2.1")
	require.NoError(t, err)
	defer raw.Close()
	require.NoError(t, tls.Client(raw, s.plain()).Handshake())
	conn := <-accepted
	done, err := server.Handshake(t.Context(), conn)
	require.NoError(t, err)
	require.Same(t, conn, done)

	_, err = other.Handshake(t.Context(), conn)
	require.ErrorIs(t, err, tlsconfig.ErrInvalid)
	_, err = conn.Write([]byte("x"))
	require.Error(t, err, "it is closed")

	mine, _, serverErr, clientErr := tlsconfigtest.Pipe(t, server.Config(), s.plain())
	require.NoError(t, serverErr)
	require.NoError(t, clientErr)
	_, err = server.Handshake(t.Context(), mine)
	require.ErrorIs(t, err, tlsconfig.ErrInvalid)

	require.NoError(t, other.Close())
	a, b := tlsconfigtest.Conns(t)
	_, err = other.Handshake(t.Context(), a)
	require.ErrorIs(t, err, tlsconfig.ErrClosed)
	closedOn(t, b)
}
