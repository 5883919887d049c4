package tlsconfig_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// TestInventoryOfNothing: before the first handshake its lists are empty and not null, and what is written is read back.
func TestInventoryOfNothing(t *testing.T) {
	s := newServed(t)
	for name, i := range map[string]tlsconfig.Inventory{
		"server": s.newServer(t, nil).Inventory(),
		"mutual": s.newServer(t, &tlsconfig.ServerOptions{Clients: s.clients()}).Inventory(),
		"client": s.newClient(t, nil).Inventory(),
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(i)
			require.NoError(t, err)
			require.NotContains(t, string(text), "null")
			require.Contains(t, string(text), `"handshakes":[]`)
			require.Contains(t, string(text), `"certificates":[`)
			require.NotContains(t, string(text), "last_handshake")
			require.NotEmpty(t, i.Unknown)
			var read tlsconfig.Inventory
			require.NoError(t, json.Unmarshal(text, &read))
			require.Equal(t, i, read)
		})
	}
}

// TestInventoryOfWhatIsShown: of an identity that was replaced the new certificate, of one that can't be taken the old and why, with the intermediates of each.
func TestInventoryOfWhatIsShown(t *testing.T) {
	s := newServed(t)
	middle := s.ca.Intermediate(nil)
	first := middle.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, Server: true})
	second := middle.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, Server: true})
	second.Certificate = append(second.Certificate, s.ca.Certificate().Raw)
	id := newSwapIdentity(first)
	server, err := tlsconfig.NewServer(t.Context(), id, nil)
	require.NoError(t, err)
	defer server.Close()
	shown := func() tlsconfig.InventoryCertificate {
		certs := server.Inventory().Certificates
		require.Len(t, certs, 1)
		return certs[0]
	}
	print := func(cert tls.Certificate, n int) string {
		sum := sha256.Sum256(cert.Certificate[n])
		return hex.EncodeToString(sum[:])
	}
	require.Equal(t, print(first, 0), shown().SHA256)
	require.Len(t, shown().Intermediates, 1)
	require.Equal(t, print(first, 1), shown().Intermediates[0].SHA256)
	require.True(t, middle.Certificate().NotAfter.Equal(shown().Intermediates[0].NotAfter))
	require.Empty(t, shown().NotTaken)
	id.swap(second)
	require.Eventually(t, func() bool { return shown().SHA256 == print(second, 0) }, time.Minute, time.Millisecond)
	require.Len(t, shown().Intermediates, 1, "not the root")
	id.swap(s.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, Server: true, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}))
	require.Eventually(t, func() bool { return shown().NotTaken == tlsconfig.ReasonExpired }, time.Minute, time.Millisecond)
	require.Equal(t, print(second, 0), shown().SHA256)
	id.swap(second)
	require.Eventually(t, func() bool { return shown().NotTaken == "" }, time.Minute, time.Millisecond)
}

// TestInventoryOfManyNames: each certificate once, however many names lead to it, and of a Client the one that it shows.
func TestInventoryOfManyNames(t *testing.T) {
	s := newServed(t)
	other := s.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"other.example"}, Server: true, Client: true})
	names := func() tlsconfig.Identity {
		return tlsconfig.BySNI(tlsconfig.Static(s.client), map[string]tlsconfig.Identity{
			"a.example": tlsconfig.Static(other), "b.example": tlsconfig.Static(other), "c.example": newSwapIdentity(other),
		})
	}
	s.client = s.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"client.example"}, Server: true, Client: true})
	server, err := tlsconfig.NewServer(t.Context(), names(), nil)
	require.NoError(t, err)
	defer server.Close()
	require.Len(t, server.Inventory().Certificates, 2)

	one := s.ca.Intermediate(nil).Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, Server: true})
	two := one
	two.Certificate = one.Certificate[:1:1]
	for range 20 { // the order of the names is another each time
		server, err := tlsconfig.NewServer(t.Context(), tlsconfig.BySNI(nil, map[string]tlsconfig.Identity{
			"a.example": newSwapIdentity(one), "b.example": newSwapIdentity(two), "c.example": newSwapIdentity(one), "d.example": newSwapIdentity(two),
		}), nil)
		require.NoError(t, err)
		require.Len(t, server.Inventory().Certificates, 2, "one leaf with two chains")
		require.NoError(t, server.Close())
	}
	client := s.newClient(t, &tlsconfig.ClientOptions{Identity: names()})
	certs := client.Inventory().Certificates
	require.Len(t, certs, 1)
	require.Equal(t, []string{"client.example"}, certs[0].DNS)
}

// TestInventoryOfRoots: roots that don't count are said to be, and what is not known is too.
func TestInventoryOfRoots(t *testing.T) {
	s := newServed(t)
	i := s.newClient(t, nil).Inventory()
	require.Equal(t, "listed", i.Roots.Source)
	require.Len(t, i.Roots.Certificates, 1)
	require.True(t, s.ca.Certificate().NotAfter.Equal(i.Roots.Certificates[0].NotAfter))
	require.NotContains(t, strings.Join(i.Unknown, "\n"), "Roots")

	roots := newSwapRoots(s.ca.Pool())
	client, err := tlsconfig.NewClient(t.Context(), roots, nil)
	require.NoError(t, err)
	defer client.Close()
	i = client.Inventory()
	require.Equal(t, "own", i.Roots.Source)
	require.Empty(t, i.Roots.NotTaken)
	require.Contains(t, strings.Join(i.Unknown, "\n"), "which certificates the Roots have")
	roots.swap(nil)
	require.Eventually(t, func() bool { return client.Inventory().Roots.NotTaken == tlsconfig.ReasonOther }, time.Minute, time.Millisecond)
}

// TestInventoryIsOfOneMoment: while files come and handshakes go on, the policy is that of the version, no count goes back, and no handshake comes after it was taken.
func TestInventoryIsOfOneMoment(t *testing.T) {
	l := newPolicyFileLab(t)
	policies := map[bool]*tlsconfig.Policy{
		true:  policyOf(t, `{"name": "odd", "base": "recommended-2026", "ticket_minutes": 60}`),
		false: policyOf(t, `{"name": "even", "base": "recommended-2026", "ticket_minutes": 30}`),
	}
	writeFile(t, l.path, l.signer.sign(t, document(1, policies[true])))
	file := l.file()
	server := l.newServer(t, &tlsconfig.ServerOptions{Central: file})
	addr := echo(t, server.Config())
	stop := make(chan struct{})
	var work sync.WaitGroup
	for range 2 {
		work.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := hear(addr, l.plain()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	end := sync.OnceFunc(func() {
		close(stop)
		work.Wait()
	})
	defer end()
	var before uint64
	for version := uint64(2); version < 30; version++ {
		writeFile(t, l.path, l.signer.sign(t, document(version, policies[version%2 == 1])))
		joined, err := tlsconfig.NewClient(t.Context(), l.roots(), &tlsconfig.ClientOptions{Central: file}) // has it read at once
		require.NoError(t, err)
		for seen := uint64(0); seen < version; {
			i := server.Inventory()
			seen = i.Central.Version
			require.Equal(t, *policies[seen%2 == 1], i.Policy.Demands)
			if seen == version { // no other comes meanwhile
				require.Equal(t, i.Policy.Demands.Name(), server.Policy().Name(), "and it is kept")
			}
			now := shown(i, anyHandshake)
			require.GreaterOrEqual(t, now, before)
			before = now
			require.False(t, i.LastHandshake.After(i.Taken))
		}
		require.NoError(t, joined.Close())
	}
	end()
	require.Positive(t, before)
}
