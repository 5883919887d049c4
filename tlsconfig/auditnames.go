package tlsconfig

import (
	"context"
	"crypto/tls"
	"strings"
)

// demand is what a server demands of the clients that ask for a name.
type demand struct {
	name string // "" for none
	auth tls.ClientAuthType
}

// askNames looks what depends on the name that a client asks for: no name, an unknown one and one in capitals get no less demanded of them than the others.
func (s *serving) askNames(ctx context.Context) bool {
	names := []string{strangeHost}
	if s.config.GetConfigForClient != nil { // else all have the same demanded of them
		names = append(names, s.names...)
		names = append(names, "")
	}
	s.facts.UnknownName = "refused"
	var known []demand
	for _, name := range names {
		d, served, ok := s.demandFor(ctx, name)
		if !ok {
			return false
		}
		if served {
			known = append(known, d)
		}
		if served && name == strangeHost {
			s.facts.UnknownName = "served"
		}
	}
	return !s.judgeDemands(known) || s.askLoud(ctx, known)
}

// askLoud looks whether names in capitals, which are the same names, have less demanded of them.
func (s *serving) askLoud(ctx context.Context, known []demand) bool {
	for _, d := range known {
		loud, served, ok := s.demandFor(ctx, strings.ToUpper(d.name))
		if !ok {
			return false
		}
		if served && loud.auth < d.auth {
			s.find(13, SeverityViolation, "fold the case of ClientHelloInfo.ServerName before it is looked up", "who asks for %q instead of %q has less demanded of it: %s instead of %s", loud.name, d.name, loud.auth, d.auth)
		}
	}
	return true
}

// demandFor asks for a name, and says whether the server shows a certificate then.
func (s *serving) demandFor(ctx context.Context, name string) (d demand, served, ok bool) {
	r, ok := s.ask(ctx, s.hello(name, s.versions[0], tls.VersionTLS13))
	if !ok || s.noted == nil || len(shownBy(&r)) == 0 {
		return d, false, ok
	}
	return demand{name, s.noted.ClientAuth}, true, true
}

// judgeDemands looks whether two names differ in what clients must show.
func (s *serving) judgeDemands(known []demand) bool {
	for _, a := range known {
		for _, b := range known {
			if a.auth <= b.auth {
				continue
			}
			s.byName = true
			s.find(13, SeverityWarning, "answer requests whose Host or :authority is not the name of the connection with 421; Server.Serve does",
				"clients that ask for %q get %s, and those that ask for %q get %s: what goes by the name in a request goes round the stricter one", a.name, a.auth, b.name, b.auth)
			return true
		}
	}
	return false
}
