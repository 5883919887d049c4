package tlsconfig_test

import (
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// far is a listener on loopback whose connections come from wherever a test says.
type far struct {
	net.Listener
	mu   sync.Mutex
	from map[string]net.Addr
}

func newFar(t testing.TB) *far {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return &far{Listener: l, from: map[string]net.Addr{}}
}

// dial connects from an address.
func (f *far) dial(from string) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := net.Dial("tcp", f.Addr().String())
	if err == nil {
		f.from[c.LocalAddr().String()] = net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 50_000))
	}
	return c, err
}

// hear does a handshake from an address and reads what it is told.
func (f *far) hear(from string, config *tls.Config) (tls.ConnectionState, error) {
	raw, err := f.dial(from)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	return hearOn(raw, config)
}

// hearOn does a handshake and reads what it is told, which must be something.
func hearOn(raw net.Conn, config *tls.Config) (tls.ConnectionState, error) {
	conn := tls.Client(raw, config)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	said, err := io.ReadAll(conn)
	if err == nil && string(said) != "hello" {
		err = errors.New("it says " + string(said))
	}
	return conn.ConnectionState(), err
}

func (f *far) Accept() (net.Conn, error) {
	c, err := f.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &farConn{c, f}, nil
}

type farConn struct {
	net.Conn
	far *far
}

func (c *farConn) RemoteAddr() net.Addr {
	c.far.mu.Lock()
	defer c.far.mu.Unlock()
	return c.far.from[c.Conn.RemoteAddr().String()]
}

// guard answers every connection of l with "hello".
func guard(t testing.TB, s *tlsconfig.Server, l net.Listener, o *tlsconfig.GuardOptions) net.Listener {
	t.Helper()
	guarded, err := s.Guard(l, o)
	require.NoError(t, err)
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := guarded.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer conn.Close()
				io.WriteString(conn, "hello")
			})
		}
	})
	t.Cleanup(func() {
		guarded.Close()
		work.Wait()
	})
	return guarded
}

// closedOn waits until the other side has closed a connection.
func closedOn(t testing.TB, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(time.Minute))
	_, err := io.Copy(io.Discard, c)
	require.NotErrorIs(t, err, context.DeadlineExceeded, "it is open")
	var timeout net.Error
	require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "it is open")
}

// refusals waits until a number of connections were refused for a reason.
func refusals(t testing.TB, s *tlsconfig.Server, reason tlsconfig.Reason, want uint64) {
	t.Helper()
	require.Eventually(t, func() bool { return s.Inventory().Refused[reason] >= want }, time.Minute, time.Millisecond, "%s", reason)
	require.Equal(t, want, s.Inventory().Refused[reason])
}

// meteredKey is a key in a KMS that counts its signatures.
type meteredKey struct {
	crypto.Signer
	signed atomic.Int64
}

func (k *meteredKey) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	k.signed.Add(1)
	return k.Signer.Sign(rand, digest, opts)
}

// newMetered returns a Server with a metered key, and had nothing to sign yet.
func (s *served) newMetered(t testing.TB, o *tlsconfig.ServerOptions) (*tlsconfig.Server, *meteredKey) {
	key := &meteredKey{Signer: s.server.PrivateKey.(crypto.Signer)}
	server, err := tlsconfig.NewServer(t.Context(), tlsconfig.Signer(s.server.Certificate, key, nil), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	key.signed.Store(0) // that found out what it can do
	return server, key
}

// helloOf returns the first flight of a client.
func helloOf(t testing.TB, config *tls.Config) []byte {
	client, server := net.Pipe()
	defer server.Close()
	var work sync.WaitGroup
	work.Go(func() {
		defer client.Close()
		_ = tls.Client(client, config).HandshakeContext(t.Context()) // nobody answers
	})
	buf := make([]byte, 1<<14)
	n, err := server.Read(buf)
	require.NoError(t, err)
	server.Close()
	work.Wait()
	return buf[:n]
}
