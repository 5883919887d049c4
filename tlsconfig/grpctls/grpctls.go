// Package grpctls makes the connections of gRPC those of a [tlsconfig.Server] and a [tlsconfig.Client]: one policy, certificates, roots, revocation lists and rules that change without a restart, and an Observer that hears of every handshake.
// Those of credentials.NewTLS keep the roots and certificates that they were made with.
//
// What changes counts from the next connection on. Connections that are open go on: a server ends them in time with keepalive.ServerParameters.MaxConnectionAge, a client with [tlsconfig.Drain].MaxAge, which also cuts calls that are under way.
package grpctls

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// http2 is the application protocol of gRPC (RFC 7301, RFC 9113 section 3.2).
const http2 = "h2"

// NewServer returns credentials for grpc.Creds. A handshake has 10 s, of which a Guard has its own: the listener of [tlsconfig.Server.Guard] may be served, and no *tls.Conn of anybody else. ErrInvalid for a nil Server, and one without "h2" among its Protocols.
// They are safe for concurrent use, and of no use after Close of the Server.
func NewServer(s *tlsconfig.Server) (credentials.TransportCredentials, error) {
	switch {
	case s == nil:
		return nil, invalid("NewServer needs a tlsconfig.Server")
	case !slices.Contains(s.Config().NextProtos, http2):
		return nil, invalid("gRPC needs \"h2\" among ServerOptions.Protocols")
	}
	return &server{s}, nil
}

// NewClient returns credentials for grpc.WithTransportCredentials. The certificate of a server must be for the host of the target, or of grpc.WithAuthority. A handshake has 10 s, or less if gRPC says so. ErrInvalid for a nil Client. They are safe for
// concurrent use, and of no use after Close of the Client.
func NewClient(c *tlsconfig.Client) (credentials.TransportCredentials, error) {
	if c == nil {
		return nil, invalid("NewClient needs a tlsconfig.Client")
	}
	return &client{c}, nil
}

// Peer returns who is at the other end of a call: at a server of the context of a handler, at a client of what grpc.Peer has filled in, put in a context with peer.NewContext. false where no certificate was verified.
func Peer(ctx context.Context) (tlsconfig.PeerID, bool) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return tlsconfig.PeerID{}, false
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return tlsconfig.PeerID{}, false
	}
	return tlsconfig.Peer(&info.State)
}

type server struct{ *tlsconfig.Server }

// ServerHandshake implements credentials.TransportCredentials.
func (s *server) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, err := s.Handshake(context.Background(), raw)
	if err != nil {
		return nil, nil, err
	}
	return agreed(conn)
}

// ClientHandshake implements credentials.TransportCredentials, and fails.
func (s *server) ClientHandshake(_ context.Context, _ string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	raw.Close()
	return nil, nil, invalid("credentials of NewServer are for a server")
}

// Info implements credentials.TransportCredentials.
func (s *server) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone implements credentials.TransportCredentials.
func (s *server) Clone() credentials.TransportCredentials { return &server{s.Server} }

// OverrideServerName implements credentials.TransportCredentials, and fails.
func (s *server) OverrideServerName(string) error {
	return invalid("credentials of NewServer have no server name")
}

type client struct{ *tlsconfig.Client }

// ClientHandshake implements credentials.TransportCredentials.
func (c *client) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	name := authority
	if host, _, err := net.SplitHostPort(authority); err == nil {
		name = host
	}
	conn, err := c.Handshake(ctx, raw, name, http2)
	if err != nil {
		return nil, nil, err
	}
	return agreed(conn)
}

// ServerHandshake implements credentials.TransportCredentials, and fails.
func (c *client) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	raw.Close()
	return nil, nil, invalid("credentials of NewClient are for a client")
}

// Info implements credentials.TransportCredentials.
func (c *client) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone implements credentials.TransportCredentials.
func (c *client) Clone() credentials.TransportCredentials { return &client{c.Client} }

// OverrideServerName implements credentials.TransportCredentials, and fails: grpc.WithAuthority is for it.
func (c *client) OverrideServerName(string) error {
	return invalid("take grpc.WithAuthority for another server name")
}

// agreed returns a connection with what interceptors read of it. Without h2 there is no gRPC on it.
func agreed(conn *tls.Conn) (net.Conn, credentials.AuthInfo, error) {
	cs := conn.ConnectionState()
	if cs.NegotiatedProtocol != http2 {
		conn.Close()
		return nil, nil, &tlsconfig.Refusal{Reason: tlsconfig.ReasonProtocol, Err: errors.New("the peer does not agree to HTTP/2 by ALPN")}
	}
	info := credentials.TLSInfo{State: cs, CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}}
	if id, ok := tlsconfig.Peer(&cs); ok && id.SPIFFE != "" {
		info.SPIFFEID, _ = url.Parse(id.SPIFFE) // which has been parsed before
	}
	return conn, info, nil
}

func invalid(text string) error { return fmt.Errorf("grpctls: %w: %s", tlsconfig.ErrInvalid, text) }
