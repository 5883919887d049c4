package tlsconfig

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// Tighten returns the policy that allows what both p and q allow: sets are intersected, of numbers the stricter counts, and a demand of either is a demand. The order of tightening does not matter.
// Two policies with no TLS 1.2 suite in common agree on TLS 1.3. It returns ErrInvalid if nothing is left: no group or no kind of key in common.
//
// The name is that of p or q if the result is the same policy, else both names with a plus sign between them ("tightened" if that is longer than 128 bytes).
func (p Policy) Tighten(q Policy) (Policy, error) {
	a, b := p.rules(), q.rules()
	m := meet(a, b)
	if m.groups == 0 {
		return Policy{}, invalid("policies %q and %q have no group in common", a.name, b.name)
	}
	if m.keys == 0 {
		return Policy{}, invalid("policies %q and %q have no kind of certificate key in common", a.name, b.name)
	}
	switch {
	case m.same(a) && m.same(b):
		m.name = min(a.name, b.name)
	case m.same(a):
		m.name = a.name
	case m.same(b):
		m.name = b.name
	default:
		m.name = bothNames(a.name, b.name)
	}
	return Policy{m}, nil
}

// meet returns the weakest rules that are as strict as both a and b, without a name. Its groups or keys may be empty.
func meet(a, b *rules) *rules {
	m := &rules{
		minVersion:    max(a.minVersion, b.minVersion),
		suites:        a.suites & b.suites,
		groups:        a.groups & b.groups,
		keys:          a.keys & b.keys,
		rsaBits:       max(a.rsaBits, b.rsaBits),
		leafDays:      a.leafDays,
		clients:       a.clients || b.clients,
		privateRoots:  a.privateRoots || b.privateRoots,
		fips:          a.fips || b.fips,
		ticketMinutes: min(a.ticketMinutes, b.ticketMinutes),
	}
	if m.leafDays == 0 || b.leafDays > 0 && b.leafDays < m.leafDays {
		m.leafDays = b.leafDays
	}
	if m.suites == 0 { // TLS 1.3 is in both. An error here would let the order of tightening matter: either policy could meet TLS 1.3 alone first.
		m.minVersion = tls.VersionTLS13
	}
	return m
}

// same says whether r and s demand the same, whatever they are called.
func (r *rules) same(s *rules) bool {
	a, b := *r, *s
	a.name, b.name = "", ""
	return a == b
}

// bothNames returns the names that a and b are made of, sorted, each once.
func bothNames(a, b string) string {
	names := append(strings.Split(a, "+"), strings.Split(b, "+")...)
	slices.Sort(names)
	joined := strings.Join(slices.Compact(names), "+")
	if len(joined) > maxPolicyName {
		return "tightened"
	}
	return joined
}

// weakerThan returns in what r allows more than f: nothing if it allows no more.
func (r *rules) weakerThan(f *rules) []string {
	var ways []string
	add := func(weaker bool, format string, args ...any) {
		if weaker {
			ways = append(ways, fmt.Sprintf(format, args...))
		}
	}
	add(r.minVersion < f.minVersion, "it allows TLS 1.2")
	if r.minVersion >= f.minVersion { // else the suites go without saying
		add(r.suites&^f.suites != 0, "it allows suites %s", strings.Join(policySuites.names(r.suites&^f.suites), ", "))
	}
	add(r.groups&^f.groups != 0, "it allows groups %s", strings.Join(policyGroups.names(r.groups&^f.groups), ", "))
	add(r.keys&^f.keys != 0, "it allows keys %s", strings.Join(policyKeys.names(r.keys&^f.keys), ", "))
	add(r.rsaBits < f.rsaBits, "it allows RSA keys of %d bits, not from %d", r.rsaBits, f.rsaBits)
	add(f.leafDays > 0 && r.leafDays == 0, "it has no limit for the life of own certificates, not %d days", f.leafDays)
	add(f.leafDays > 0 && r.leafDays > f.leafDays, "it allows own certificates of %d days, not %d", r.leafDays, f.leafDays)
	add(f.clients && !r.clients, "it allows servers without verified clients")
	add(f.privateRoots && !r.privateRoots, "it allows the roots of the system")
	add(f.fips && !r.fips, "it allows to run without FIPS 140-3 mode")
	add(r.ticketMinutes > f.ticketMinutes, "it allows tickets of %d minutes, not %d", r.ticketMinutes, f.ticketMinutes)
	return ways
}
