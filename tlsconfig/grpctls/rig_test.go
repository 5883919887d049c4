package grpctls_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/grpctls"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long to wait for what must happen on a busy machine.
const patience = time.Minute

// rig is a CA with a server and a client, whose certificates are for what tests call.
type rig struct {
	ca             *tlsconfigtest.CA
	server, client tls.Certificate
}

func newRig(t testing.TB) *rig {
	ca := tlsconfigtest.NewCA(t, nil)
	return &rig{ca, serverOf(ca), clientOf(ca, "client.example")}
}

// soon is when all that tests keep in files ends: the earlier, the more often files are looked at.
func soon() time.Time { return time.Now().Add(time.Hour) }

func serverOf(ca *tlsconfigtest.CA) tls.Certificate {
	return ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"localhost"}, IP: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Server: true, NotAfter: soon()})
}

func clientOf(ca *tlsconfigtest.CA, name string) tls.Certificate {
	return ca.Issue(&tlsconfigtest.Leaf{DNS: []string{name}, URI: []string{"spiffe://example.org/" + name}, Client: true, NotAfter: soon()})
}

func (r *rig) roots() tlsconfig.Roots { return tlsconfig.RootPEM(r.ca.PEM()) }

// clients lets in client.example alone.
func (r *rig) clients() *tlsconfig.Clients {
	return &tlsconfig.Clients{Roots: r.roots(), Allow: tlsconfig.DNS("client.example")}
}

func (r *rig) newServer(t testing.TB, o *tlsconfig.ServerOptions) *tlsconfig.Server {
	t.Helper()
	s, err := tlsconfig.NewServer(t.Context(), tlsconfig.Static(r.server), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func (r *rig) newClient(t testing.TB, o *tlsconfig.ClientOptions) *tlsconfig.Client {
	t.Helper()
	c, err := tlsconfig.NewClient(t.Context(), r.roots(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// serve serves the health service, with peers as whom the handlers see.
func serve(t testing.TB, creds credentials.TransportCredentials, l net.Listener, o ...grpc.ServerOption) (peers chan tlsconfig.PeerID) {
	t.Helper()
	peers = make(chan tlsconfig.PeerID, 1000)
	meet := func(ctx context.Context) {
		if id, ok := grpctls.Peer(ctx); ok {
			select {
			case peers <- id:
			default:
			}
		}
	}
	s := grpc.NewServer(append(o, grpc.Creds(creds), grpc.UnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
		meet(ctx)
		return h(ctx, r)
	}), grpc.StreamInterceptor(func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
		meet(ss.Context())
		return h(srv, ss)
	}))...)
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		require.NoError(t, <-done)
	})
	return peers
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

func serverCreds(t testing.TB, s *tlsconfig.Server) credentials.TransportCredentials {
	t.Helper()
	creds, err := grpctls.NewServer(s)
	require.NoError(t, err)
	return creds
}

func clientCreds(t testing.TB, c *tlsconfig.Client) credentials.TransportCredentials {
	t.Helper()
	creds, err := grpctls.NewClient(c)
	require.NoError(t, err)
	return creds
}

// dial makes a client of a target.
func dial(target string, creds credentials.TransportCredentials, o ...grpc.DialOption) (*grpc.ClientConn, error) {
	return grpc.NewClient(target, append(o, grpc.WithTransportCredentials(creds))...)
}

// check makes a call on a connection of its own.
func check(ctx context.Context, target string, creds credentials.TransportCredentials, o ...grpc.CallOption) error {
	conn, err := dial(target, creds)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err = grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}, o...)
	return err
}
