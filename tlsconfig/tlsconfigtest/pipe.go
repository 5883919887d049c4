package tlsconfigtest

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/internal/mempipe"
)

// patience is how long a handshake in memory may take: far more than it does, so that a hang fails the test that hangs.
const patience = time.Minute

// Conns returns both ends of a connection in memory, for what takes a net.Conn. Unlike those of net.Pipe its writes don't wait for the reader. Both ends are closed when the test ends.
func Conns(t testing.TB) (a, b net.Conn) {
	t.Helper()
	return memPipe(t)
}

// memPipe returns both ends of a connection in memory, which are closed when the test ends.
func memPipe(t testing.TB) (a, b *mempipe.Conn) {
	a, b = mempipe.New()
	t.Cleanup(func() {
		_ = a.Close()
		_ = b.Close()
	})
	return a, b
}

// Pipe connects two configs in memory and returns both ends after the handshake, with what each end makes of it.
//
// In TLS 1.3 a client is done before the server has looked at its certificate, and learns of a refusal when it reads first. Pipe reads for it, so clientErr is set whenever the server refused.
// The client reads the session tickets of the server when it reads first: have the server write something to resume later. Writes never wait. Both ends are closed when the test ends.
func Pipe(t testing.TB, server, client *tls.Config) (s, c *tls.Conn, serverErr, clientErr error) {
	t.Helper()
	serverEnd, clientEnd := memPipe(t)
	deadline := time.Now().Add(patience)
	_ = serverEnd.SetDeadline(deadline)
	_ = clientEnd.SetDeadline(deadline)

	s, c = tls.Server(serverEnd, server), tls.Client(clientEnd, client)
	served := make(chan error, 1)
	go func() {
		err := s.Handshake()
		if err != nil {
			_ = serverEnd.CloseWrite() // the alert is in there already
		}
		served <- err
	}()
	if clientErr = c.Handshake(); clientErr != nil {
		_ = clientEnd.CloseWrite()
	}
	if serverErr = <-served; serverErr != nil && clientErr == nil {
		_, clientErr = c.Read(make([]byte, 1))
	}
	_ = serverEnd.SetDeadline(time.Time{})
	_ = clientEnd.SetDeadline(time.Time{})
	return s, c, serverErr, clientErr
}
