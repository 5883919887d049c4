package tlsconfig

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Bounds of Serve: those of h where they are zero.
const (
	handshakeTimeout  = 10 * time.Second
	serveConcurrent   = 4096 // handshakes of all sources: behind a proxy everybody is one
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
)

// Serve serves h on l, by TLS always, until h is shut down or l fails, and returns what h.Serve does. It sets ReadHeaderTimeout (10 s) and IdleTimeout (2 min) of h where they are zero, speaks HTTP/2, and wraps its Handler, to answer 421 to a
// request for another host than the connection was made for, since its certificate and rules may be another's. h.TLSConfig must be nil: this Server is its config.
//
// A handshake has 10 s, and of more than 4096 at once the oldest gives way. Of a listener that [Server.Guard] returned, the bounds are those of the Guard.
func (s *Server) Serve(h *http.Server, l net.Listener) error {
	switch {
	case h == nil || l == nil:
		return invalid("Serve needs an http.Server and a net.Listener")
	case s.over.Load():
		return ErrClosed
	}
	guarded, ok := l.(*listener)
	if ok && guarded.server != s {
		return invalid("the listener is guarded by another Server")
	}
	if err := s.prepare(h); err != nil {
		return err
	}
	var own *listener
	if ok {
		own = newListener(guarded.life, s, guarded.Listener, guarded.gate, guarded.timeout)
	} else {
		own = newListener(context.Background(), s, l, &gate{together: true, concurrent: serveConcurrent}, handshakeTimeout)
	}
	own.protocols, own.log = s.protocolsOf(h), h.ErrorLog
	return h.Serve(own)
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

// recovered ends a panic of a user's code in a handshake, as net/http does for its handlers: a client must not choose when the process ends. say is nil for nobody.
func recovered(say func(text string)) {
	if r := recover(); r != nil && say != nil {
		say(fmt.Sprintf("tlsconfig: panic in a handshake: %v\n%s", r, debug.Stack()))
	}
}
