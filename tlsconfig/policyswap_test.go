package tlsconfig_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// TestPolicySwapUnderLoad: every handshake after a new file was taken keeps it, connections from before live on, and nobody who can keep both policies is refused meanwhile.
func TestPolicySwapUnderLoad(t *testing.T) {
	l := newPolicyFileLab(t)
	recommended, pq := tlsconfig.Recommended(), tlsconfig.PostQuantumRequired()
	writeFile(t, l.path, l.signer.sign(t, document(1, &recommended)))
	file := l.file()
	server := l.newServer(t, &tlsconfig.ServerOptions{Central: file, Clients: l.clients()})
	client := l.newClient(t, &tlsconfig.ClientOptions{Central: file, Identity: tlsconfig.Static(l.client)})
	addr := echo(t, server.Config().Clone())
	weak := l.plain()
	weak.CurvePreferences = []tls.CurveID{tls.CurveP256}
	mustHear(t, addr, weak)

	web := serveHTTP(t, server, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })})
	old, err := tls.Dial("tcp", web, func() *tls.Config { c := weak.Clone(); c.NextProtos = nil; return c }())
	require.NoError(t, err)
	defer old.Close()
	request := func() {
		old.SetDeadline(time.Now().Add(time.Minute))
		_, err := io.WriteString(old, "GET / HTTP/1.1\r\nHost: "+servedHost+"\r\n\r\n")
		require.NoError(t, err)
		buf := make([]byte, 4096)
		n, err := old.Read(buf)
		require.NoError(t, err)
		require.Contains(t, string(buf[:n]), "200 OK")
	}
	request()

	var stop atomic.Bool
	var load sync.WaitGroup
	var handshakes, failed, late atomic.Int64
	for range 3 {
		load.Go(func() {
			for !stop.Load() {
				_, err := hear(addr, client.Snapshot(servedHost))
				handshakes.Add(1)
				if err != nil {
					failed.Add(1)
					t.Log(err)
				}
				taken := server.Policy().Name() == pq.Name()
				if cs, err := hear(addr, weak); err == nil && taken {
					late.Add(1)
					t.Logf("let in with %v, resumed %v", cs.CurveID, cs.DidResume)
				}
			}
		})
	}
	writeFile(t, l.path, l.signer.sign(t, document(2, &pq)))
	require.Eventually(t, func() bool { return server.Policy().Name() == pq.Name() && client.Policy().Name() == pq.Name() }, time.Minute, time.Millisecond)
	since := handshakes.Load()
	require.Eventually(t, func() bool { return handshakes.Load() > since+10 }, time.Minute, time.Millisecond)
	stop.Store(true)
	load.Wait()
	t.Logf("%d handshakes", handshakes.Load())
	require.Zero(t, failed.Load())
	require.Zero(t, late.Load())
	request() // the connection from before
}

// TestPolicySwapEndsSessions: sessions from before a stricter file are not resumed, at the server and at the client, also where only the life of tickets differs.
func TestPolicySwapEndsSessions(t *testing.T) {
	for _, side := range []string{"server", "client"} {
		t.Run(side, func(t *testing.T) {
			l := newPolicyFileLab(t)
			recommended := tlsconfig.Recommended()
			writeFile(t, l.path, l.signer.sign(t, document(1, &recommended)))
			server, client := l.newServer(t, nil), l.newClient(t, nil)
			kept := func() string { return server.Policy().Name() }
			var config func() *tls.Config
			if side == "server" {
				server = l.newServer(t, &tlsconfig.ServerOptions{Central: l.file()})
				own := l.plain()
				config = func() *tls.Config { return own }
			} else {
				client = l.newClient(t, &tlsconfig.ClientOptions{Central: l.file()})
				config = func() *tls.Config { return client.Snapshot(servedHost) }
				kept = func() string { return client.Policy().Name() }
			}
			addr := echo(t, server.Config())
			require.False(t, mustHear(t, addr, config()).DidResume)
			require.True(t, mustHear(t, addr, config()).DidResume)
			stale := config()
			short := policyOf(t, `{"name": "short", "base": "recommended-2026", "ticket_minutes": 5}`)
			writeFile(t, l.path, l.signer.sign(t, document(2, short)))
			require.Eventually(t, func() bool { return kept() == "short" }, time.Minute, time.Millisecond)
			require.False(t, mustHear(t, addr, config()).DidResume)
			require.True(t, mustHear(t, addr, config()).DidResume)
			if side == "client" { // a config from before goes by what counts now, and what it negotiates is within both
				mustHear(t, addr, stale)
			}
		})
	}
}

