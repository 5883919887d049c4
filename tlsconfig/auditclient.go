package tlsconfig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// asking is a client under audit.
type asking struct {
	*examined
	config *tls.Config // the target's own, cloned, with a name
	named  bool        // the name is its own
}

// auditClient judges the config of a client.
func (e *examined) auditClient(ctx context.Context, config *tls.Config) {
	c := &asking{examined: e, config: config, named: config.ServerName != ""}
	e.judgeConfig(sharedRules, config)
	e.judgeConfig(clientRules, config)
	e.judgePool("RootCAs", config.RootCAs)
	for _, cert := range config.Certificates {
		if chain, err := parseChain(&cert); err == nil {
			e.judgeChain(chain, false)
		}
	}
	c.judgeName()
	if !c.named {
		config.ServerName = baitHost
	}
	config.ClientSessionCache = nil // no session of a throw-away CA gets into that of the target
	if c.read(ctx) {
		c.tempt(ctx)
	}
}

// judgeName judges the ServerName of a config.
func (c *asking) judgeName() {
	const fix = "set ServerName to a DNS name or an address, without a port, brackets or a dot at its end, or leave it to what dials"
	name := c.config.ServerName
	_, notAddress := netip.ParseAddr(strings.Trim(name, "[]"))
	_, notDNS := canonicalDNS(name)
	_, _, notPair := net.SplitHostPort(name)
	switch {
	case name == "":
		c.unseen("the name that servers are verified for: ServerName is empty, so whatever dials must set it")
	case notPair == nil && notAddress != nil:
		c.find(46, SeverityViolation, fix, "ServerName has a port: no certificate is for it, so every handshake fails")
	case notAddress == nil: // it is verified as an address, and not sent
	case strings.HasSuffix(name, "."):
		c.find(46, SeverityWarning, fix, "ServerName ends with a dot: sessions are kept under this name, and a rule of your own may compare it")
	case notDNS != nil:
		c.find(46, SeverityViolation, fix, "ServerName is neither a DNS name nor an address: %s", plain(notDNS))
	}
}

// read reads the ClientHello.
func (c *asking) read(ctx context.Context) bool {
	var mu sync.Mutex
	var hello *tls.ClientHelloInfo
	good, err := c.server(c.config.ServerName, time.Hour)
	if err != nil {
		c.unseen("all that the client does: there can be no certificate for its ServerName")
		return false
	}
	good.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		mu.Lock()
		defer mu.Unlock()
		if hello == nil {
			hello = h
		}
		return nil, nil
	}
	r, ok := c.meet(ctx, good, c.config)
	if !ok {
		return false
	}
	mu.Lock()
	defer mu.Unlock()
	if hello == nil {
		c.find(0, SeverityViolation, "mend the config", "it makes no ClientHello: %q", refusalOf(&shaken{client: r.client}))
		c.unseen("all that the client does")
		return false
	}
	c.judgeHelloOf(hello)
	return true
}

// judgeHelloOf judges what a client offers.
func (c *asking) judgeHelloOf(h *tls.ClientHelloInfo) {
	versions := slices.Clone(h.SupportedVersions)
	slices.Sort(versions)
	c.judgeVersions("offers", versions)
	var old []uint16
	lowest := versions[0]
	for _, id := range h.CipherSuites {
		switch {
		case slices.Contains(oldSuites(), id):
			old = append(old, id)
		case !slices.ContainsFunc(tls.CipherSuites(), func(s *tls.CipherSuite) bool { return s.ID == id }):
		case !c.rules.allowsSuite(tls.VersionTLS13, id):
			c.find(0, SeverityViolation, "start the program in FIPS 140-3 mode", "it offers %s, which the policy forbids", tls.CipherSuiteName(id))
		}
	}
	if lowest < tls.VersionTLS13 {
		c.judgeSuites("offers", old)
	}
	var groups []group
	for _, id := range h.SupportedCurves {
		version := uint16(tls.VersionTLS12)
		if slices.Contains(versions, tls.VersionTLS13) {
			version = tls.VersionTLS13
		}
		groups = append(groups, group{version, id})
	}
	c.judgeGroups("offers", groups)
	c.facts.Protocols = h.SupportedProtos
}

// server returns the config of a server with a certificate for name that ends so much later than now. It agrees to everything, and asks the client for a certificate.
func (c *asking) server(name string, left time.Duration) (*tls.Config, error) {
	name = strings.TrimSuffix(strings.Trim(name, "[]"), ".")
	cert, err := c.bait.issue(name, x509.ExtKeyUsageServerAuth, c.bait.now.Add(left))
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		//tlsvet:ignore trap14 an audit agrees to what is bad
		Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, CipherSuites: oldSuites(),
		ClientAuth: tls.RequestClientCert, NextProtos: c.config.NextProtos,
	}, nil
}
