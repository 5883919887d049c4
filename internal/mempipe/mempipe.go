// Package mempipe connects two ends in memory. Unlike those of net.Pipe its writes don't wait for the reader, so that both ends may write first, as TLS alerts and tickets need.
package mempipe

import (
	"bytes"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Conn is one end of a connection in memory. It is safe for concurrent use.
type Conn struct {
	in, out *stream
}

// New returns both ends. They hold no goroutine, and no timer once they are closed.
func New() (a, b *Conn) {
	x, y := newStream(), newStream()
	return &Conn{x, y}, &Conn{y, x}
}

// Read waits for what the other end writes.
func (c *Conn) Read(p []byte) (int, error) { return c.in.read(p) }

// Write never waits. What is not read yet is kept, without a bound.
func (c *Conn) Write(p []byte) (int, error) { return c.out.write(p) }

// Close ends both directions. The other end still reads what was written before.
func (c *Conn) Close() error {
	c.in.close()
	c.out.close()
	return nil
}

// CloseWrite ends the direction to the other end, which still reads what was written before.
func (c *Conn) CloseWrite() error {
	c.out.close()
	return nil
}

// LocalAddr returns the same for all: an address that nobody has (RFC 5737), for what takes addresses apart.
func (c *Conn) LocalAddr() net.Addr { return address() }

// RemoteAddr returns what LocalAddr does.
func (c *Conn) RemoteAddr() net.Addr { return address() }

func address() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

// SetDeadline is about reading alone, since writes never wait.
func (c *Conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetReadDeadline wakes a reader at t.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.deadline(t)
	return nil
}

// SetWriteDeadline has nothing to do: writes never wait.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

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
		s.timer = time.AfterFunc(time.Until(t), s.rouse)
	}
	s.wake.Broadcast()
}

// rouse has readers look again. It takes the lock, or one that has looked and does not wait yet would miss it.
func (s *stream) rouse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake.Broadcast()
}
