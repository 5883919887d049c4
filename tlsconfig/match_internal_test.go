package tlsconfig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"time"
)

// What the tests of matching, peers and revocation need from inside: package tlsconfigtest, which they use, imports this package.

func MatchCheck(m Match) error                          { return checkMatch(m) }
func MatchAllows(m Match, leaf *x509.Certificate) error { return m.match(leaf) }
func MatchDescribe(m Match) string                      { return m.describe() }
func MatchPeerClass(cs *tls.ConnectionState) string     { return classOf(cs) }
func MatchSPIFFE(leaf *x509.Certificate) (string, error) {
	id, err := spiffeOf(leaf)
	return id.text, err
}

func MatchParseSPIFFE(text string) (id, domain string, err error) {
	parsed, err := parseSPIFFE(text)
	return parsed.text, parsed.domain, err
}

func MatchParseCRLs(file []byte) (int, error) {
	lists, err := parseCRLs(file)
	return len(lists), err
}

// MatchRevoked is a Revocation that is held.
type MatchRevoked struct{ v *revoked }

func MatchHoldRevocation(ctx context.Context, r Revocation, tell func(Event)) (MatchRevoked, error) {
	v, err := holdRevocation(ctx, r, tell)
	return MatchRevoked{v}, err
}

func (m MatchRevoked) Check(chains [][]*x509.Certificate, now time.Time) error {
	return m.v.check(chains, now)
}
func (m MatchRevoked) Digest() [32]byte            { return m.v.digest() }
func (m MatchRevoked) Changed() <-chan struct{}    { return m.v.changed() }
func (m MatchRevoked) Healthy(now time.Time) error { return m.v.healthy(now) }
