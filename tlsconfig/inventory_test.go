package tlsconfig_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// shown returns how many handshakes an inventory has of those that want.
func shown(i tlsconfig.Inventory, want func(tlsconfig.InventoryHandshakes) bool) (sum uint64) {
	for _, h := range i.Handshakes {
		if want(h) {
			sum += h.Count
		}
	}
	return sum
}

func anyHandshake(tlsconfig.InventoryHandshakes) bool { return true }

// TestInventoryCounts: each handshake is counted once at each side, however it is made, and by what was negotiated.
func TestInventoryCounts(t *testing.T) {
	s := newServed(t)
	server := s.newServer(t, &tlsconfig.ServerOptions{Clients: s.clients()})
	client := s.newClient(t, &tlsconfig.ClientOptions{Identity: tlsconfig.Static(s.client)})
	web := serveHTTP(t, server, &http.Server{Handler: hostSays})
	plain := echo(t, server.Config())
	const each = 5
	var work sync.WaitGroup
	for range each {
		work.Go(func() { // 1: DialContext, to Serve; verified by address, as Snapshot's below is by name
			conn, err := client.DialContext(t.Context(), "tcp", web)
			if err == nil {
				conn.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
		work.Go(func() { // 2: Transport, to Serve: a connection for each request
			base := http.DefaultTransport.(*http.Transport).Clone()
			base.DisableKeepAlives = true
			transport, err := client.Transport(base)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := (&http.Client{Transport: transport}).Get("https://" + web)
			if err != nil {
				t.Error(err)
				return
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		})
		work.Go(func() { // 3: Snapshot, to Config
			if _, err := hear(plain, client.Snapshot(servedHost)); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	require.Eventually(t, func() bool { return shown(server.Inventory(), anyHandshake) == 3*each }, time.Minute, time.Millisecond)
	require.EqualValues(t, 3*each, shown(client.Inventory(), anyHandshake))
	old := s.plain()
	old.MaxVersion, old.CurvePreferences = tls.VersionTLS12, []tls.CurveID{tls.CurveP256}
	mustHear(t, plain, old)
	config := s.plain()
	mustHear(t, plain, config)
	mustHear(t, plain, config)
	i := server.Inventory()
	require.EqualValues(t, 3*each+3, shown(i, anyHandshake))
	require.EqualValues(t, 1, shown(i, func(h tlsconfig.InventoryHandshakes) bool {
		return h.Version == "TLS 1.2" && h.Group == "P-256" && strings.HasPrefix(h.Suite, "TLS_ECDHE_ECDSA_WITH_AES_") && !h.Resumed && h.Peer == "dns"
	}))
	require.Positive(t, shown(i, func(h tlsconfig.InventoryHandshakes) bool { return h.Resumed && h.Version == "TLS 1.3" }))
	require.EqualValues(t, each, shown(i, func(h tlsconfig.InventoryHandshakes) bool { return h.Protocol == "h2" || h.Protocol == "http/1.1" }))
	require.Empty(t, i.Refused)
	require.WithinRange(t, i.LastHandshake, i.Since, i.Taken)
}

// TestInventoryCountsRefusals: by reason, with those that a policy in ReportOnly would refuse, and without an Observer.
func TestInventoryCountsRefusals(t *testing.T) {
	s := newServed(t)
	pq := tlsconfig.PostQuantumRequired()
	clients := s.clients()
	clients.Allow = tlsconfig.DNS("client.example")
	server := s.newServer(t, &tlsconfig.ServerOptions{Clients: clients, ReportOnly: &pq})
	addr := echo(t, server.Config())
	stranger, nobody, classic := s.plain(), s.plain(), s.plain()
	stranger.Certificates = []tls.Certificate{s.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"stranger.example"}, Client: true})}
	nobody.Certificates = nil
	classic.CurvePreferences = []tls.CurveID{tls.CurveP256}
	for _, config := range []*tls.Config{stranger, stranger, nobody} {
		_, err := hear(addr, config)
		require.Error(t, err)
	}
	mustHear(t, addr, classic)
	require.Eventually(t, func() bool { return server.Inventory().Refused[tlsconfig.ReasonOther] == 1 }, time.Minute, time.Millisecond, "no certificate: crypto/tls refuses, and does not say so to a Config")
	i := server.Inventory()
	require.Equal(t, map[tlsconfig.Reason]uint64{tlsconfig.ReasonIdentity: 2, tlsconfig.ReasonOther: 1}, i.Refused)
	require.Equal(t, map[tlsconfig.Reason]uint64{tlsconfig.ReasonGroup: 1}, i.WouldRefuse)
	require.EqualValues(t, 1, shown(i, anyHandshake))

	client := s.newClient(t, nil)
	self := echo(t, &tls.Config{Certificates: []tls.Certificate{tlsconfigtest.NewCA(t, nil).Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, Server: true})}})
	_, err := shake(t, client, self, servedHost)
	require.Error(t, err)
	require.Equal(t, map[tlsconfig.Reason]uint64{tlsconfig.ReasonUntrusted: 1}, client.Inventory().Refused)
}

// TestInventoryIsBounded: neither a Snapshot's own protocols nor a user's own reasons make it grow without end.
func TestInventoryIsBounded(t *testing.T) {
	s := newServed(t)
	client := s.newClient(t, nil)
	server := &tls.Config{Certificates: []tls.Certificate{s.server}}
	for n := range 30 {
		server.NextProtos = append(server.NextProtos, strings.Repeat("x", n+1))
	}
	addr := echo(t, server)
	for _, protocol := range server.NextProtos {
		config := client.Snapshot(servedHost)
		config.NextProtos, config.ClientSessionCache = []string{protocol}, nil
		mustHear(t, addr, config)
	}
	i := client.Inventory()
	require.Len(t, i.Handshakes, 17)
	require.EqualValues(t, 30, shown(i, anyHandshake))

	reason := 0
	strange := s.newServer(t, &tlsconfig.ServerOptions{Clients: &tlsconfig.Clients{Roots: s.roots(), Allow: tlsconfig.AnyIdentity()}})
	tellReasons(strange, func() error {
		reason++
		return &tlsconfig.Refusal{Reason: tlsconfig.Reason(strings.Repeat("r", reason)), Err: errors.New("x")}
	}, 100)
	require.LessOrEqual(t, len(strange.Inventory().Refused), 65)
	var sum uint64
	for _, count := range strange.Inventory().Refused {
		sum += count
	}
	require.EqualValues(t, 100, sum)
}

func tellReasons(s *tlsconfig.Server, refusal func() error, times int) {
	for range times {
		s.Tell(tlsconfig.Event{Kind: tlsconfig.KindRefused, Reason: tlsconfig.ReasonOf(refusal())})
	}
}

// TestInventoryShowsWhatIsConfigured: certificates, roots, policies and the signed file, and nothing of a peer.
func TestInventoryShowsWhatIsConfigured(t *testing.T) {
	l := newPolicyFileLab(t)
	l.server = l.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, IP: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Server: true})
	pq, recommended := tlsconfig.PostQuantumRequired(), tlsconfig.Recommended()
	d := document(7, &recommended)
	d.ReportOnly = &pq
	writeFile(t, l.path, l.signer.sign(t, d))
	clients := l.clients()
	clients.Optional = true
	server := l.newServer(t, &tlsconfig.ServerOptions{Central: l.file(), Clients: clients})
	mustHear(t, echo(t, server.Config()), l.plain())
	i := server.Inventory()
	require.Equal(t, "server", i.Kind)
	require.Equal(t, "optional", i.Clients)
	require.Equal(t, "process", i.Tickets)
	require.Equal(t, []string{"h2", "http/1.1"}, i.Protocols)
	require.Equal(t, recommended, i.Policy.Demands)
	require.Len(t, i.ReportOnly, 1)
	require.NotEqual(t, i.Policy.Digest, i.ReportOnly[0].Digest)
	require.EqualValues(t, 7, i.Central.Version)
	require.Empty(t, i.Central.Problem)
	require.True(t, i.Central.Expires.Equal(d.Expires.Truncate(time.Second)))
	require.Len(t, i.Certificates, 1)
	sum := sha256.Sum256(l.server.Certificate[0])
	cert := i.Certificates[0]
	require.Equal(t, hex.EncodeToString(sum[:]), cert.SHA256)
	require.Equal(t, []string{servedHost}, cert.DNS)
	require.Equal(t, []string{"127.0.0.1"}, cert.IPs)
	require.Equal(t, l.server.Leaf.SerialNumber.Text(16), cert.Serial)
	require.True(t, cert.NotAfter.Equal(l.server.Leaf.NotAfter))
	require.Equal(t, "ECDSA-P256", cert.Key)
	require.Equal(t, 256, cert.Bits)
	require.NotEmpty(t, cert.Issuer)
	require.Equal(t, "listed", i.Roots.Source)
	require.Len(t, i.Roots.Certificates, 1)
	sum = sha256.Sum256(l.ca.Certificate().Raw)
	require.Equal(t, hex.EncodeToString(sum[:]), i.Roots.Certificates[0].SHA256)

	text, err := json.Marshal(i)
	require.NoError(t, err)
	require.NotContains(t, string(text), "client.example")
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &fields))
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	require.Equal(t, []string{
		"central", "certificates", "clients", "handshakes", "kind", "last_handshake", "policy", "protocols", "report_only", "revocation", "roots", "since", "taken", "tickets", "unknown",
	}, names)

	system, err := tlsconfig.NewClient(t.Context(), tlsconfig.SystemRoots(), nil)
	require.NoError(t, err)
	defer system.Close()
	require.Equal(t, &tlsconfig.InventoryRoots{Source: "system"}, system.Inventory().Roots)
	own := newSwapRoots(l.ca.Pool())
	other, err := tlsconfig.NewClient(t.Context(), own, nil)
	require.NoError(t, err)
	defer other.Close()
	require.Equal(t, &tlsconfig.InventoryRoots{Source: "own"}, other.Inventory().Roots)
}

// TestInventoryIsStable: the same state has the same JSON form.
func TestInventoryIsStable(t *testing.T) {
	s := newServed(t)
	server := s.newServer(t, nil)
	addr := echo(t, server.Config())
	for _, group := range []tls.CurveID{tls.CurveP256, tls.CurveP384, tls.SecP256r1MLKEM768} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			config := s.plain()
			config.CurvePreferences, config.MaxVersion = []tls.CurveID{group, tls.CurveP384}, version
			mustHear(t, addr, config)
		}
	}
	first := server.Inventory()
	require.Greater(t, len(first.Handshakes), 3)
	for range 20 {
		next := server.Inventory()
		next.Taken = first.Taken
		a, err := json.Marshal(first)
		require.NoError(t, err)
		b, err := json.Marshal(next)
		require.NoError(t, err)
		require.Equal(t, string(a), string(b))
	}
}
