package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// TestNobodyIsNamedWithoutProof: who shows a certificate without its key is not told of as its owner.
func TestNobodyIsNamedWithoutProof(t *testing.T) {
	s := newServed(t)
	stolen := s.client
	stolen.PrivateKey = s.server.PrivateKey
	for _, served := range []bool{true, false} {
		seen := &events{}
		named := peerEvents{seen, func(p tlsconfig.PeerID) { t.Error("named: ", p.DNS) }}
		server := s.newServer(t, &tlsconfig.ServerOptions{Clients: s.clients(), Observer: named})
		addr := ""
		if served {
			addr = serveHTTP(t, server, &http.Server{Handler: hostSays})
		} else {
			addr = echo(t, server.Config())
		}
		config := s.plain()
		config.Certificates = []tls.Certificate{stolen}
		_, err := hear(addr, config)
		require.Error(t, err)
		if served {
			require.Eventually(t, func() bool { return len(seen.of(tlsconfig.KindRefused)) == 1 }, 10*time.Second, time.Millisecond)
			require.Empty(t, seen.of(tlsconfig.KindHandshake))
		}
	}
	impostor := s.server
	impostor.PrivateKey = s.client.PrivateKey
	seen := &events{}
	client := s.newClient(t, &tlsconfig.ClientOptions{Observer: peerEvents{seen, func(p tlsconfig.PeerID) { t.Error("named: ", p.DNS) }}})
	_, err := shake(t, client, echo(t, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &impostor, nil }}), servedHost)
	require.Error(t, err)
	require.Empty(t, seen.of(tlsconfig.KindHandshake))
	require.Len(t, seen.of(tlsconfig.KindRefused), 1)
}

// stall is a connection that waits before what its end sends after its hello.
type stall struct {
	net.Conn
	writes int
	met    chan struct{}
	goOn   chan struct{}
}

func (s *stall) Write(b []byte) (int, error) {
	if s.writes++; s.writes == 2 {
		close(s.met)
		<-s.goOn
	}
	return s.Conn.Write(b)
}

// TestHandshakesInFlight: what changes while a client takes its time counts for it too.
func TestHandshakesInFlight(t *testing.T) {
	for name, change := range map[string]func(*tlsconfig.Server, *swapRoots, *events){
		"trust": func(_ *tlsconfig.Server, roots *swapRoots, seen *events) {
			roots.swap(tlsconfigtest.NewCA(t, nil).Pool())
			require.Eventually(t, func() bool { return len(seen.of(tlsconfig.KindTrust)) == 1 }, 10*time.Second, time.Millisecond)
			time.Sleep(10 * time.Millisecond) // the Server hears of it too
		},
		"close": func(s *tlsconfig.Server, _ *swapRoots, _ *events) { s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServed(t)
			seen, roots := &events{}, newSwapRoots(s.ca.Pool())
			server := s.newServer(t, &tlsconfig.ServerOptions{Clients: &tlsconfig.Clients{Roots: roots, Allow: tlsconfig.AnyIdentity()}, Observer: seen})
			raw, err := net.Dial("tcp", echo(t, server.Config()))
			require.NoError(t, err)
			slow := &stall{Conn: raw, met: make(chan struct{}), goOn: make(chan struct{})}
			conn := tls.Client(slow, s.plain())
			defer conn.Close()
			done := make(chan error, 1)
			go func() {
				err := conn.HandshakeContext(context.Background())
				if err == nil {
					_, err = conn.Read(make([]byte, 1))
				}
				done <- err
			}()
			<-slow.met
			change(server, roots, seen)
			close(slow.goOn)
			require.Error(t, <-done)
			require.Empty(t, seen.of(tlsconfig.KindHandshake))
		})
	}
}

