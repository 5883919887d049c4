package grpctls_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// listOf is the present revocation list of a CA.
func listOf(ca *tlsconfigtest.CA) []byte {
	return ca.CRL(&tlsconfigtest.CRLOptions{NextUpdate: soon()})
}

// told is an Observer that passes on what was taken in.
type told chan tlsconfig.Kind

func (c told) Observe(e tlsconfig.Event) {
	if e.Err == nil && e.Kind != tlsconfig.KindHandshake && e.Kind != tlsconfig.KindRefused && e.Kind != tlsconfig.KindTicket {
		select {
		case c <- e.Kind:
		default:
		}
	}
}

// side is a Server or Client whose certificate and roots are files.
type side struct {
	dir, roots, crl string
	told            told
}

func newSide(t *testing.T, cert tls.Certificate, roots ...[]byte) *side {
	dir := t.TempDir()
	s := &side{dir, filepath.Join(dir, "ca.pem"), filepath.Join(dir, "crl.pem"), make(told, 1000)}
	tlsconfigtest.WritePair(t, dir, cert)
	s.write(t, s.roots, roots...)
	return s
}

func (s *side) identity() tlsconfig.Identity {
	return tlsconfig.Files(filepath.Join(s.dir, "tls.crt"), filepath.Join(s.dir, "tls.key"))
}

func (s *side) write(t *testing.T, path string, parts ...[]byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".new", bytes.Join(parts, nil), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

// wait waits until something was taken in.
func (s *side) wait(t *testing.T, kind tlsconfig.Kind) {
	t.Helper()
	for timeout := time.After(patience); ; {
		select {
		case got := <-s.told:
			if got == kind {
				return
			}
		case <-timeout:
			require.FailNow(t, "not taken in", "%s", kind)
		}
	}
}

func (s *side) shows(t *testing.T, cert tls.Certificate) {
	t.Helper()
	tlsconfigtest.WritePair(t, s.dir, cert)
	s.wait(t, tlsconfig.KindCertificate)
}

func (s *side) trusts(t *testing.T, roots ...[]byte) {
	t.Helper()
	s.write(t, s.roots, roots...)
	s.wait(t, tlsconfig.KindTrust)
}

// load makes calls, each on a new connection, and others on one whose connections the server ends after a while.
type load struct {
	done, failed atomic.Int64
	first        atomic.Value
	work         sync.WaitGroup
	end          context.CancelFunc
}

func newLoad(t *testing.T, target string, creds credentials.TransportCredentials) *load {
	l := &load{}
	ctx, end := context.WithCancel(t.Context())
	l.end = end
	worker := func(call func() error) {
		l.work.Go(func() {
			for ctx.Err() == nil {
				if err := call(); err != nil {
					l.failed.Add(1)
					l.first.CompareAndSwap(nil, err.Error())
					return
				}
				l.done.Add(1)
			}
		})
	}
	for range 4 {
		worker(func() error { return check(t.Context(), target, creds) })
	}
	conn, err := dial(target, creds)
	require.NoError(t, err)
	for range 2 {
		worker(func() error {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
			return err
		})
	}
	t.Cleanup(func() {
		l.stop()
		conn.Close()
	})
	return l
}

func (l *load) stop() {
	l.end()
	l.work.Wait()
}

// goesOn waits for more calls, none of which may fail.
func (l *load) goesOn(t *testing.T) {
	t.Helper()
	want := l.done.Load() + 100
	require.Eventually(t, func() bool { return l.done.Load() >= want || l.failed.Load() > 0 }, patience, time.Millisecond)
	require.Zero(t, l.failed.Load(), "first: %v", l.first.Load())
}

// TestSwaps: both sides move to another CA, roots first, while calls go on; none fails. Then the old CA is worth nothing, nor is a certificate that was revoked.
func TestSwaps(t *testing.T) {
	o := &tlsconfigtest.CAOptions{NotAfter: soon().Add(time.Hour)}
	before, after := tlsconfigtest.NewCA(t, o), tlsconfigtest.NewCA(t, o)
	mine, theirs := newSide(t, serverOf(before), before.PEM()), newSide(t, clientOf(before, "client.example"), before.PEM())
	mine.write(t, mine.crl, listOf(before), listOf(after))
	server, err := tlsconfig.NewServer(t.Context(), mine.identity(), &tlsconfig.ServerOptions{Observer: mine.told, Clients: &tlsconfig.Clients{
		Roots: tlsconfig.RootFiles(mine.roots), Allow: tlsconfig.DNS("client.example"), Revoked: tlsconfig.CRLFiles(mine.crl),
	}})
	require.NoError(t, err)
	defer server.Close()
	client, err := tlsconfig.NewClient(t.Context(), tlsconfig.RootFiles(theirs.roots), &tlsconfig.ClientOptions{Identity: theirs.identity(), Observer: theirs.told})
	require.NoError(t, err)
	defer client.Close()
	l := listen(t)
	serve(t, serverCreds(t, server), l, grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: 50 * time.Millisecond}))
	creds, target := clientCreds(t, client), l.Addr().String()

	calls := newLoad(t, target, creds)
	calls.goesOn(t)
	mine.trusts(t, before.PEM(), after.PEM())
	theirs.trusts(t, before.PEM(), after.PEM())
	calls.goesOn(t)
	mine.shows(t, serverOf(after))
	fresh := clientOf(after, "client.example")
	theirs.shows(t, fresh)
	calls.goesOn(t)
	mine.trusts(t, after.PEM())
	theirs.trusts(t, after.PEM())
	calls.goesOn(t)
	calls.stop()
	require.Zero(t, calls.failed.Load(), "first: %v", calls.first.Load())
	t.Logf("%d calls, none failed", calls.done.Load())

	becomes := func(want codes.Code) {
		t.Helper()
		require.Eventually(t, func() bool { return status.Code(check(t.Context(), target, creds)) == want }, patience, time.Millisecond)
		require.Equal(t, want, status.Code(check(t.Context(), target, creds)))
	}
	theirs.shows(t, clientOf(before, "client.example"))
	becomes(codes.Unavailable)
	theirs.shows(t, fresh)
	becomes(codes.OK) // the second time with a session
	after.Revoke(fresh.Leaf)
	mine.write(t, mine.crl, listOf(before), listOf(after))
	becomes(codes.Unavailable)
	theirs.shows(t, clientOf(after, "client.example"))
	becomes(codes.OK)
	mine.shows(t, serverOf(before))
	becomes(codes.Unavailable)
}
