package tlsconfig

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/holdfast-go/holdfast/internal/mempipe"
)

// shakeTimeout is how long a handshake of an audit may take: in memory it takes milliseconds, or as long as a KMS takes to sign.
const shakeTimeout = 5 * time.Second

// maxChatter is how much a client reads after its handshake, for session tickets: more than any number of them has.
const maxChatter = 1 << 20

// errUnfinished is that of an end whose callback ended the goroutine.
var errUnfinished = errors.New("a callback ended the goroutine")

// end is what one end makes of a handshake.
type end struct {
	state    tls.ConnectionState // as far as it came
	done     bool                // it is content with the handshake
	err      error               // of the handshake; at a client also of what the server said then
	panicked string              // "" if no callback did
}

// shaken is what came of a handshake in memory.
type shaken struct {
	client, server end
	hung           bool // not over in time: the ends are not known
}

// letIn says whether both ends are content.
func (s *shaken) letIn() bool { return s.client.done && s.server.done && s.client.err == nil }

// agreed says whether the server agreed to a version and suite, whatever came then.
func (s *shaken) agreed() bool { return s.client.state.Version != 0 && s.client.state.CipherSuite != 0 }

// shake makes a handshake between two configs, in memory. The client reads what the server says until it ends the connection, and so has its session tickets, and learns of a refusal.
func shake(ctx context.Context, server, client *tls.Config) (s shaken) {
	ctx, cancel := context.WithTimeout(ctx, shakeTimeout)
	defer cancel()
	serverPipe, clientPipe := mempipe.New()
	defer serverPipe.Close()
	defer clientPipe.Close()

	served, asked := make(chan end, 1), make(chan end, 1)
	go drive(ctx, tls.Server(serverPipe, server), serverPipe, false, served)
	go drive(ctx, tls.Client(clientPipe, client), clientPipe, true, asked)
	for range 2 {
		select {
		case s.server = <-served:
		case s.client = <-asked:
		case <-ctx.Done():
			return shaken{hung: true}
		}
	}
	s.hung = ctx.Err() != nil // they gave up
	return s
}

// drive does one end of a handshake.
func drive(ctx context.Context, conn *tls.Conn, pipe *mempipe.Conn, client bool, result chan<- end) {
	e := end{err: errUnfinished}
	defer func() {
		if p := recover(); p != nil {
			e.panicked = brief(fmt.Sprint(p))
			e.err = fmt.Errorf("a callback panicked: %s", e.panicked)
		}
		_ = pipe.CloseWrite()
		result <- e
	}()
	e.err = conn.HandshakeContext(ctx)
	e.state = conn.ConnectionState()
	if e.done = e.err == nil; !e.done {
		return
	}
	if client {
		_, e.err = io.CopyN(io.Discard, conn, maxChatter)
		if errors.Is(e.err, io.EOF) {
			e.err = nil
		}
	}
	_ = conn.CloseWrite()
}

// meet makes a handshake and notes what should never happen in one: panics and hangs of callbacks. It is not ok then, nor when ctx has ended, and the audit of the target is over.
func (e *examined) meet(ctx context.Context, server, client *tls.Config) (s shaken, ok bool) {
	s = shake(ctx, server, client)
	switch {
	case ctx.Err() != nil:
		return s, false
	case s.hung:
		e.find(0, SeverityViolation, "have callbacks return soon after the context of the hello ends", "a handshake was not over after %v", shakeTimeout)
		e.unseen("all that would have come after the handshake that hung")
		return s, false
	}
	for _, end := range []end{s.server, s.client} {
		if end.panicked != "" {
			e.find(0, SeverityViolation, "return an error instead", "a callback panicked: %q", end.panicked)
			e.unseen("all that would have come after the handshake that panicked")
			return s, false
		}
	}
	return s, true
}
