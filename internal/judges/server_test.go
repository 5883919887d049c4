package judges_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// server is one under a profile, on a port of localhost, until the test ends.
type server struct {
	profile
	key       tlsconfigtest.Key
	port      string
	leaf      tls.Certificate
	ca        string // file with the root
	cert, pem string // files with the certificate of a client and its key, "" where none is asked for
	seen      *events
}

// page is what the server says to everybody.
const page = "This page came by a connection that was judged."

func serve(t *testing.T, p profile, key tlsconfigtest.Key) *server {
	t.Helper()
	dir := t.TempDir()
	ca := tlsconfigtest.NewCA(t, &tlsconfigtest.CAOptions{NotAfter: time.Now().Add(100 * day)})
	leaf := ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"localhost"}, IP: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Server: true, NotAfter: time.Now().Add(p.life), Key: key})
	s := &server{profile: p, key: key, leaf: leaf, ca: filepath.Join(dir, "ca.pem"), seen: &events{}}
	require.NoError(t, os.WriteFile(s.ca, ca.PEM(), 0o600))
	options := &tlsconfig.ServerOptions{Policy: p.policy, Observer: s.seen}
	if p.clients {
		options.Clients = &tlsconfig.Clients{Roots: tlsconfig.RootPEM(ca.PEM()), Allow: tlsconfig.DNS("judge.example")}
		s.cert, s.pem = tlsconfigtest.WritePair(t, dir, ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"judge.example"}, Client: true}))
	}
	ours, err := tlsconfig.NewServer(t.Context(), tlsconfig.Static(leaf), options)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, s.port, err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	h := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<!DOCTYPE html><title>Judged</title><p>"+page)
	})}
	var wait sync.WaitGroup
	wait.Go(func() { _ = ours.Serve(h, l) }) // until Close
	t.Cleanup(func() {
		h.Close()
		wait.Wait()
		ours.Close()
	})
	return s
}

func (s *server) address() string { return net.JoinHostPort("127.0.0.1", s.port) }

// name returns what a test with this server is called.
func (s *server) name() string {
	if s.key == tlsconfigtest.KeyP256 {
		return "ECDSA"
	}
	return strings.Fields(string(s.key))[0]
}

// events are what an Observer was told.
type events struct {
	mu  sync.Mutex
	all []tlsconfig.Event
}

func (e *events) Observe(event tlsconfig.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

// handshakes returns those that the server agreed to.
func (e *events) handshakes() []tlsconfig.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	var done []tlsconfig.Event
	for _, event := range e.all {
		if event.Kind == tlsconfig.KindHandshake {
			done = append(done, event)
		}
	}
	return done
}