// TestConfigsShareNothing: what is done to a config that was handed out changes nothing of the Server or Client.
func TestConfigsShareNothing(t *testing.T) {
	s := newServed(t)
	foreign := tlsconfigtest.NewCA(t, nil)
	server := s.newServer(t, &tlsconfig.ServerOptions{Clients: s.clients()})
	server.Config().ClientCAs.AddCert(foreign.Certificate())
	config := s.plain()
	stranger := foreign.Issue(&tlsconfigtest.Leaf{DNS: []string{"client.example"}, Client: true})
	config.Certificates, config.GetClientCertificate = nil, func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &stranger, nil }
	_, err := hear(echo(t, server.Config()), config)
	require.Error(t, err)
	client := s.newClient(t, nil)
	client.Snapshot(servedHost).RootCAs.AddCert(foreign.Certificate())
	_, err = hear(echo(t, &tls.Config{Certificates: []tls.Certificate{foreign.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}})}}), client.Snapshot(servedHost))
	require.Equal(t, tlsconfig.ReasonUntrusted, tlsconfig.ReasonOf(err))
}

// TestSystemRootsInDisguise: roots of the system are not private under another type.
func TestSystemRootsInDisguise(t *testing.T) {
	s := newServed(t)
	pool, err := x509.SystemCertPool()
	require.NoError(t, err)
	if pool.Equal(x509.NewCertPool()) {
		t.Skip("this system has no roots")
	}
	for _, roots := range []tlsconfig.Roots{struct{ tlsconfig.Roots }{tlsconfig.SystemRoots()}, newSwapRoots(pool)} {
		_, err = tlsconfig.NewServer(t.Context(), tlsconfig.Static(s.server), &tlsconfig.ServerOptions{
			Policy: tlsconfig.InternalMTLS(), Clients: &tlsconfig.Clients{Roots: roots, Allow: tlsconfig.AnyIdentity()},
		})
		require.ErrorIs(t, err, tlsconfig.ErrInvalid)
		_, err = tlsconfig.NewClient(t.Context(), roots, &tlsconfig.ClientOptions{Policy: tlsconfig.InternalMTLS(), Identity: tlsconfig.Static(s.client)})
		require.ErrorIs(t, err, tlsconfig.ErrInvalid)
	}
}

// TestServeTwice serves one http.Server on two listeners, and one without HTTP/2, and none after Close.
func TestServeTwice(t *testing.T) {
	s := newServed(t)
	server, client := s.newServer(t, nil), s.newClient(t, nil)
	h := &http.Server{Handler: hostSays}
	var work sync.WaitGroup
	defer work.Wait()
	defer h.Close()
	var http1 http.Protocols
	http1.SetHTTP1(true)
	old, older := &http.Server{Handler: hostSays, Protocols: &http1}, &http.Server{Handler: hostSays, TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
	defer old.Close()
	defer older.Close()
	for _, each := range []*http.Server{h, h, old, older} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		work.Go(func() { require.ErrorIs(t, server.Serve(each, l), http.ErrServerClosed) })
		rt, err := client.Transport(to(l.Addr().String()))
		require.NoError(t, err)
		status, body, err := get(t, rt, "https://"+servedHost+"/")
		require.NoError(t, err)
		require.Equal(t, 200, status)
		want := "HTTP/1.1"
		if each == h {
			want = "HTTP/2.0"
		}
		require.True(t, strings.HasPrefix(body, want), body)
	}
	require.ErrorIs(t, s.newServer(t, nil).Serve(h, nil), tlsconfig.ErrInvalid)
	closed := s.newServer(t, nil)
	require.NoError(t, closed.Close())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	require.ErrorIs(t, closed.Serve(&http.Server{}, l), tlsconfig.ErrClosed)
}

// panics is an Observer that does.
type panics struct{}

func (panics) Observe(e tlsconfig.Event) {
	if e.Kind == tlsconfig.KindRefused || e.Kind == tlsconfig.KindHandshake {
		panic("boom")
	}
}

// TestPanicInAHandshake ends a connection and not the process, which a client could end then.
func TestPanicInAHandshake(t *testing.T) {
	s := newServed(t)
	server := s.newServer(t, &tlsconfig.ServerOptions{Clients: s.clients(), Observer: panics{}})
	text := &strings.Builder{}
	var mu sync.Mutex
	h := &http.Server{Handler: hostSays, ErrorLog: log.New(writerFunc(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return text.Write(b)
	}), "", 0)}
	addr := serveHTTP(t, server, h)
	config := s.plain()
	config.Certificates = nil
	_, err := hear(addr, config)
	require.Error(t, err)
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(text.String(), "boom")
	}, 10*time.Second, time.Millisecond)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// TestExpiredIntermediate: a chain is served no longer than its first certificate that ends.
