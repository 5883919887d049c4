package tlsconfig

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// Audit judges targets by what they do: it makes handshakes with each, in memory, and looks at the settings that no handshake shows. What it finds is in the Report. The error is ErrInvalid for a target of nothing, or that of ctx, which bounds all of it.
//
// Nothing is sent over a network and no target is changed; each may be in use. What a config calls is called: certificates are chosen and made to sign, clients are verified, and an Observer hears of the handshakes. A callback that panics is a
// violation, and so is one that does not return within 5 seconds, which ends the audit of that target; its goroutine ends when the callback does.
//
// A server is asked with every version, TLS 1.2 suite and group alone, with and without a client certificate, by known and unknown names, and again with a session. What it does for clients that it trusts is seen on a copy that trusts a
// throw-away CA besides; where another rule refuses these too, what comes after is not seen. Certificates that it shows for names which the audit does not know are not seen either.
//
// A client is judged by its ClientHello, and by bad servers. Those of a throw-away CA prove only that it refuses an unknown CA, so the others are shown to a copy that trusts this CA besides: a client that verifies in its own way, with roots of its
// own, refuses them all, and whether it looks at names and dates stays unseen. [Facts] lists under NotSeen what was not seen.
//
// An audit takes up to 70 handshakes a server, for about half of which its key signs, and 6 a client.
func Audit(ctx context.Context, p Policy, targets ...Target) (*Report, error) {
	if len(targets) == 0 {
		return nil, invalid("there is no target to audit")
	}
	for _, t := range targets {
		if err := t.check(); err != nil {
			return nil, err
		}
	}
	a, err := newAuditor(p)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		e := &examined{auditor: a, facts: Facts{Target: t.name, Kind: t.kind}}
		e.judgeMode()
		e.audit(ctx, t)
		a.report.Facts = append(a.report.Facts, e.facts)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("tlsconfig: audit: %w", context.Cause(ctx))
		}
	}
	a.report.sort()
	return a.report, nil
}

// auditor is what the targets of one audit share.
type auditor struct {
	policy Policy
	rules  rules // what is left of the policy in this process
	bait   *bait
	system *x509.CertPool // nil where there is none
	leafs  []shownLeaf
	report *Report
}

// shownLeaf is a certificate of a target.
type shownLeaf struct {
	target string
	leaf   *x509.Certificate
}

func newAuditor(p Policy) (*auditor, error) {
	a := &auditor{policy: p, rules: p.rules().effective(), report: &Report{Policy: p.Name(), Findings: []Finding{}}}
	var err error
	if a.bait, err = newBait(a.rules, time.Now()); err != nil {
		return nil, fmt.Errorf("tlsconfig: audit: make a throw-away CA: %w", err)
	}
	if pool, err := x509.SystemCertPool(); err == nil {
		a.system = pool
	}
	return a, nil
}

// audit looks at one target.
func (e *examined) audit(ctx context.Context, t Target) {
	switch t.kind {
	case kindServer:
		e.auditServer(ctx, t.config.Clone(), t.name)
	case kindClient:
		e.auditClient(ctx, t.config.Clone())
	case kindHTTPServer:
		e.auditHTTPServer(ctx, t.server, t.name)
	case kindHTTPTransport:
		e.auditHTTPTransport(ctx, t.transport)
	}
}

// sharedKey looks whether another certificate of the audit has the key of this one.
func (e *examined) sharedKey(leaf *x509.Certificate) {
	for _, other := range e.leafs {
		if bytes.Equal(other.leaf.RawSubjectPublicKeyInfo, leaf.RawSubjectPublicKeyInfo) && !other.leaf.Equal(leaf) {
			e.find(43, SeverityWarning, "make a new key for each certificate", "a certificate of %q has the same key as this one: who gets one key has both", other.target)
		}
	}
	if !slices.ContainsFunc(e.leafs, func(l shownLeaf) bool { return l.leaf.Equal(leaf) }) {
		e.leafs = append(e.leafs, shownLeaf{e.facts.Target, leaf})
	}
}
