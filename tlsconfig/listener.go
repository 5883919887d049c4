package tlsconfig

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/netip"
	"sync"
	"time"
)

// listener hands out connections whose handshake is done, so that one that takes its time holds up nobody.
type listener struct {
	net.Listener
	server    *Server
	gate      *gate
	timeout   time.Duration // of a handshake
	protocols []string
	log       *log.Logger  // nil for the standard one
	ready     chan arrival // done, in the order in which Accept returns them
	failed    chan error
	once      sync.Once // begins to accept
	life      context.Context
	end       context.CancelFunc
}

// maxArrivals is how many connections wait for Accept whose handshake is done. More keep the slots of their handshakes, and may be ended as those.
const maxArrivals = 128

// arrival is a connection whose handshake is done.
type arrival struct {
	conn *tls.Conn
	addr netip.Addr
}

func newListener(life context.Context, s *Server, l net.Listener, g *gate, timeout time.Duration) *listener {
	life, end := context.WithCancel(life)
	return &listener{Listener: l, server: s, gate: g, timeout: timeout, protocols: s.protocols, ready: make(chan arrival, maxArrivals), failed: make(chan error, 1), life: life, end: end}
}

// Accept returns the next connection whose handshake is done, a *tls.Conn.
func (l *listener) Accept() (net.Conn, error) {
	l.once.Do(func() { go l.accept() })
	for {
		select {
		case a := <-l.ready:
			if l.gate.allow == nil || l.gate.allow.Contains(a.addr) {
				return a.conn, nil
			}
			l.server.tell(Event{Kind: KindRefused, Reason: ReasonAddress}) // the list was replaced
			go a.conn.Close()
		case err := <-l.failed:
			l.failed <- err // for whoever asks again
			return nil, err
		case <-l.life.Done():
			return nil, net.ErrClosed
		}
	}
}

// Close ends it with the handshakes in flight.
func (l *listener) Close() error {
	l.end()
	err := l.Listener.Close()
	l.drain()
	return err
}

// drain closes what waits for Accept.
func (l *listener) drain() {
	for {
		select {
		case a := <-l.ready:
			go a.conn.Close() // which tells the client, and may wait for it
		default:
			return
		}
	}
}

func (l *listener) accept() {
	wait := time.Duration(0)
	for {
		raw, err := l.Listener.Accept()
		var slow interface{ Temporary() bool }
		switch {
		case err == nil:
			wait = 0
			l.admit(raw)
		case errors.As(err, &slow) && slow.Temporary() && l.life.Err() == nil: // out of file descriptors: as net/http does
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			select {
			case <-time.After(wait):
			case <-l.life.Done():
			}
		default:
			l.failed <- err
			return
		}
	}
}

// admit begins the handshake of a connection that may have one.
func (l *listener) admit(raw net.Conn) {
	defer recovered(func(text string) { l.panicked(raw, text) })
	v, reason := l.gate.enter(l.life, raw, time.Now())
	if v != nil {
		go l.shake(raw, v)
		return
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		tcp.SetLinger(0) // a reset leaves nothing behind here; a close has the kernel keep the port for a minute
	}
	raw.Close()
	l.server.tell(Event{Kind: KindRefused, Reason: reason})
}

// shake does the handshake of a connection.
func (l *listener) shake(raw net.Conn, v *visit) {
	well := false
	defer func() { l.gate.leave(v, well) }()
	defer recovered(func(text string) { l.panicked(raw, text) })
	conn, met, err := l.handshake(raw, v)
	if err != nil {
		raw.Close()
		reason := ReasonOf(err)
		if errors.Is(context.Cause(v.ctx), errBusy) {
			reason = ReasonBusy
		}
		l.server.failed(met, reason)
		return
	}
	well = true
	l.server.agreed(conn)
	l.server.done.add(conn)
	select {
	case l.ready <- arrival{conn, v.addr}:
		if l.life.Err() != nil {
			l.drain() // Close may have done so before
		}
	case <-v.ctx.Done():
		conn.Close()
		if errors.Is(context.Cause(v.ctx), errBusy) {
			l.server.tell(Event{Kind: KindRefused, Reason: ReasonBusy})
		}
	}
}

// handshake does it, within the time for one. met is nil where no hello came.
func (l *listener) handshake(raw net.Conn, v *visit) (conn *tls.Conn, met *serverConn, err error) {
	ctx, cancel := context.WithDeadline(v.ctx, v.since.Add(l.timeout))
	defer cancel()
	var sign func(context.Context) error
	if l.gate.budget != nil {
		sign = func(ctx context.Context) error { return l.turn(ctx, raw, v) }
	}
	return l.server.shake(ctx, raw, l.protocols, sign)
}

// turn waits for a signature of the budget, for half the time of the handshake: the rest is for the signer and the client, and the client hears that it failed.
func (l *listener) turn(ctx context.Context, raw net.Conn, v *visit) error {
	ctx, cancel := context.WithDeadline(ctx, v.since.Add(l.timeout/2))
	defer cancel()
	if err := l.gate.budget.wait(ctx, v.source); errors.Is(err, context.DeadlineExceeded) {
		return refuse(ReasonRate, "no turn for a signature: %w", err)
	} else if err != nil {
		return err
	}
	if hungUp(raw) {
		l.gate.budget.giveBack(v.source)
		return refuse(ReasonOther, "the client is gone: %w", io.ErrUnexpectedEOF)
	}
	return nil
}

// panicked closes the connection in whose handshake a user's code panicked.
func (l *listener) panicked(raw net.Conn, text string) {
	raw.Close()
	if l.log != nil {
		l.log.Print(text)
	} else {
		log.Print(text)
	}
}
