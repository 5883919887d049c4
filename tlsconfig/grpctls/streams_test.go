package grpctls_test

import (
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// TestStreams: a stream goes on while both sides move to another CA, and a new connection is the new CA's.
func TestStreams(t *testing.T) {
	o := &tlsconfigtest.CAOptions{NotAfter: soon().Add(time.Hour)}
	before, after := tlsconfigtest.NewCA(t, o), tlsconfigtest.NewCA(t, o)
	first, second := serverOf(before), serverOf(after)
	mine, theirs := newSide(t, first, before.PEM()), newSide(t, clientOf(before, "client.example"), before.PEM())
	server, err := tlsconfig.NewServer(t.Context(), mine.identity(), &tlsconfig.ServerOptions{Observer: mine.told, Clients: &tlsconfig.Clients{
		Roots: tlsconfig.RootFiles(mine.roots), Allow: tlsconfig.DNS("client.example"),
	}})
	require.NoError(t, err)
	defer server.Close()
	client, err := tlsconfig.NewClient(t.Context(), tlsconfig.RootFiles(theirs.roots), &tlsconfig.ClientOptions{Identity: theirs.identity(), Observer: theirs.told})
	require.NoError(t, err)
	defer client.Close()

	states := health.NewServer()
	s := grpc.NewServer(grpc.Creds(serverCreds(t, server)))
	grpc_health_v1.RegisterHealthServer(s, states)
	l := listen(t)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	defer func() {
		s.Stop()
		require.NoError(t, <-done)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	// watch opens a stream on a connection of its own.
	watch := func() grpc.ServerStreamingClient[grpc_health_v1.HealthCheckResponse] {
		t.Helper()
		conn, err := dial(l.Addr().String(), clientCreds(t, client))
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		stream, err := grpc_health_v1.NewHealthClient(conn).Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
		require.NoError(t, err)
		return stream
	}
	hears := func(stream grpc.ServerStreamingClient[grpc_health_v1.HealthCheckResponse], want grpc_health_v1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		r, err := stream.Recv()
		require.NoError(t, err)
		require.Equal(t, want, r.GetStatus())
	}
	old := watch()
	hears(old, grpc_health_v1.HealthCheckResponse_SERVING)
	mine.trusts(t, after.PEM())
	theirs.trusts(t, after.PEM())
	mine.shows(t, second)
	theirs.shows(t, clientOf(after, "client.example"))
	states.SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	hears(old, grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	fresh := watch()
	hears(fresh, grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	shown := func(stream grpc.ClientStream) *x509.Certificate {
		t.Helper()
		p, ok := peer.FromContext(stream.Context())
		require.True(t, ok)
		return p.AuthInfo.(credentials.TLSInfo).State.PeerCertificates[0]
	}
	require.True(t, first.Leaf.Equal(shown(old)))
	require.True(t, second.Leaf.Equal(shown(fresh)))
}

// TestRefusedBesideOthers: clients that are refused, again and again, are no trouble to the others.
func TestRefusedBesideOthers(t *testing.T) {
	r := newRig(t)
	server := r.newServer(t, &tlsconfig.ServerOptions{Clients: r.clients()})
	l := listen(t)
	serve(t, serverCreds(t, server), l)
	good := clientCreds(t, r.newClient(t, &tlsconfig.ClientOptions{Identity: tlsconfig.Static(r.client)}))
	bad := clientCreds(t, r.newClient(t, &tlsconfig.ClientOptions{Identity: tlsconfig.Static(clientOf(r.ca, "other.example"))}))
	calls := newLoad(t, l.Addr().String(), good)
	var refused, wrong atomic.Int64
	var work sync.WaitGroup
	ctx, end := context.WithCancel(t.Context())
	defer func() {
		end()
		work.Wait()
	}()
	for range 2 {
		work.Go(func() {
			for ctx.Err() == nil {
				if status.Code(check(t.Context(), l.Addr().String(), bad)) == codes.Unavailable {
					refused.Add(1)
				} else {
					wrong.Add(1)
				}
			}
		})
	}
	for range 3 {
		calls.goesOn(t)
	}
	require.Eventually(t, func() bool { return refused.Load() > 20 }, patience, time.Millisecond)
	require.Zero(t, wrong.Load())
	require.NotZero(t, server.Inventory().Refused[tlsconfig.ReasonIdentity])
}

// TestIPv6: the target may be an address in brackets.
func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here: ", err)
	}
	r := newRig(t)
	r.server = r.ca.Issue(&tlsconfigtest.Leaf{IP: []netip.Addr{netip.MustParseAddr("::1")}, Server: true, NotAfter: soon()})
	serve(t, serverCreds(t, r.newServer(t, nil)), l)
	creds := clientCreds(t, r.newClient(t, nil))
	require.NoError(t, check(t.Context(), l.Addr().String(), creds))
	conn, err := dial(l.Addr().String(), creds, grpc.WithAuthority("localhost"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	require.ErrorContains(t, err, "localhost", "the certificate is for the address alone")
}