// TestSamePolicySignedAnew: a new version that says the same ends no session.
func TestSamePolicySignedAnew(t *testing.T) {
	l := newPolicyFileLab(t)
	strict := policyOf(t, `{"name": "strict", "base": "recommended-2026", "ticket_minutes": 60}`)
	writeFile(t, l.path, l.signer.sign(t, document(1, strict)))
	seen := &events{}
	client := l.newClient(t, &tlsconfig.ClientOptions{Central: l.file(), Observer: seen})
	addr := echo(t, l.newServer(t, nil).Config())
	mustHear(t, addr, client.Snapshot(servedHost))
	writeFile(t, l.path, l.signer.sign(t, document(2, strict)))
	require.Eventually(t, func() bool { return len(seen.of(tlsconfig.KindPolicy)) == 1 }, time.Minute, time.Millisecond)
	require.EqualValues(t, 2, client.Inventory().Central.Version)
	require.True(t, mustHear(t, addr, client.Snapshot(servedHost)).DidResume)
}

// TestTicketsOfAPolicyFile: a session lives as long as the file allows, however long the options would, also when it is resumed between.
func TestTicketsOfAPolicyFile(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		l := newPolicyFileLab(t)
		writeFile(t, l.path, l.signer.sign(t, document(1, policyOf(t, `{"name": "short", "base": "recommended-2026", "ticket_minutes": 5}`))))
		server := l.newServer(t, &tlsconfig.ServerOptions{Central: l.file()})
		config := l.plain()
		resumed := func() bool {
			s, c, serverErr, clientErr := tlsconfigtest.Pipe(t, server.Config(), config)
			require.NoError(t, serverErr)
			require.NoError(t, clientErr)
			_, err := s.Write([]byte("x")) // with the ticket before it
			require.NoError(t, err)
			_, err = c.Read(make([]byte, 1))
			require.NoError(t, err)
			return c.ConnectionState().DidResume
		}
		require.False(t, resumed())
		time.Sleep(3 * time.Minute)
		require.True(t, resumed())
		time.Sleep(3 * time.Minute)
		require.False(t, resumed())
		require.NoError(t, server.Close())
	})
}

// TestHandshakeFromBefore: a handshake that began before a stricter file, and ends after, keeps it too.
func TestHandshakeFromBefore(t *testing.T) {
	l := newPolicyFileLab(t)
	recommended, pq := tlsconfig.Recommended(), tlsconfig.PostQuantumRequired()
	writeFile(t, l.path, l.signer.sign(t, document(1, &recommended)))
	server := l.newServer(t, &tlsconfig.ServerOptions{Central: l.file()})
	began := make(chan struct{}, 1)
	swapped := make(chan struct{})
	config := server.Config()
	meet := config.GetConfigForClient
	config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		own, err := meet(h)
		began <- struct{}{}
		<-swapped
		return own, err
	}
	addr := echo(t, config)
	weak := l.plain()
	weak.CurvePreferences = []tls.CurveID{tls.CurveP256}
	heard := make(chan error, 1)
	go func() {
		_, err := hear(addr, weak)
		heard <- err
	}()
	<-began
	writeFile(t, l.path, l.signer.sign(t, document(2, &pq)))
	require.Eventually(t, func() bool { return server.Policy().Name() == pq.Name() }, time.Minute, time.Millisecond)
	close(swapped)
	require.Error(t, <-heard)
	require.EqualValues(t, 1, server.Inventory().Refused[tlsconfig.ReasonGroup])
}

// TestSnapshotFromBefore: a config from before a stricter file lets nothing through that the file forbids.
func TestSnapshotFromBefore(t *testing.T) {
	l := newPolicyFileLab(t)
	recommended, pq := tlsconfig.Recommended(), tlsconfig.PostQuantumRequired()
	writeFile(t, l.path, l.signer.sign(t, document(1, &recommended)))
	client := l.newClient(t, &tlsconfig.ClientOptions{Central: l.file()})
	addr := echo(t, &tls.Config{Certificates: []tls.Certificate{l.server}, CurvePreferences: []tls.CurveID{tls.CurveP256}})
	before := client.Snapshot(servedHost)
	mustHear(t, addr, before)
	writeFile(t, l.path, l.signer.sign(t, document(2, &pq)))
	require.Eventually(t, func() bool { return client.Policy().Name() == pq.Name() }, time.Minute, time.Millisecond)
	_, err := hear(addr, before)
	require.Equal(t, tlsconfig.ReasonGroup, tlsconfig.ReasonOf(err), err)
}

