package tlsconfig

import (
	"crypto/x509"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Severity is how bad a finding is.
type Severity string

// The severities.
const (
	SeverityInfo      Severity = "info"      // worth knowing
	SeverityWarning   Severity = "warning"   // within the policy, and likely a mistake
	SeverityViolation Severity = "violation" // against the policy, or a hole
)

// rank sorts the worst first.
func (s Severity) rank() int {
	switch s {
	case SeverityViolation:
		return 0
	case SeverityWarning:
		return 1
	}
	return 2
}

// Finding is something that an audit has found.
type Finding struct {
	// Target is the name of what was audited, "process" for the process itself.
	Target string `json:"target"`
	// Trap is the number of a known mistake, the same in every version, for filters and tests. 0 means that it has none.
	Trap int `json:"trap,omitempty"`
	// Severity says how bad it is.
	Severity Severity `json:"severity"`
	// What was found. The text may change from version to version.
	What string `json:"what"`
	// Fix is what to do about it.
	Fix string `json:"fix"`
}

// Facts are what an audit has seen of one target, apart from any judgement. What does not apply, or could not be seen, is empty.
type Facts struct {
	Target string `json:"target"`
	// Kind is "server", "client", "http server", "http transport", "process" or "endpoint".
	Kind string `json:"kind"`

	Versions  []string `json:"versions,omitempty"`     // that a server agrees to, or a client offers
	Suites    []string `json:"suites,omitempty"`       // likewise, of TLS 1.2 and before: those of a server with the certificate that it shows
	Suites13  []string `json:"tls13_suites,omitempty"` // of an endpoint: those of TLS 1.3, among which policies do not choose
	Groups    []string `json:"groups,omitempty"`       // likewise
	Protocols []string `json:"protocols,omitempty"`    // likewise (ALPN)

	Clients     string   `json:"clients,omitempty"`      // of a server: "not asked", "optional" or "required" to show a certificate
	UnknownName string   `json:"unknown_name,omitempty"` // of a server, when it is asked for a name it does not know: "served" or "refused"
	Resumes     []string `json:"resumes,omitempty"`      // of a server: versions in which it resumes sessions, by itself and "after Clone" by a copy
	Names       []string `json:"names,omitempty"`        // that the certificates seen are for
	NotAfter    string   `json:"not_after,omitempty"`    // when the first of these certificates ends, in UTC as RFC 3339

	Trust       string `json:"trust,omitempty"`       // of an endpoint: "verified" by roots and name, or "not verified"
	HSTS        string `json:"hsts,omitempty"`        // of an endpoint: Strict-Transport-Security of its answer, up to 300 bytes
	Connections int    `json:"connections,omitempty"` // that it took to look at an endpoint
	Unanswered  string `json:"unanswered,omitempty"`  // of an endpoint that did not answer all that it was asked: why

	Refuses []string `json:"refuses,omitempty"` // of a client: the bad servers that it was seen to refuse
	Takes   []string `json:"takes,omitempty"`   // of a client: the servers, good and bad, that it was seen to take

	Toolchain string   `json:"toolchain,omitempty"` // of a process
	FIPS      string   `json:"fips,omitempty"`      // of a process: "off", "on" or "only", with the version of the module
	Godebug   []string `json:"godebug,omitempty"`   // of a process: settings that matter for TLS

	// NotSeen is what this audit could not look at, and why.
	NotSeen []string `json:"not_seen,omitempty"`
}

// maxAuditText is how much of a text from elsewhere, such as an error, a finding holds, in bytes.
const maxAuditText = 300

// brief returns a text of bounded length, cut between characters.
func brief(text string) string {
	if len(text) <= maxAuditText {
		return text
	}
	cut := maxAuditText
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "..."
}

// plain returns what an error says, of bounded length and without the prefix of the package.
func plain(err error) string {
	return brief(strings.TrimPrefix(err.Error(), "tlsconfig: "))
}

// examined is one target under audit: what was found and seen of it so far.
type examined struct {
	*auditor
	facts  Facts
	found  map[Finding]bool
	chains [][]*x509.Certificate // that were judged
	pools  []*x509.CertPool      // likewise
}

// find adds a finding, once.
func (e *examined) find(trap int, severity Severity, fix, format string, args ...any) {
	f := Finding{Target: e.facts.Target, Trap: trap, Severity: severity, What: fmt.Sprintf(format, args...), Fix: fix}
	if e.found[f] {
		return
	}
	if e.found == nil {
		e.found = map[Finding]bool{}
	}
	e.found[f] = true
	e.report.Findings = append(e.report.Findings, f)
}

// fix returns what to do about a finding: in the words of crypto/tls, or for an endpoint, which may be any server.
func (e *examined) fix(config, endpoint string) string {
	if e.facts.Kind == kindEndpoint {
		return endpoint
	}
	return config
}

// unseen notes what could not be looked at.
func (e *examined) unseen(format string, args ...any) {
	e.facts.NotSeen = append(e.facts.NotSeen, fmt.Sprintf(format, args...))
}
