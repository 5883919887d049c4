package tlsconfig

import (
	"context"
	"crypto/tls"
	"log"
	"net"
	"runtime"
	"sync"
	"weak"
)

// Handshake does the handshake of a connection that a listener has accepted, within ctx and 10 s, for servers of other protocols: the Observer hears how it ends. It closes raw where it fails, with a *Refusal or what crypto/tls says: see [ReasonOf].
// A connection of a listener that [Server.Guard] returned is done already and comes back as it is; any other *tls.Conn is ErrInvalid.
func (s *Server) Handshake(ctx context.Context, raw net.Conn) (conn *tls.Conn, err error) {
	defer recovered(func(text string) {
		raw.Close()
		log.Print(text)
		conn, err = nil, refuse(ReasonOther, "a panic in the handshake")
	})
	if done, ok := raw.(*tls.Conn); ok {
		if s.done.has(done) {
			return done, nil
		}
		err = invalid("the connection is TLS already, and no Guard of this Server made it")
	} else if s.over.Load() {
		err = ErrClosed
	}
	if err != nil {
		raw.Close()
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn, met, err := s.shake(ctx, raw, s.protocols, nil)
	if err != nil {
		raw.Close()
		s.failed(met, ReasonOf(err))
		return nil, err
	}
	s.agreed(conn)
	return conn, nil
}

// shake does the handshake of a connection within ctx. sign waits until the key may sign, nil for at once. What it returns as met is nil where no hello came.
func (s *Server) shake(ctx context.Context, raw net.Conn, protocols []string, sign func(context.Context) error) (conn *tls.Conn, met *serverConn, err error) {
	conn = tls.Server(raw, &tls.Config{SessionTicketsDisabled: true, GetConfigForClient: func(h *tls.ClientHelloInfo) (config *tls.Config, err error) {
		if met, config, err = s.meet(h); err == nil {
			met.served, met.sign, config.NextProtos = true, sign, protocols
		}
		return config, err
	}})
	err = conn.HandshakeContext(ctx)
	return conn, met, err
}

// agreed counts and tells of a handshake that ended well.
func (s *Server) agreed(conn *tls.Conn) {
	cs := conn.ConnectionState()
	s.tally.observe(s.observer, true, &cs, true)
}

// failed tells of a handshake that did not.
func (s *Server) failed(met *serverConn, reason Reason) {
	if met != nil {
		met.refused(reason)
	} else if reason == ReasonTimeout || reason == ReasonPeer || reason == ReasonBusy { // else no client at all: a port scan, a health check
		s.tell(Event{Kind: KindRefused, Reason: reason})
	}
}

// handshaken knows connections while somebody has them. Its zero value is ready, and it is safe for concurrent use.
type handshaken struct {
	all sync.Map // of weak.Pointer[tls.Conn]
}

func (h *handshaken) add(conn *tls.Conn) {
	p := weak.Make(conn)
	h.all.Store(p, nil)
	runtime.AddCleanup(conn, func(p weak.Pointer[tls.Conn]) { h.all.Delete(p) }, p)
}

func (h *handshaken) has(conn *tls.Conn) bool {
	_, ok := h.all.Load(weak.Make(conn))
	return ok
}