// TestPolicyFileReportsFirst: a policy in report_only refuses nobody and tells, beside the ReportOnly of the options; then the next version enforces it.
func TestPolicyFileReportsFirst(t *testing.T) {
	l := newPolicyFileLab(t)
	recommended, pq, modern := tlsconfig.Recommended(), tlsconfig.PostQuantumRequired(), tlsconfig.MozillaModern()
	first := document(1, &recommended)
	first.ReportOnly = &pq
	writeFile(t, l.path, l.signer.sign(t, first))
	atServer, atClient := &events{}, &events{}
	server := l.newServer(t, &tlsconfig.ServerOptions{Central: l.file(), Observer: atServer, ReportOnly: &modern})
	addr := echo(t, server.Config())
	client := l.newClient(t, &tlsconfig.ClientOptions{Central: l.file(), Observer: atClient})
	classic := echo(t, &tls.Config{Certificates: []tls.Certificate{l.server}, CurvePreferences: []tls.CurveID{tls.CurveP256}})
	weak, old := l.plain(), l.plain()
	weak.CurvePreferences = []tls.CurveID{tls.CurveP256}
	old.MaxVersion = tls.VersionTLS12
	mustHear(t, addr, weak) // against that of the file
	mustHear(t, addr, old)  // against both: one event
	mustHear(t, addr, l.plain())
	mustHear(t, classic, client.Snapshot(servedHost))
	would := atServer.of(tlsconfig.KindWouldRefuse)
	require.Len(t, would, 2)
	require.Equal(t, tlsconfig.ReasonGroup, would[0].Reason)
	require.Equal(t, tlsconfig.ReasonVersion, would[1].Reason)
	require.Len(t, atServer.of(tlsconfig.KindHandshake), 3)
	require.Len(t, atClient.of(tlsconfig.KindWouldRefuse), 1)
	require.Equal(t, recommended.Name(), server.Policy().Name())

	writeFile(t, l.path, l.signer.sign(t, document(2, &pq)))
	require.Eventually(t, func() bool {
		return len(atServer.of(tlsconfig.KindPolicy)) == 1 && len(atClient.of(tlsconfig.KindPolicy)) == 1
	}, time.Minute, time.Millisecond)
	_, err := hear(addr, weak)
	require.Error(t, err)
	_, err = hear(classic, client.Snapshot(servedHost))
	require.Error(t, err)
	mustHear(t, addr, l.plain())
	require.Len(t, atServer.of(tlsconfig.KindWouldRefuse), 2)
	require.Len(t, atClient.of(tlsconfig.KindWouldRefuse), 1)
}

// TestReportOnlyThatCouldNotBeKept: a policy in report_only that the server could not keep judges all the same, and the Observer hears why.
func TestReportOnlyThatCouldNotBeKept(t *testing.T) {
	l := newPolicyFileLab(t)
	recommended, internal := tlsconfig.Recommended(), tlsconfig.InternalMTLS()
	writeFile(t, l.path, l.signer.sign(t, document(1, &recommended)))
	seen := &events{}
	clients := l.clients()
	clients.Optional = true
	server := l.newServer(t, &tlsconfig.ServerOptions{Central: l.file(), Observer: seen, Clients: clients})
	next := document(2, &recommended)
	next.ReportOnly = &internal
	writeFile(t, l.path, l.signer.sign(t, next))
	require.Eventually(t, func() bool { return len(seen.of(tlsconfig.KindPolicy)) == 1 }, time.Minute, time.Millisecond)
	require.ErrorContains(t, seen.of(tlsconfig.KindPolicy)[0].Err, "Optional")
	require.NoError(t, server.Healthy())
	addr := echo(t, server.Config())
	nobody := l.plain()
	nobody.Certificates = nil
	mustHear(t, addr, nobody)
	mustHear(t, addr, l.plain())
	would := seen.of(tlsconfig.KindWouldRefuse)
	require.Len(t, would, 1)
	require.Equal(t, tlsconfig.ReasonNoCertificate, would[0].Reason)
}
