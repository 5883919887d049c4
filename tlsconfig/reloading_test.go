package tlsconfig_test

import (
	"crypto/tls"
	"crypto/x509"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// heapAfterGC is what is in use, in bytes.
func heapAfterGC() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// changes is an Observer that passes on what changed.
type changes chan tlsconfig.Event

func (c changes) Observe(e tlsconfig.Event) {
	if e.Kind == tlsconfig.KindCertificate || e.Kind == tlsconfig.KindTrust {
		c <- e
	}
}

// TestSwapsUnderLoad swaps certificates and CAs, each as soon as the one before is taken, while clients connect again and again: no handshake fails, and nothing grows.
func TestSwapsUnderLoad(t *testing.T) {
	swaps := 10_000
	if testing.Short() {
		swaps = 300
	}
	old, current, next := tlsconfigtest.NewCA(t, nil), tlsconfigtest.NewCA(t, nil), tlsconfigtest.NewCA(t, nil)
	var certs, clients []tls.Certificate
	for _, ca := range []*tlsconfigtest.CA{old, current, old.Intermediate(nil), current} {
		certs = append(certs, ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, Server: true}))
		clients = append(clients, ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"client.example"}, Client: true}))
	}
	pool := func(cas ...*tlsconfigtest.CA) *x509.CertPool {
		p := x509.NewCertPool()
		for _, ca := range cas {
			p.AddCert(ca.Certificate())
		}
		return p
	}
	pools := []*x509.CertPool{pool(old, current), pool(old, current, next)}
	identity, roots := newSwapIdentity(certs[0]), newSwapRoots(pools[0])
	own, trust := newSwapIdentity(clients[0]), newSwapRoots(pools[0])
	seen := make(changes, 4)
	server, err := tlsconfig.NewServer(t.Context(), identity, &tlsconfig.ServerOptions{
		Clients: &tlsconfig.Clients{Roots: roots, Allow: tlsconfig.DNS("client.example")}, Observer: seen,
	})
	require.NoError(t, err)
	defer server.Close()
	client, err := tlsconfig.NewClient(t.Context(), trust, &tlsconfig.ClientOptions{Identity: own})
	require.NoError(t, err)
	defer client.Close()
	addr := echo(t, server.Config().Clone())
	var stop atomic.Bool
	var handshakes, failed, resumed atomic.Int64
	var load sync.WaitGroup
	work := func() {
		cs, err := hear(addr, client.Snapshot(servedHost))
		handshakes.Add(1)
		if err != nil {
			failed.Add(1)
			t.Log(err)
		}
		if cs.DidResume {
			resumed.Add(1)
		}
	}
	for range 20 {
		work()
	}
	goroutines, heap := runtime.NumGoroutine(), heapAfterGC()
	for range 3 {
		load.Go(func() {
			for !stop.Load() {
				work()
			}
		})
	}
	for i := range swaps {
		identity.swap(certs[(i+1)%len(certs)])
		own.swap(clients[(i+1)%len(clients)])
		<-seen
		if i%2 == 0 {
			pick := pools[(i/2+1)%len(pools)]
			trust.swap(pick)
			roots.swap(pick)
			<-seen
		}
	}
	stop.Store(true)
	load.Wait()
	t.Logf("%d swaps, %d handshakes, %d resumed", swaps, handshakes.Load(), resumed.Load())
	require.Zero(t, failed.Load())
	require.Positive(t, handshakes.Load())
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+2 }, 10*time.Second, 10*time.Millisecond)
	require.Less(t, heapAfterGC(), heap+8<<20)
	require.NoError(t, server.Healthy())
}

// TestSwappedFilesAreServed replaces files as those who renew certificates do: they are served soon, without a restart.
func TestSwappedFilesAreServed(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	dir := t.TempDir()
	issue := func() tls.Certificate {
		now := time.Now()
		return ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, Server: true, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)})
	}
	certFile, keyFile := tlsconfigtest.WritePair(t, dir, issue())
	writeFile(t, dir+"/ca.pem", ca.PEM())
	server, err := tlsconfig.NewServer(t.Context(), tlsconfig.Files(certFile, keyFile), nil)
	require.NoError(t, err)
	defer server.Close()
	client, err := tlsconfig.NewClient(t.Context(), tlsconfig.RootFiles(dir+"/ca.pem"), nil)
	require.NoError(t, err)
	defer client.Close()
	addr := echo(t, server.Config())
	mustHear(t, addr, client.Snapshot(servedHost))
	renewed := issue()
	tlsconfigtest.WritePair(t, dir, renewed)
	start := time.Now()
	require.Eventually(t, func() bool {
		cs, err := hear(addr, &tls.Config{RootCAs: ca.Pool(), ServerName: servedHost})
		require.NoError(t, err)
		return cs.PeerCertificates[0].Equal(renewed.Leaf)
	}, 30*time.Second, 10*time.Millisecond)
	t.Logf("served after %v", time.Since(start).Round(10*time.Millisecond))
	require.True(t, server.Expiry().Equal(renewed.Leaf.NotAfter))
}
