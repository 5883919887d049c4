package tlsconfig

import (
	"crypto/fips140"
	"crypto/tls"
	"fmt"
	"strings"
	"time"
)

// Policy is what every connection must be: versions, TLS 1.2 cipher suites, key exchange groups, certificate keys, and a few demands besides. Suites and groups are sets, because
// crypto/tls takes no order from its user. A Policy is immutable and safe for concurrent use. The zero value is [Recommended].
type Policy struct{ r *rules }

// rules is what a Policy demands. It is comparable, and never changed after it was made.
type rules struct {
	name          string
	minVersion    uint16    // tls.VersionTLS12 or tls.VersionTLS13
	suites        policySet // of TLS 1.2: empty if and only if minVersion is TLS 1.3
	groups        policySet // never empty
	keys          policySet // kinds of leaf keys, never empty
	rsaBits       int       // the least size of RSA keys anywhere in a chain, never below minRSABits
	leafDays      int       // longest life of a leaf of our own, 0 for no limit
	clients       bool      // a server must verify clients
	privateRoots  bool      // the roots of the system are refused
	fips          bool      // only where FIPS 140-3 mode is on
	ticketMinutes int       // longest life of a session ticket
}

// Bounds of the numbers in a policy.
const (
	minRSABits       = 2048    // below it RSA is broken or about to be (NIST SP 800-131A)
	maxRSABits       = 8192    // crypto/tls refuses larger keys of peers
	maxLeafDays      = 36500   // a hundred years
	maxTicketMinutes = 24 * 60 // a ticket is as good as the key it was made with for as long as it lives
)

func (p Policy) rules() *rules {
	if p.r == nil {
		return recommended()
	}
	return p.r
}

// Name returns the name of the policy, such as "mozilla-intermediate-6.0".
func (p Policy) Name() string { return p.rules().name }

// String returns one line with the name of the policy and what it demands.
func (p Policy) String() string {
	r := p.rules()
	var parts []string
	if r.minVersion == tls.VersionTLS13 {
		parts = append(parts, "TLS 1.3")
	} else {
		parts = append(parts, "TLS 1.2 with "+strings.Join(policySuites.names(r.suites), ", "), "TLS 1.3")
	}
	parts = append(parts,
		"groups "+strings.Join(policyGroups.names(r.groups), ", "),
		"keys "+strings.Join(policyKeys.names(r.keys), ", "),
		fmt.Sprintf("RSA from %d bits", r.rsaBits))
	if r.leafDays > 0 {
		parts = append(parts, fmt.Sprintf("own certificates up to %d days", r.leafDays))
	}
	parts = append(parts, fmt.Sprintf("tickets up to %d minutes", r.ticketMinutes))
	for _, demand := range []struct {
		on   bool
		text string
	}{{r.clients, "clients must show certificates"}, {r.privateRoots, "private roots only"}, {r.fips, "FIPS 140-3 mode only"}} {
		if demand.on {
			parts = append(parts, demand.text)
		}
	}
	return r.name + ": " + strings.Join(parts, "; ")
}

// effective returns what is left of the rules where FIPS 140-3 mode is on or demanded: crypto/tls takes the same away, and ChaCha20-Poly1305 from TLS 1.3.
func (r *rules) effective() rules {
	return r.within(r.fips || fips140.Enabled())
}

// within returns what is left of the rules in FIPS 140-3 mode or without it.
func (r *rules) within(fips bool) rules {
	e := *r
	if e.fips = fips; fips {
		e.suites &= suitesGCM
		e.groups &= groupsFIPS
	}
	return e
}

// configure sets all of c that the policy decides.
func (p Policy) configure(c *tls.Config) {
	r := p.rules()
	c.MinVersion = r.minVersion
	c.MaxVersion = tls.VersionTLS13                        // a later version is another policy
	c.CipherSuites = idsOf[uint16](policySuites, r.suites) // nil for TLS 1.3 alone: an empty list that is not nil has a meaning of its own
	c.CurvePreferences = idsOf[tls.CurveID](policyGroups, r.groups)
	c.Renegotiation = tls.RenegotiateNever
}

// check says whether this process can keep the policy: ErrInvalid if not.
func (p Policy) check() error {
	r := p.rules()
	if r.fips && !fips140.Enabled() {
		return invalid("policy %q demands FIPS 140-3 mode: start the program with GODEBUG=fips140=on or build it with GOFIPS140", r.name)
	}
	if r.effective().groups == 0 {
		return invalid("policy %q has no group that FIPS 140-3 mode allows: add one of %s", r.name, strings.Join(policyGroups.names(groupsFIPS), ", "))
	}
	return nil
}

// allowsHTTP2 says whether net/http serves HTTP/2 under p: with TLS 1.2 it wants a suite that RFC 9113 section 9.2.2 demands.
func (p Policy) allowsHTTP2() bool {
	r := p.rules().effective()
	return r.minVersion == tls.VersionTLS13 || r.allowsSuite(tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256) || r.allowsSuite(tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)
}

// needsClients says whether a server must verify its clients.
func (p Policy) needsClients() bool { return p.rules().clients }

// privateRoots says whether the roots of the system are refused.
func (p Policy) privateRoots() bool { return p.rules().privateRoots }

// ticketLife returns the longest life of a session ticket.
func (p Policy) ticketLife() time.Duration {
	return time.Duration(p.rules().ticketMinutes) * time.Minute
}
