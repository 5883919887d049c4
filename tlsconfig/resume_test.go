package tlsconfig_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// stolen is a ClientSessionCache with what a client has kept, under whatever name.
type stolen struct {
	mu   sync.Mutex
	last *tls.ClientSessionState
}

func (s *stolen) Get(string) (*tls.ClientSessionState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.last != nil
}

func (s *stolen) Put(_ string, session *tls.ClientSessionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if session != nil {
		s.last = session
	}
}

// frozen is what was stolen, which nothing takes the place of.
type frozen struct{ *stolen }

func (frozen) Put(string, *tls.ClientSessionState) {}

// theft has a client connect and keep its session.
func (s *served) theft(t testing.TB, addr string) *tls.Config {
	t.Helper()
	cache := &stolen{}
	config := s.plain()
	config.ClientSessionCache = cache
	require.False(t, mustHear(t, addr, config).DidResume)
	require.True(t, mustHear(t, addr, config).DidResume, "it resumes while nothing has changed")
	config.ClientSessionCache = frozen{cache}
	return config
}

// attacks is how often a session is tried.
func attacks() int {
	if testing.Short() {
		return 20
	}
	return 1000
}

// requireNeverResumed tries a session again and again: it may connect in full or be refused, but never resumes.
func requireNeverResumed(t testing.TB, addr string, config *tls.Config, refused bool) {
	t.Helper()
	for range attacks() {
		cs, err := hear(addr, config)
		require.Equal(t, refused, err != nil, err)
		require.False(t, cs.DidResume)
	}
}

// TestSessionsEndWithTrust: a session that began under other roots, another rule, another policy or lists is not resumed.
func TestSessionsEndWithTrust(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			s := newServed(t)
			secret := make([]byte, 32)
			rand.Read(secret)
			root := &tlsconfig.Tickets{Root: func(context.Context) ([]byte, error) { return secret, nil }}
			first := s.newServer(t, &tlsconfig.ServerOptions{Clients: s.clients(), Tickets: root})
			addr := echo(t, first.Config())
			if version == tls.VersionTLS12 {
				config := s.plain()
				config.MaxVersion = version
				for range attacks() {
					require.False(t, mustHear(t, addr, config).DidResume, "sessions of TLS 1.2 are never resumed")
				}
				return
			}
			theft := s.theft(t, addr)
			require.True(t, mustHear(t, addr, theft).DidResume)
			other := tlsconfigtest.NewCA(t, nil)
			crl := t.TempDir() + "/crl.pem"
			writeFile(t, crl, s.ca.CRL(nil))
			intermediate := tlsconfig.MozillaIntermediate()
			for what, c := range map[string]struct {
				o       tlsconfig.ServerOptions
				refused bool
			}{
				"another rule that denies":  {tlsconfig.ServerOptions{Clients: &tlsconfig.Clients{Roots: s.roots(), Allow: tlsconfig.DNS("someone.example")}}, true},
				"another rule that allows":  {tlsconfig.ServerOptions{Clients: &tlsconfig.Clients{Roots: s.roots(), Allow: tlsconfig.DNS("client.example")}}, false},
				"other roots":               {tlsconfig.ServerOptions{Clients: &tlsconfig.Clients{Roots: tlsconfig.RootPEM(other.PEM()), Allow: tlsconfig.AnyIdentity()}}, true},
				"more roots":                {tlsconfig.ServerOptions{Clients: &tlsconfig.Clients{Roots: tlsconfig.RootPEM(append(other.PEM(), s.ca.PEM()...)), Allow: tlsconfig.AnyIdentity()}}, false},
				"another policy":            {tlsconfig.ServerOptions{Policy: intermediate, Clients: s.clients()}, false},
				"revocation lists":          {tlsconfig.ServerOptions{Clients: &tlsconfig.Clients{Roots: s.roots(), Allow: tlsconfig.AnyIdentity(), Revoked: tlsconfig.CRLFiles(crl)}}, false},
				"clients that are optional": {tlsconfig.ServerOptions{Clients: &tlsconfig.Clients{Roots: s.roots(), Allow: tlsconfig.AnyIdentity(), Optional: true}}, false},
				"no clients":                {tlsconfig.ServerOptions{}, false},
			} {
				t.Run(what, func(t *testing.T) {
					c.o.Tickets = root
					requireNeverResumed(t, echo(t, s.newServer(t, &c.o).Config()), theft, c.refused)
				})
			}
			same := s.newServer(t, &tlsconfig.ServerOptions{Clients: s.clients(), Tickets: root})
			require.True(t, mustHear(t, echo(t, same.Config()), theft).DidResume, "a sibling of the fleet with the same trust")
			alone := s.newServer(t, &tlsconfig.ServerOptions{Clients: s.clients()})
			requireNeverResumed(t, echo(t, alone.Config()), theft, false)
		})
	}
}

