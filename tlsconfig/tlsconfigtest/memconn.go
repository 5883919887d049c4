package tlsconfigtest

import (
	"bytes"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// memConn is one end of a connection in memory. Unlike those of net.Pipe its writes don't wait for the reader, so both ends may write first, as TLS alerts and tickets need.
type memConn struct {
	in, out *stream
}

// memPipe returns both ends, which are closed when the test ends.
func memPipe(t testing.TB) (a, b *memConn) {
	x, y := newStream(), newStream()
	a, b = &memConn{x, y}, &memConn{y, x}
	t.Cleanup(func() {
		_ = a.Close()
		_ = b.Close()
	})
	return a, b
}

// Read waits for what the other end writes.
func (c *memConn) Read(p []byte) (int, error) { return c.in.read(p) }

// Write never waits.
func (c *memConn) Write(p []byte) (int, error) { return c.out.write(p) }

// Close ends both directions. The other end still reads what was written before.
func (c *memConn) Close() error {
	c.in.close()
	c.out.close()
	return nil
}

// LocalAddr returns the same for all.
func (c *memConn) LocalAddr() net.Addr { return memAddr{} }

// RemoteAddr returns the same for all.
func (c *memConn) RemoteAddr() net.Addr { return memAddr{} }

// SetDeadline is about reading alone, since writes never wait.
func (c *memConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline wakes a reader at t.
func (c *memConn) SetReadDeadline(t time.Time) error {
	c.in.deadline(t)
	return nil
}

// SetWriteDeadline has nothing to do: writes never wait.
func (c *memConn) SetWriteDeadline(time.Time) error { return nil }

// memAddr is the address of all of them.
type memAddr struct{}

// Network names what it is.
func (memAddr) Network() string { return "memory" }

// String names what it is.
func (memAddr) String() string { return "memory" }

// stream is one direction.
type stream struct {
	mu     sync.Mutex
	wake   *sync.Cond
	data   bytes.Buffer
	closed bool
	until  time.Time
	timer  *time.Timer
}

// newStream returns an empty one.
func newStream() *stream {
	s := &stream{}
	s.wake = sync.NewCond(&s.mu)
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case !s.until.IsZero() && !time.Now().Before(s.until):
			return 0, os.ErrDeadlineExceeded
		case s.data.Len() > 0:
			return s.data.Read(p)
		case s.closed:
			return 0, io.EOF
		}
		s.wake.Wait()
	}
}

func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, io.ErrClosedPipe
	}
	s.wake.Broadcast()
	return s.data.Write(p)
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.wake.Broadcast()
}

func (s *stream) deadline(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = t
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if !t.IsZero() && !s.closed {
		s.timer = time.AfterFunc(time.Until(t), s.wake.Broadcast)
	}
	s.wake.Broadcast()
}
