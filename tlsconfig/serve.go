package tlsconfig

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

// Timeouts that Serve sets where they are zero.
const (
	handshakeTimeout  = 10 * time.Second
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
)

// Serve serves h on l, by TLS always, until h is shut down or l fails, and returns what h.Serve does. It sets ReadHeaderTimeout (10 s) and IdleTimeout (2 min) of h where they are zero, gives a handshake 10 s, speaks HTTP/2, and wraps its Handler, to answer 421 to a
// request for another host than the connection was made for, since its certificate and rules may be another's. h.TLSConfig must be nil: this Server is its config.
func (s *Server) Serve(h *http.Server, l net.Listener) error {
	switch {
	case h == nil || l == nil:
		return invalid("Serve needs an http.Server and a net.Listener")
	case s.over.Load():
		return ErrClosed
	}
	if err := s.prepare(h); err != nil {
		return err
	}
	return h.Serve(s.listen(h, l))
}

// prepare sets what Serve sets of h, once.
func (s *Server) prepare(h *http.Server) error {
	s.preparing.Lock()
	defer s.preparing.Unlock()
	if check, ok := h.Handler.(*hostCheck); ok {
		if check.server != s {
			return invalid("the http.Server is served by another Server")
		}
		return nil
	}
	if h.TLSConfig != nil {
		return invalid("http.Server.TLSConfig is set, and would not be used: leave it nil")
	}
	if h.ReadHeaderTimeout == 0 && h.ReadTimeout == 0 {
		h.ReadHeaderTimeout = readHeaderTimeout
	}
	if h.IdleTimeout == 0 {
		h.IdleTimeout = idleTimeout
	}
	h.Handler = &hostCheck{s, h.Handler}
	return nil
}

// protocolsOf returns those of the Server that h speaks.
func (s *Server) protocolsOf(h *http.Server) []string {
	off := map[string]bool{}
	if h.TLSNextProto != nil && h.TLSNextProto["h2"] == nil {
		off["h2"] = true
	}
	if p := h.Protocols; p != nil {
		off["h2"], off["http/1.1"] = off["h2"] || !p.HTTP2(), !p.HTTP1()
	}
	return slices.DeleteFunc(slices.Clone(s.protocols), func(name string) bool { return off[name] })
}

// hostCheck answers 421 to requests for another host than that of the connection.
type hostCheck struct {
	server *Server
	next   http.Handler
}

func (c *hostCheck) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.TLS == nil || !sameHost(r.TLS.ServerName, r.Host) {
		c.server.tell(Event{Kind: KindRefused, Reason: ReasonMisdirected})
		http.Error(w, "421 Misdirected Request", http.StatusMisdirectedRequest)
		return
	}
	if c.next == nil {
		http.DefaultServeMux.ServeHTTP(w, r)
		return
	}
	c.next.ServeHTTP(w, r)
}

// sameHost tells whether a request's host, perhaps with a port, is the one that the client asked for in the handshake. There clients don't name addresses (RFC 6066 section 3).
func sameHost(serverName, host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(host, ".")
	if serverName == "" {
		_, err := netip.ParseAddr(strings.Trim(host, "[]"))
		return err == nil
	}
	return strings.EqualFold(strings.TrimSuffix(serverName, "."), host)
}

// listener hands out connections whose handshake is done, so that one that takes its time holds up nobody.
type listener struct {
	net.Listener
	server    *Server
	log       *log.Logger // nil for the standard one
	protocols []string
	ready     chan net.Conn
	failed    chan error
	once      sync.Once // begins to accept
	life      context.Context
	end       context.CancelFunc
}

func (s *Server) listen(h *http.Server, l net.Listener) net.Listener {
	life, end := context.WithCancel(context.Background())
	return &listener{Listener: l, server: s, log: h.ErrorLog, protocols: s.protocolsOf(h), ready: make(chan net.Conn), failed: make(chan error, 1), life: life, end: end}
}

// Accept returns the next connection whose handshake is done.
func (l *listener) Accept() (net.Conn, error) {
	l.once.Do(func() { go l.accept() })
	select {
	case c := <-l.ready:
		return c, nil
	case err := <-l.failed:
		l.failed <- err // for whoever asks again
		return nil, err
	case <-l.life.Done():
		return nil, net.ErrClosed
	}
}

// Close ends it with the handshakes in flight.
func (l *listener) Close() error {
	l.end()
	return l.Listener.Close()
}

func (l *listener) accept() {
	wait := time.Duration(0)
	for {
		raw, err := l.Listener.Accept()
		var slow interface{ Temporary() bool }
		switch {
		case err == nil:
			wait = 0
			go l.shake(raw)
		case errors.As(err, &slow) && slow.Temporary() && l.life.Err() == nil: // out of file descriptors: as net/http does
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			time.Sleep(wait)
		default:
			l.failed <- err
			return
		}
	}
}

// shake does the handshake of a connection.
func (l *listener) shake(raw net.Conn) {
	defer recovered(func(text string) {
		raw.Close()
		if l.log != nil {
			l.log.Print(text)
		} else {
			log.Print(text)
		}
	})
	ctx, cancel := context.WithTimeout(l.life, handshakeTimeout)
	defer cancel()
	var met *serverConn
	conn := tls.Server(raw, &tls.Config{SessionTicketsDisabled: true, GetConfigForClient: func(h *tls.ClientHelloInfo) (config *tls.Config, err error) {
		if met, config, err = l.server.meet(h); err == nil {
			met.served, config.NextProtos = true, l.protocols
		}
		return config, err
	}})
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		reason := ReasonOf(err)
		if met != nil {
			met.refused(reason)
		} else if reason == ReasonTimeout || reason == ReasonPeer { // else no client at all: a port scan, a health check
			l.server.tell(Event{Kind: KindRefused, Reason: reason})
		}
		return
	}
	cs := conn.ConnectionState()
	observe(l.server.observer, true, &cs, true)
	select {
	case l.ready <- conn:
	case <-l.life.Done():
		conn.Close()
	}
}

// recovered ends a panic of a user's code in a handshake, as net/http does for its handlers: a client must not choose when the process ends. say is nil for nobody.
func recovered(say func(text string)) {
	if r := recover(); r != nil && say != nil {
		say(fmt.Sprintf("tlsconfig: panic in a handshake: %v\n%s", r, debug.Stack()))
	}
}
