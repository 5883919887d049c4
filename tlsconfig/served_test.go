package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

const servedHost = "api.example"

// events is an Observer that keeps what it is told.
type events struct {
	mu   sync.Mutex
	list []tlsconfig.Event
}

func (e *events) Observe(event tlsconfig.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, event)
}

// of returns the events of a kind.
func (e *events) of(kind tlsconfig.Kind) (list []tlsconfig.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.list {
		if event.Kind == kind {
			list = append(list, event)
		}
	}
	return list
}

// swapRoots are Roots that a test changes.
type swapRoots struct {
	mu      sync.Mutex
	pool    *x509.CertPool
	changed chan struct{}
}

func newSwapRoots(pool *x509.CertPool) *swapRoots {
	return &swapRoots{pool: pool, changed: make(chan struct{})}
}

func (r *swapRoots) Pool() (*x509.CertPool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pool, nil
}

func (r *swapRoots) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

func (r *swapRoots) swap(pool *x509.CertPool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pool = pool
	close(r.changed)
	r.changed = make(chan struct{})
}

// swapIdentity is an Identity that a test changes.
type swapIdentity struct {
	mu      sync.Mutex
	cert    tls.Certificate
	changed chan struct{}
}

func newSwapIdentity(cert tls.Certificate) *swapIdentity {
	return &swapIdentity{cert: cert, changed: make(chan struct{})}
}

func (i *swapIdentity) Certificate(context.Context) (*tls.Certificate, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	own := i.cert
	return &own, nil
}

func (i *swapIdentity) Changed() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.changed
}

func (i *swapIdentity) swap(cert tls.Certificate) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cert = cert
	close(i.changed)
	i.changed = make(chan struct{})
}

// served is a CA with a server's and a client's certificate.
type served struct {
	ca             *tlsconfigtest.CA
	server, client tls.Certificate
}

func newServed(t testing.TB) *served {
	ca := tlsconfigtest.NewCA(t, nil)
	return &served{
		ca:     ca,
		server: ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost, "other.example"}, IP: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Server: true}),
		client: ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"client.example"}, Client: true}),
	}
}

// roots are those of the CA.
func (s *served) roots() tlsconfig.Roots { return tlsconfig.RootPEM(s.ca.PEM()) }

// clients lets in those of the CA.
func (s *served) clients() *tlsconfig.Clients {
	return &tlsconfig.Clients{Roots: s.roots(), Allow: tlsconfig.AnyIdentity()}
}

func (s *served) newServer(t testing.TB, o *tlsconfig.ServerOptions) *tlsconfig.Server {
	t.Helper()
	server, err := tlsconfig.NewServer(t.Context(), tlsconfig.Static(s.server), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	return server
}

func (s *served) newClient(t testing.TB, o *tlsconfig.ClientOptions) *tlsconfig.Client {
	t.Helper()
	client, err := tlsconfig.NewClient(t.Context(), s.roots(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// plain is the config of a client that resumes sessions, with the CA's certificate for clients.
func (s *served) plain() *tls.Config {
	return &tls.Config{RootCAs: s.ca.Pool(), ServerName: servedHost, Certificates: []tls.Certificate{s.client}, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
}

// echo is a listener on loopback whose connections are answered with "hello" after their handshake under config.
func echo(t testing.TB, config *tls.Config) (addr string) {
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(t, err)
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer conn.Close()
				io.WriteString(conn, "hello")
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		work.Wait()
	})
	return l.Addr().String()
}

// hear connects to an echo and reads what it says, with the session tickets before it.
func hear(addr string, config *tls.Config) (tls.ConnectionState, error) {
	conn, err := tls.Dial("tcp", addr, config)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.ReadAll(conn); err != nil {
		return tls.ConnectionState{}, err
	}
	return conn.ConnectionState(), nil
}

// ask sends a request to what serveHTTP serves and reads the answer, with the session tickets before it.
func ask(t testing.TB, addr string, config *tls.Config) tls.ConnectionState {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, config)
	require.NoError(t, err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+servedHost+"\r\nConnection: close\r\n\r\n")
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Contains(t, string(answer), "200 OK")
	return conn.ConnectionState()
}

// mustHear is hear that must end well.
func mustHear(t testing.TB, addr string, config *tls.Config) tls.ConnectionState {
	t.Helper()
	cs, err := hear(addr, config)
	require.NoError(t, err)
	return cs
}

// serveHTTP serves h by s on loopback.
func serveHTTP(t testing.TB, s *tlsconfig.Server, h *http.Server) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Serve(h, l) }()
	t.Cleanup(func() {
		require.NoError(t, h.Close())
		require.ErrorIs(t, <-done, http.ErrServerClosed)
	})
	return l.Addr().String()
}

func writeFile(t testing.TB, name string, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(name+".new", content, 0o600))
	require.NoError(t, os.Rename(name+".new", name))
}

func addresses(list ...string) (all []netip.Addr) {
	for _, a := range list {
		all = append(all, netip.MustParseAddr(a))
	}
	return all
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}