// TestSessionsEndWhileServing changes the roots of a running server: sessions from before end at once.
func TestSessionsEndWhileServing(t *testing.T) {
	s := newServed(t)
	other := tlsconfigtest.NewCA(t, nil)
	roots := newSwapRoots(s.ca.Pool())
	seen := &events{}
	server := s.newServer(t, &tlsconfig.ServerOptions{Clients: &tlsconfig.Clients{Roots: roots, Allow: tlsconfig.AnyIdentity()}, Observer: seen})
	addr := echo(t, server.Config().Clone())
	theft := s.theft(t, addr)
	changed := func() int { return len(seen.of(tlsconfig.KindTrust)) }
	both := s.ca.Pool()
	both.AddCert(other.Certificate())
	roots.swap(both)
	require.Eventually(t, func() bool { return changed() == 1 }, 10*time.Second, time.Millisecond)
	requireEndsSoon(t, addr, theft)
	requireNeverResumed(t, addr, theft, false)
	roots.swap(other.Pool())
	require.Eventually(t, func() bool { return changed() == 2 }, 10*time.Second, time.Millisecond)
	requireRefusedSoon(t, addr, theft)
	requireNeverResumed(t, addr, theft, true)
}

// requireEndsSoon waits until a session is resumed no more.
func requireEndsSoon(t testing.TB, addr string, config *tls.Config) {
	t.Helper()
	require.Eventually(t, func() bool { return !mustHear(t, addr, config).DidResume }, 10*time.Second, time.Millisecond)
}

// requireRefusedSoon waits until a client is refused.
func requireRefusedSoon(t testing.TB, addr string, config *tls.Config) {
	t.Helper()
	require.Eventually(t, func() bool { _, err := hear(addr, config); return err != nil }, 10*time.Second, time.Millisecond)
}

// TestSessionsOfAnotherName: a session that began for one name of a server is not resumed for another.
func TestSessionsOfAnotherName(t *testing.T) {
	s := newServed(t)
	server := s.newServer(t, &tlsconfig.ServerOptions{Clients: s.clients()})
	addr := echo(t, server.Config())
	theft := s.theft(t, addr)
	theft.ServerName = "other.example"
	requireNeverResumed(t, addr, theft, false)
}

// TestSessionsSurviveClone: libraries clone configs, and what they make of them resumes each other's sessions, unless they are of another Server.
func TestSessionsSurviveClone(t *testing.T) {
	s := newServed(t)
	server := s.newServer(t, &tlsconfig.ServerOptions{Clients: s.clients()})
	theft := s.theft(t, echo(t, server.Config().Clone()))
	require.True(t, mustHear(t, echo(t, server.Config().Clone()), theft).DidResume)
	off := s.newServer(t, &tlsconfig.ServerOptions{Clients: s.clients(), Tickets: &tlsconfig.Tickets{Disabled: true}})
	config := s.plain()
	addr := echo(t, off.Config())
	for range 3 {
		require.False(t, mustHear(t, addr, config).DidResume)
	}
}

// TestResumedPeer: a resumed connection has the same verified peer.
func TestResumedPeer(t *testing.T) {
	s := newServed(t)
	var mu sync.Mutex
	var peers []tlsconfig.PeerID
	seen := &events{}
	named := peerEvents{seen, func(p tlsconfig.PeerID) {
		mu.Lock()
		defer mu.Unlock()
		peers = append(peers, p)
	}}
	server := s.newServer(t, &tlsconfig.ServerOptions{Clients: s.clients(), Observer: named})
	addr, config := serveHTTP(t, server, &http.Server{Handler: hostSays}), s.plain()
	ask(t, addr, config)
	ask(t, addr, config)
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, peers, 2)
	require.Equal(t, []string{"client.example"}, peers[0].DNS)
	require.Equal(t, peers[0], peers[1])
	list := seen.of(tlsconfig.KindHandshake)
	require.Len(t, list, 2)
	require.False(t, list[0].Resumed)
	require.True(t, list[1].Resumed)
	require.Equal(t, "dns", list[1].PeerClass)
	require.True(t, list[1].Server)
	require.EqualValues(t, tls.VersionTLS13, list[1].Version)
}

// peerEvents is a PeerObserver.
type peerEvents struct {
	*events
	peer func(tlsconfig.PeerID)
}

func (p peerEvents) ObservePeer(e tlsconfig.Event, peer tlsconfig.PeerID) {
	p.Observe(e)
	p.peer(peer)
}
