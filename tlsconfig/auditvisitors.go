package tlsconfig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"time"
)

// visitor returns the config of a client that trusts the certificate which the server shows, and so makes whole handshakes. It has no certificate.
func (s *serving) visitor() (*tls.Config, bool) {
	leaf := s.chain[0]
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	names := append([]string{s.name}, s.names...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	// That the certificate is expired, or not valid yet, is found elsewhere.
	for _, at := range []time.Time{s.bait.now, leaf.NotAfter.Add(-time.Second), leaf.NotBefore.Add(time.Second)} {
		for _, name := range names {
			if name == "" {
				continue
			}
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: at}); err != nil {
				continue
			}
			c := &tls.Config{RootCAs: roots, ServerName: name, MinVersion: s.versions[0], CipherSuites: oldSuites()}
			if at != s.bait.now {
				c.Time = func() time.Time { return at } //tlsvet:ignore trap25 the visitor is of the time of the certificates
			}
			return c, true
		}
	}
	return nil, false
}

// askClients looks whether clients are asked for certificates, and which are let in.
func (s *serving) askClients(ctx context.Context) bool {
	visitor, ok := s.visitor()
	if !ok {
		s.unseen("how clients are verified and sessions resumed: the certificate can't be verified by any client")
		return true
	}
	visitor.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		s.asks = true
		return &tls.Certificate{}, nil
	}
	bare, ok := s.ask(ctx, visitor)
	if !ok {
		return false
	}
	switch {
	case !s.asks && !bare.letIn():
		s.unseen("how clients are verified and sessions resumed: a client is not asked for a certificate, and refused: %q", refusalOf(&bare))
	case !s.asks:
		s.judgeClients("not asked")
		return true
	case bare.letIn():
		s.judgeClients("optional")
	default:
		s.judgeClients("required")
	}
	visitor.GetClientCertificate = s.bait.present
	stranger, ok := s.ask(ctx, visitor)
	if ok && stranger.letIn() && s.asks {
		s.find(10, SeverityViolation, "set ClientAuth to tls.RequireAndVerifyClientCert (or VerifyClientCertIfGiven), and ClientCAs", "a client with a certificate of an unknown CA is let in: nobody verifies it")
	}
	return ok
}

// refusalOf returns what either end says of a handshake that failed.
func refusalOf(r *shaken) string {
	for _, err := range []error{r.server.err, r.client.err} {
		if err != nil {
			return plain(err)
		}
	}
	return "no error"
}

// friend returns the config of a client as visitor does, with a certificate of the throw-away CA, and the watched copy of the server that trusts this CA.
func (s *serving) friend() (client, server *tls.Config, ok bool) {
	client, ok = s.visitor()
	if !ok {
		return nil, nil, false
	}
	client.GetClientCertificate = s.bait.present
	w := &watch{edit: func(c *tls.Config) { c.ClientCAs = s.bait.trusted(c.ClientCAs) }}
	return client, w.wrap(s.config), true
}

// askSessions looks in which versions sessions are resumed, and whether by a copy of the config too.
func (s *serving) askSessions(ctx context.Context) bool {
	for _, version := range []uint16{tls.VersionTLS13, s.old()} {
		client, server, can := s.friend()
		if !can {
			return true
		}
		if !slices.Contains(s.versions, version) {
			continue
		}
		client.MinVersion, client.MaxVersion = version, version
		client.ClientSessionCache = &oneSession{}
		first, ok := s.meet(ctx, server, client)
		if !ok {
			return false
		}
		if !first.letIn() {
			s.unseen("whether sessions of %s are resumed: a client with a certificate of a CA that is trusted is not let in: %q", tls.VersionName(version), refusalOf(&first))
			continue
		}
		for _, again := range []struct {
			what   string
			server *tls.Config
		}{{tls.VersionName(version), server}, {tls.VersionName(version) + " after Clone", server.Clone()}} {
			second, ok := s.meet(ctx, again.server, client)
			if !ok {
				return false
			}
			if !second.letIn() || !second.server.state.DidResume {
				break
			}
			s.facts.Resumes = append(s.facts.Resumes, again.what)
			s.judgeResumed(version)
		}
	}
	return true
}

// judgeResumed judges that sessions of a version are resumed.
func (e *examined) judgeResumed(version uint16) {
	if version < tls.VersionTLS13 {
		e.find(28, SeverityWarning, e.fix("set SessionTicketsDisabled for clients without TLS 1.3, in GetConfigForClient", "switch off session tickets of TLS 1.2, or TLS 1.2"), "sessions of TLS 1.2 are resumed: who gets the key of the tickets reads what was said before")
	}
}

// judgeClients judges how clients are asked for certificates, "" where that was not seen.
func (e *examined) judgeClients(how string) {
	e.facts.Clients = how
	switch {
	case !e.rules.clients:
	case how == "not asked":
		e.find(0, SeverityViolation, e.fix("set ClientAuth to tls.RequireAndVerifyClientCert, and ClientCAs", "have it demand certificates of clients"), "clients are not asked for a certificate, which the policy demands")
	case how == "optional":
		e.find(11, SeverityViolation, e.fix("set ClientAuth to tls.RequireAndVerifyClientCert", "have it demand certificates of clients"), "a client without a certificate is let in, and the policy demands one")
	}
}
