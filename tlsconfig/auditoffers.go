package tlsconfig

import (
	"context"
	"crypto/tls"
	"slices"
	"strings"
)

// askVersions looks which versions the server agrees to.
func (s *serving) askVersions(ctx context.Context) bool {
	for v := uint16(tls.VersionTLS10); v <= tls.VersionTLS13; v++ {
		r, ok := s.ask(ctx, s.hello(s.name, v, v))
		if !ok {
			return false
		}
		if r.agreed() {
			s.versions = append(s.versions, v)
		}
	}
	s.judgeVersions("agrees to", s.versions)
	return true
}

// old returns the highest version before TLS 1.3 that the server agrees to, 0 for none.
func (s *serving) old() (highest uint16) {
	for _, v := range s.versions {
		if v < tls.VersionTLS13 {
			highest = v
		}
	}
	return highest
}

// askSuites looks which suites of TLS 1.2 and before the server agrees to, each alone. crypto/tls lets nobody choose among those of TLS 1.3.
func (s *serving) askSuites(ctx context.Context) bool {
	if s.old() == 0 {
		return true
	}
	var agreed []uint16
	for _, id := range oldSuites() {
		hello := s.hello(s.name, s.versions[0], s.old())
		hello.CipherSuites = []uint16{id}
		r, ok := s.ask(ctx, hello)
		if !ok {
			return false
		}
		if r.agreed() {
			agreed = append(agreed, id)
		}
	}
	s.judgeSuites("agrees to", agreed)
	return true
}

// askGroups looks which groups the server agrees to, each alone, in TLS 1.3 and before it.
func (s *serving) askGroups(ctx context.Context) bool {
	var elliptic []uint16
	for _, id := range oldSuites() {
		if strings.HasPrefix(tls.CipherSuiteName(id), "TLS_ECDHE_") {
			elliptic = append(elliptic, id)
		}
	}
	versions := []uint16{tls.VersionTLS13, s.old()}
	var agreed []group
	for _, version := range versions {
		if !slices.Contains(s.versions, version) {
			continue
		}
		for _, term := range policyGroups {
			if version < tls.VersionTLS13 && groupsHybrid&policyGroups.byID(term.id) != 0 {
				continue // it has none of them
			}
			hello := s.hello(s.name, version, version)
			hello.CipherSuites = elliptic
			hello.CurvePreferences = []tls.CurveID{tls.CurveID(term.id)}
			r, ok := s.ask(ctx, hello)
			if !ok {
				return false
			}
			if r.agreed() {
				agreed = append(agreed, group{version, tls.CurveID(term.id)})
			}
		}
	}
	s.judgeGroups("agrees to", agreed)
	return true
}

// askProtocols looks which application protocols the server agrees to, each alone: those that it lists, and those of HTTP.
func (s *serving) askProtocols(ctx context.Context) bool {
	protocols := slices.Concat(s.config.NextProtos, s.counted.NextProtos, []string{"h2", "http/1.1"})
	slices.Sort(protocols)
	for _, protocol := range slices.Compact(protocols) {
		if protocol == "" || len(protocol) > 255 {
			continue // can't be offered
		}
		hello := s.hello(s.name, s.versions[0], tls.VersionTLS13)
		hello.NextProtos = []string{protocol}
		r, ok := s.ask(ctx, hello)
		if !ok {
			return false
		}
		if r.agreed() && r.client.state.NegotiatedProtocol == protocol {
			s.facts.Protocols = append(s.facts.Protocols, protocol)
		} else if slices.Contains(s.config.NextProtos, protocol) {
			s.find(29, SeverityWarning, "set NextProtos of what GetConfigForClient returns too", "the config lists protocol %q, and the server does not agree to it: with HTTP/2 that is slow, and with others nothing works", protocol)
		}
	}
	return true
}
