package tlsconfig

import (
	"crypto/tls"
	"slices"
	"strings"
)

// judgeVersions judges the versions that a target "agrees to" or "offers".
func (e *examined) judgeVersions(does string, versions []uint16) {
	var beyond []string
	for _, v := range versions {
		e.facts.Versions = append(e.facts.Versions, tls.VersionName(v))
		if !e.rules.allowsVersion(v) {
			beyond = append(beyond, tls.VersionName(v))
		}
	}
	least := "tls.VersionTLS12"
	if e.rules.minVersion == tls.VersionTLS13 {
		least = "tls.VersionTLS13"
	}
	if len(beyond) > 0 {
		names := strings.Join(beyond, ", ")
		e.find(14, SeverityViolation, e.fix("set MinVersion to "+least, "switch off "+names), "it %s %s", does, names)
	}
	if len(versions) > 0 && !slices.Contains(versions, tls.VersionTLS13) {
		e.find(0, SeverityWarning, e.fix("leave MaxVersion at 0", "switch on TLS 1.3"), "TLS 1.3 is missing")
	}
}

// judgeSuites judges suites of TLS 1.2 and before. Under a policy of TLS 1.3 alone its versions are what is wrong with them.
func (e *examined) judgeSuites(does string, ids []uint16) {
	beyond := map[int][]string{} // by trap
	for _, id := range ids {
		name := suiteName(id)
		e.facts.Suites = append(e.facts.Suites, name)
		if e.rules.minVersion == tls.VersionTLS13 || e.rules.allowsSuite(tls.VersionTLS12, id) {
			continue
		}
		trap := suiteTrap(id)
		beyond[trap] = append(beyond[trap], name)
	}
	for _, trap := range []int{0, 21, 22} {
		if names := beyond[trap]; len(names) > 0 {
			fix := e.fix("set CipherSuites to those of the policy, or MinVersion to tls.VersionTLS13", "leave the cipher suites of the policy alone, or TLS 1.3 alone")
			e.find(trap, SeverityViolation, fix, "it %s cipher suites beyond the policy: %s", does, strings.Join(names, ", "))
		}
	}
}

// insecureSuite says whether crypto/tls calls the suite so.
func insecureSuite(id uint16) bool {
	return slices.ContainsFunc(tls.InsecureCipherSuites(), func(s *tls.CipherSuite) bool { return s.ID == id })
}

// group is one that is used in a version.
type group struct {
	version uint16
	id      tls.CurveID
}

// judgeGroups judges key exchange groups.
func (e *examined) judgeGroups(does string, groups []group) {
	var beyond []string
	hybrids := false
	for _, g := range groups {
		name := groupName(g.id)
		if !slices.Contains(e.facts.Groups, name) {
			e.facts.Groups = append(e.facts.Groups, name)
		}
		hybrids = hybrids || groupsHybrid&policyGroups.byID(uint16(g.id)) != 0
		if e.rules.allowsVersion(g.version) && !e.rules.allowsGroup(g.version, g.id) && !slices.Contains(beyond, name) {
			beyond = append(beyond, name)
		}
	}
	pqOnly := e.rules.groups&^groupsHybrid == 0
	trap := 0
	if pqOnly {
		trap = 16
	}
	fix := e.fix("set CurvePreferences to the groups of the policy", "leave the groups of the policy alone: "+strings.Join(policyGroups.names(e.rules.groups), ", "))
	if len(beyond) > 0 {
		e.find(trap, SeverityViolation, fix, "it %s groups beyond the policy: %s", does, strings.Join(beyond, ", "))
	}
	if hybrids || e.rules.groups&groupsHybrid == 0 || len(groups) == 0 {
		return
	}
	severity := SeverityWarning
	if pqOnly {
		severity = SeverityViolation
	}
	e.find(16, severity, fix, "no post-quantum group is among those it %s: what is recorded today can be read with a quantum computer", does)
}

// groupName returns the name that policies have for a group.
func groupName(id tls.CurveID) string {
	if names := policyGroups.names(policyGroups.byID(uint16(id))); len(names) == 1 {
		return names[0]
	}
	if name, ok := groupNames[id]; ok {
		return name
	}
	return id.String()
}
