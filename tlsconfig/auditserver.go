package tlsconfig

import (
	"context"
	"crypto/fips140"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
)

// failedToSign is how crypto/tls says that the key of a server did not sign: in these words alone.
const failedToSign = "tls: failed to sign"

// serving is a server under audit.
type serving struct {
	*examined
	config   *tls.Config // the target's own, cloned
	watch    watch
	watched  *tls.Config // config, watched
	counted  *tls.Config // what counted in the first handshake
	noted    *tls.Config // and in the last, nil if nothing did
	name     string      // the DNS name that it is asked for, "" for none
	chain    []*x509.Certificate
	names    []string // all DNS names that are known of it
	versions []uint16 // that it agrees to
	asks     bool     // it asks clients for certificates
	byName   bool     // what it demands of clients depends on the name
}

// auditServer judges the config of a server. name is asked for if it is a DNS name.
func (e *examined) auditServer(ctx context.Context, config *tls.Config, name string) *serving {
	s := &serving{examined: e, config: config}
	s.watched = s.watch.wrap(config)
	if fips140.Enabled() {
		e.unseen("versions, suites and groups that FIPS 140-3 mode forbids: they are neither offered nor served in this process")
	}
	if !s.begin(ctx, name) {
		return s
	}
	for _, step := range []func(context.Context) bool{s.askVersions, s.askSuites, s.askGroups, s.askProtocols, s.askNames, s.askClients, s.askSessions, s.askSiblings} {
		if !step(ctx) {
			break
		}
	}
	return s
}

// hello returns the config of a client that asks for name, offers all in these versions, and ends when it has seen the certificate: it trusts nobody.
func (s *serving) hello(name string, lowest, highest uint16) *tls.Config {
	if name == "" {
		name = baitAddress // is not sent
	}
	//tlsvet:ignore trap14 an audit asks for what is bad
	return &tls.Config{RootCAs: x509.NewCertPool(), ServerName: name, MinVersion: lowest, MaxVersion: highest, CipherSuites: oldSuites()}
}

// oldSuites returns all of TLS 1.2 and before that crypto/tls has.
func oldSuites() (ids []uint16) {
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
			ids = append(ids, suite.ID)
		}
	}
	return ids
}

// ask makes a handshake with the watched config and looks at what it shows besides: settings, certificates, a key that does not sign.
func (s *serving) ask(ctx context.Context, client *tls.Config) (shaken, bool) {
	r, ok := s.meet(ctx, s.watched, client)
	if s.noted = s.watch.last(); s.noted != nil {
		s.judgeServer(s.noted)
		if s.counted == nil {
			s.counted = s.noted
		}
	}
	if !ok {
		return r, false
	}
	if chain := shownBy(&r); len(chain) > 0 {
		s.judgeChain(chain, true)
		if s.chain == nil {
			s.chain = chain
		}
		for _, name := range chain[0].DNSNames {
			s.know(name)
		}
	}
	if err := r.server.err; err != nil && strings.Contains(err.Error(), failedToSign) {
		s.find(56, SeverityViolation, "set SupportedSignatureAlgorithms of the certificate to what its key can do; Signer finds it out",
			"in %s the key does not sign with an algorithm that its certificate is offered with: %q", tls.VersionName(r.client.state.Version), brief(err.Error()))
	}
	return r, true
}

// shownBy returns the certificates that the client has seen, verified or not.
func shownBy(r *shaken) []*x509.Certificate {
	var unverified *tls.CertificateVerificationError
	if errors.As(r.client.err, &unverified) {
		return unverified.UnverifiedCertificates
	}
	return r.client.state.PeerCertificates
}

// maxNames is how many names of a server are asked for.
const maxNames = 8

// know adds a name that the server may have a certificate for.
func (s *serving) know(name string) {
	name = strings.ToLower(strings.TrimSuffix(strings.Replace(name, "*.", "audit.", 1), "."))
	if _, err := canonicalDNS(name); err != nil || len(s.names) == maxNames || slices.Contains(s.names, name) {
		return
	}
	s.names = append(s.names, name)
}

// begin finds a name under which the server shows a certificate.
func (s *serving) begin(ctx context.Context, name string) bool {
	s.know(name)
	for _, cert := range s.config.Certificates {
		if chain, err := parseChain(&cert); err == nil {
			for _, name := range chain[0].DNSNames {
				s.know(name)
			}
			s.judgeChain(chain, true)
		}
	}
	var last error
	for _, name := range append(slices.Clone(s.names), "") {
		r, ok := s.ask(ctx, s.hello(name, tls.VersionTLS10, tls.VersionTLS13))
		if !ok {
			return false
		}
		if s.chain != nil {
			s.name = name
			return true
		}
		if last = r.server.err; last == nil {
			last = r.client.err
		}
	}
	if s.counted == nil {
		s.judgeServer(s.config)
	}
	s.find(0, SeverityViolation, "give the config a certificate; if it is chosen by name, name the target by one of these names", "no handshake came as far as a certificate: %q", brief(last.Error()))
	s.unseen("all that the server does")
	return false
}
