package tlsconfig

import (
	"crypto/tls"
	"sync"
	"time"
)

// sessions are those of a Client with its servers: no older than the policy allows a ticket to be, since the server was verified in full. crypto/tls has a limit on each ticket alone, and gets a new one at each resumption.
type sessions struct {
	tls.ClientSessionCache
	life time.Duration

	mu   sync.Mutex
	full map[string]time.Time // when servers were verified in full, by name
}

const clientSessions = 256 // servers whose sessions are kept

func newSessions(life time.Duration) *sessions {
	return &sessions{ClientSessionCache: tls.NewLRUClientSessionCache(clientSessions), life: life, full: map[string]time.Time{}}
}

// verified notes that a server was verified in full.
func (s *sessions) verified(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.full) >= 2*clientSessions {
		clear(s.full) // of servers whose sessions are mostly gone
	}
	s.full[name] = time.Now()
}

// Get returns a session with a server, by its name. Those with an address are not resumed: what names them here is not known when they are verified.
func (s *sessions) Get(name string) (*tls.ClientSessionState, bool) {
	s.mu.Lock()
	since, ok := s.full[name]
	s.mu.Unlock()
	if !ok || time.Since(since) > s.life {
		return nil, false
	}
	return s.ClientSessionCache.Get(name)
}
