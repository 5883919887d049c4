package tlsconfig

import (
	"context"
	"crypto/tls"
	"sync"
)

// oneSession is a cache that has the last session for whatever server, as an attacker would.
type oneSession struct {
	mu   sync.Mutex
	last *tls.ClientSessionState
}

func (c *oneSession) Get(string) (*tls.ClientSessionState, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last, c.last != nil
}

func (c *oneSession) Put(_ string, session *tls.ClientSessionState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = session
}

// askSiblings looks, where the config depends on the name, whether a client that one name refuses gets in there with a session that it has from another. A client resumes only where the certificate is the same.
func (s *serving) askSiblings(ctx context.Context) bool {
	if s.config.GetConfigForClient == nil || len(s.names) < 2 {
		return true
	}
	client, server, ok := s.friend()
	if !ok {
		return true
	}
	meet := func(name string, cache tls.ClientSessionCache) (shaken, bool) {
		c := client.Clone()
		c.ServerName, c.ClientSessionCache = name, cache
		return s.meet(ctx, server, c)
	}
	var open, shut []string
	for _, name := range s.names {
		r, ok := meet(name, nil)
		if !ok {
			return false
		}
		switch {
		case r.letIn():
			open = append(open, name)
		case r.agreed():
			shut = append(shut, name)
		}
	}
	if len(shut) == 0 {
		return true
	}
	for _, from := range open {
		for _, to := range shut {
			cache := &oneSession{}
			if _, ok := meet(from, cache); !ok {
				return false
			}
			r, ok := meet(to, cache)
			if !ok {
				return false
			}
			if r.letIn() {
				s.find(4, SeverityViolation, "verify clients in VerifyConnection, which resumed sessions call too, or give each config ticket keys of its own with SetSessionTicketKeys",
					"a client that is refused by %q gets in there with a session from %q", to, from)
			}
		}
	}
	return true
}
