package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strconv"
	"strings"
	"time"
)

// judgeEndpoint judges what was seen of an endpoint.
func (e *examined) judgeEndpoint(q *probing) {
	e.facts.Connections = q.connections
	e.facts.NotSeen = q.notSeen
	if q.failed != nil {
		e.facts.Unanswered = plain(q.failed)
	}
	versions := q.versions()
	if len(versions) == 0 {
		return
	}
	const does = "agrees to"
	e.judgeVersions(does, versions)
	e.judgeSuites(does, q.oldSuitesSeen())
	e.judgeSuites13(does, inOrder(q.suites[tls.VersionTLS13], suites13))
	e.judgeGroups(does, inVersions(q.groups))
	e.facts.Protocols = q.protocols
	e.facts.UnknownName = q.unknown
	e.judgeClients(q.clients)
	for _, chain := range q.chains {
		e.judgeChain(chain, true)
		e.judgeTrust(q, chain)
	}
	for _, version := range []uint16{tls.VersionTLS13, q.old()} {
		for _, resumed := range q.resumes {
			if resumed == version {
				e.facts.Resumes = append(e.facts.Resumes, tls.VersionName(version))
				e.judgeResumed(version)
			}
		}
	}
	if q.hsts != nil {
		e.judgeHSTS(*q.hsts)
	}
	for _, odd := range q.odd {
		e.find(0, SeverityWarning, "update what serves TLS there", "%s", odd)
		e.unseen("what else it agrees to: %s", odd)
	}
}

// inVersions returns groups with those of TLS 1.3 first.
func inVersions(groups []group) (all []group) {
	for _, new := range []bool{true, false} {
		for _, g := range groups {
			if (g.version == tls.VersionTLS13) == new {
				all = append(all, g)
			}
		}
	}
	return all
}

// judgeSuites13 notes suites of TLS 1.3. A policy does not choose among them, but FIPS 140-3 has not all.
func (e *examined) judgeSuites13(does string, ids []uint16) {
	for _, id := range ids {
		e.facts.Suites13 = append(e.facts.Suites13, suiteName(id))
		if e.rules.fips && id == tls.TLS_CHACHA20_POLY1305_SHA256 {
			e.find(0, SeverityViolation, "switch it off, or serve in FIPS 140-3 mode", "it %s cipher suites beyond the policy: %s", does, suiteName(id))
		}
	}
}

// judgeTrust judges who takes a chain.
func (e *examined) judgeTrust(q *probing, chain []*x509.Certificate) {
	if q.roots == nil {
		e.facts.Trust = "not verified"
		e.unseen("who trusts the certificate: the policy demands private roots, and none are given")
		return
	}
	if e.facts.Trust == "" {
		e.facts.Trust = "verified"
	}
	err := q.verify(chain)
	if err == nil {
		return
	}
	e.facts.Trust = "not verified"
	if reason := ReasonOf(err); reason == ReasonExpired && time.Now().After(chain[0].NotAfter) {
		return // is found elsewhere
	}
	var refusal *Refusal
	if errors.As(err, &refusal) {
		err = refusal.Err
	}
	e.find(0, SeverityViolation, "serve a certificate for this name by a CA that clients trust, and the whole chain; for a private CA give its roots", "clients refuse its certificate: %q", plain(err))
}

// judgeHSTS judges the Strict-Transport-Security of a server for HTTP, "" for none (RFC 6797 section 6.1).
func (e *examined) judgeHSTS(value string) {
	e.facts.HSTS = brief(value)
	const fix = "for browsers set Strict-Transport-Security to max-age=63072000"
	if value == "" {
		e.find(62, SeverityWarning, fix, "an answer has no Strict-Transport-Security")
		return
	}
	for directive := range strings.SplitSeq(value, ";") {
		name, seconds, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "max-age") {
			continue
		}
		if age, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(seconds), `"`), 10, 63); err == nil && age > 0 {
			return
		}
		break
	}
	e.find(62, SeverityWarning, fix, "Strict-Transport-Security %q protects nobody: it has no max-age above 0", brief(value))
}