func TestExpiredIntermediate(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	short := ca.Intermediate(&tlsconfigtest.CAOptions{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	_, err := tlsconfig.NewServer(t.Context(), tlsconfig.Static(short.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}})), nil)
	require.ErrorIs(t, err, tlsconfig.ErrCertificate)
	ends := time.Now().Add(time.Hour).Truncate(time.Second)
	soon := ca.Intermediate(&tlsconfigtest.CAOptions{NotAfter: ends})
	server, err := tlsconfig.NewServer(t.Context(), tlsconfig.Static(soon.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}})), nil)
	require.NoError(t, err)
	defer server.Close()
	require.True(t, server.Expiry().Equal(ends), server.Expiry())
	require.ErrorIs(t, server.Healthy(), tlsconfig.ErrCertificate, "an hour of a day")
}

// TestOldLists: a revocation list does not take the place of a newer one.
func TestOldLists(t *testing.T) {
	s := newServed(t)
	file := t.TempDir() + "/crl.pem"
	old := s.ca.CRL(nil)
	s.ca.Revoke(s.client.Leaf)
	writeFile(t, file, s.ca.CRL(nil))
	seen := &events{}
	server := s.newServer(t, &tlsconfig.ServerOptions{Observer: seen, Clients: &tlsconfig.Clients{Roots: s.roots(), Allow: tlsconfig.AnyIdentity(), Revoked: tlsconfig.CRLFiles(file)}})
	addr := echo(t, server.Config())
	_, err := hear(addr, s.plain())
	require.Error(t, err)
	writeFile(t, file, old)
	require.Eventually(t, func() bool { return len(seen.of(tlsconfig.KindTrust)) == 1 }, 60*time.Second, 10*time.Millisecond)
	require.Equal(t, tlsconfig.ReasonRevocation, seen.of(tlsconfig.KindTrust)[0].Reason)
	_, err = hear(addr, s.plain())
	require.Error(t, err)
	require.ErrorIs(t, server.Healthy(), tlsconfig.ErrInvalid)
}

// TestPairsWithoutLeaf loads files where GODEBUG has crypto/tls leave the leaf unparsed.
func TestPairsWithoutLeaf(t *testing.T) {
	if os.Getenv("PAIRS_WITHOUT_LEAF") == "" {
		own := exec.Command(os.Args[0], "-test.run", "^TestPairsWithoutLeaf$")
		own.Env = append(os.Environ(), "PAIRS_WITHOUT_LEAF=1", "GODEBUG="+strings.Trim(os.Getenv("GODEBUG")+",x509keypairleaf=0", ","))
		out, err := own.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	s := newServed(t)
	cert, key := tlsconfigtest.WritePair(t, t.TempDir(), s.server)
	c, err := tlsconfig.Files(cert, key).Certificate(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{servedHost, "other.example"}, c.Leaf.DNSNames)
}

// TestTransportTakesNoOtherSettings: what the base says of TLS is not dropped in silence.
func TestTransportTakesNoOtherSettings(t *testing.T) {
	client := newServed(t).newClient(t, nil)
	for name, c := range map[string]*tls.Config{
		"ECH": {EncryptedClientHelloConfigList: []byte{1}}, "tickets": {SessionTicketsDisabled: true}, "name": {ServerName: "x"},
		"session cache": {ClientSessionCache: tls.NewLRUClientSessionCache(1)}, "renegotiation": {Renegotiation: tls.RenegotiateOnceAsClient},
	} {
		_, err := client.Transport(&http.Transport{TLSClientConfig: c})
		require.ErrorIs(t, err, tlsconfig.ErrInvalid, name)
	}
	_, err := client.Transport(&http.Transport{TLSClientConfig: &tls.Config{NextProtos: []string{"h2", "http/1.1"}}})
	require.NoError(t, err, "as net/http leaves it")
}
