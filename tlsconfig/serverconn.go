package tlsconfig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"sync/atomic"
	"time"
)

// serverConn is a handshake at a Server.
type serverConn struct {
	*Server
	*generation
	since  time.Time                   // when the client was verified in full: that of the session that is resumed
	served bool                        // by a listener of ours, which sees how the handshake ends
	sign   func(context.Context) error // waits until the key may sign; nil for at once
	agreed atomic.Bool                 // the client is let in, as far as we are concerned
	told   atomic.Bool                 // that it is refused, and why
	would  atomic.Bool                 // that ReportOnly would refuse it
	ticket atomic.Bool                 // that it is not resumed
}

// hello is GetConfigForClient where nobody of ours sees how the handshake ends.
func (s *Server) hello(h *tls.ClientHelloInfo) (*tls.Config, error) {
	c, config, err := s.meet(h)
	if err == nil && h.Context() != nil {
		context.AfterFunc(h.Context(), func() { // which ends with the handshake
			defer recovered(nil)
			if !c.agreed.Load() {
				c.refused(ReasonOther)
			}
		})
	}
	return config, err
}

// meet begins a handshake.
func (s *Server) meet(h *tls.ClientHelloInfo) (*serverConn, *tls.Config, error) {
	if s.over.Load() {
		return nil, nil, ErrClosed
	}
	c := &serverConn{Server: s, generation: s.now.Load(), since: time.Now()}
	if reason := c.policy.judgeHello(h); reason != Allowed {
		c.refused(reason) // crypto/tls does it, with the right alert
	} else {
		c.wouldRefuse(s.ruling.now().would(func(p Policy) Reason { return p.judgeHello(h) }))
	}
	config := c.generation.config.Clone()
	config.VerifyConnection = c.verify
	config.GetCertificate = c.certificate
	// A ticket of TLS 1.2 opens the sessions before it to whoever gets its key.
	if rules := c.policy.rules().effective(); s.tickets.off || rules.commonVersion(h) != tls.VersionTLS13 {
		config.SessionTicketsDisabled = true
	} else {
		config.WrapSession, config.UnwrapSession = c.wrap, c.unwrap
	}
	return c, config, nil
}

// certificate is GetCertificate.
func (c *serverConn) certificate(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	cert, err := c.Server.certificate(h)
	if err == nil && c.sign != nil { // crypto/tls asks for a certificate in full handshakes alone
		err = c.sign(h.Context())
	}
	if err != nil {
		c.refused(ReasonOf(err))
	}
	return cert, err
}

// verify is VerifyConnection: who the client is must be allowed, in full handshakes and in resumed ones.
func (c *serverConn) verify(cs tls.ConnectionState) error {
	chain, err := c.judge(&cs)
	if err != nil {
		c.refused(ReasonOf(err))
		return err
	}
	c.agreed.Store(true)
	c.wouldRefuse(c.ruling.now().would(func(p Policy) Reason { return reportPeer(p, chain, p.needsClients()) }))
	if !c.served { // the client has yet to prove that the certificate is its own: nobody is named
		c.tally.observe(c.observer, true, &cs, false)
	}
	return nil
}

// judge returns the chain of the client, nil where it has none.
func (c *serverConn) judge(cs *tls.ConnectionState) ([]*x509.Certificate, error) {
	if c.over.Load() {
		return nil, ErrClosed
	}
	now := c.Server.now.Load()
	if err := now.policy.stillAllows(c.policy, cs); err != nil {
		return nil, err
	}
	if c.clients == nil {
		return nil, nil
	}
	if len(cs.VerifiedChains) == 0 {
		if !c.clients.Optional || len(cs.PeerCertificates) > 0 {
			return nil, refuse(ReasonNoCertificate, "the client has no verified certificate")
		}
		return nil, nil
	}
	// Trust may have changed since the hello; and what roots of a user's own check besides, crypto/tls leaves out of resumed sessions.
	if pool, _ := c.roots.now(); now != c.generation || cs.DidResume && !c.roots.listed() {
		if err := verifyAgain(cs, x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			return nil, err
		}
	}
	return judgePeer(cs, now.policy, c.clients.Allow, c.revoked)
}

// refused tells, once, that the client is refused.
func (c *serverConn) refused(reason Reason) {
	if c.told.CompareAndSwap(false, true) {
		c.tell(Event{Kind: KindRefused, Reason: reason})
	}
}

// wouldRefuse tells, once, that a policy which refuses nothing would refuse the client, unless it is Allowed.
func (c *serverConn) wouldRefuse(reason Reason) {
	if reason != Allowed && c.would.CompareAndSwap(false, true) {
		c.tell(Event{Kind: KindWouldRefuse, Reason: reason})
	}
}

// wrap is WrapSession.
func (c *serverConn) wrap(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
	state, err := ss.Bytes()
	if err != nil || cs.Version != tls.VersionTLS13 {
		return useless(), nil // an error would end the connection
	}
	return c.tickets.seal(c.digest, cs.ServerName, c.since, state), nil
}

// unwrap is UnwrapSession. It never fails: what it can't use leads to a full handshake.
func (c *serverConn) unwrap(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
	since, state, ok := c.tickets.open(c.digest, cs.ServerName, ticket)
	if ok && cs.Version == tls.VersionTLS13 && time.Since(since) <= c.policy.ticketLife() {
		if ss, err := tls.ParseSessionState(state); err == nil {
			c.since = since
			return ss, nil
		}
	}
	if c.ticket.CompareAndSwap(false, true) { // a client may show several
		c.tell(Event{Kind: KindTicket, Reason: ReasonOther})
	}
	return nil, nil
}
