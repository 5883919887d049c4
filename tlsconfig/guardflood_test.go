package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// needLoopback skips a test whose clients have many addresses of their own.
func needLoopback(t testing.TB) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has all of 127.0.0.0/8 on its loopback interface")
	}
}

// dialFrom connects from an address of this machine.
func dialFrom(ctx context.Context, from netip.Addr, to string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	return d.DialContext(ctx, "tcp", to)
}

// flood opens connections as fast as it can until it ends, which send a hello and then vanish, every other one, or stay.
func flood(t testing.TB, to string, hello []byte, from func() netip.Addr) (opened *atomic.Int64, end func()) {
	opened = &atomic.Int64{}
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			var stay [200]net.Conn
			defer func() {
				for _, c := range stay {
					if c != nil {
						c.Close()
					}
				}
			}()
			for i := 0; ctx.Err() == nil; i++ {
				c, err := dialFrom(ctx, from(), to)
				opened.Add(1)
				if err != nil {
					continue // it was refused that fast
				}
				c.Write(hello)
				if i%2 == 0 {
					c.Close()
					continue
				}
				if old := stay[i%len(stay)]; old != nil {
					old.Close()
				}
				stay[i%len(stay)] = c
			}
		})
	}
	end = sync.OnceFunc(func() {
		stop()
		work.Wait()
	})
	t.Cleanup(end)
	return opened, end
}

// TestGuardFlood: strangers open connections as fast as they can to a server whose key is in a KMS. It makes no more signatures than its budget, and a client that is allowed gets in, with a session and without.
func TestGuardFlood(t *testing.T) {
	needLoopback(t)
	s := newServed(t)
	const budget = 50
	connects := int64(5000)
	if testing.Short() {
		connects = 1000
	}
	friend := netip.MustParseAddr("127.0.0.1")
	few := func() netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 1, byte(1 + rand.IntN(8))}) }
	var turn atomic.Int64
	returning := func() netip.Addr {
		n := turn.Add(1) % 500
		return netip.AddrFrom4([4]byte{127, 0, byte(2 + n/250), byte(1 + n%250)})
	}
	for name, c := range map[string]struct {
		options tlsconfig.GuardOptions
		from    func() netip.Addr
		strange bool // strangers may get signatures
	}{
		"allow list":               {tlsconfig.GuardOptions{Handshake: 5 * time.Minute, Signatures: budget, Allow: allow(t, "127.0.0.1")}, few, false},
		"few sources":              {tlsconfig.GuardOptions{Handshake: 5 * time.Minute, Signatures: budget}, few, true},
		"unbounded":                {tlsconfig.GuardOptions{Handshake: 5 * time.Minute, Signatures: budget, SourceRate: 1_000_000, PerSource: 1024}, few, true},
		"sources that came before": {tlsconfig.GuardOptions{Handshake: 5 * time.Minute, Signatures: budget}, returning, true},
		"many sources": {tlsconfig.GuardOptions{Handshake: 5 * time.Minute, Signatures: budget}, func() netip.Addr {
			return netip.AddrFrom4([4]byte{127, byte(1 + rand.IntN(250)), byte(rand.IntN(250)), byte(1 + rand.IntN(250))})
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			server, key := s.newMetered(t, nil)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			begun := time.Now()
			guard(t, server, l, &c.options)
			hear := func(config *tls.Config) tls.ConnectionState {
				t.Helper()
				raw, err := dialFrom(t.Context(), friend, l.Addr().String())
				require.NoError(t, err)
				cs, err := hearOn(raw, config)
				require.NoError(t, err)
				return cs
			}
			before, end := flood(t, l.Addr().String(), helloOf(t, s.plain()), c.from)
			require.Eventually(t, func() bool { return before.Load() > 500 }, time.Minute, time.Millisecond)
			end()
			resumes := s.plain()
			full := int64(1)
			require.False(t, hear(resumes).DidResume)
			opened, end := flood(t, l.Addr().String(), helloOf(t, s.plain()), c.from)
			require.Eventually(t, func() bool { return opened.Load() > connects/5 }, time.Minute, time.Millisecond)
			during := time.Now()
			for opened.Load() < connects || full < 6 {
				require.False(t, hear(s.plain()).DidResume)
				full++
				require.True(t, hear(resumes).DidResume)
			}
			end()
			signed, took := key.signed.Load(), time.Since(begun)
			require.LessOrEqual(t, float64(signed), budget/10+took.Seconds()*budget)
			if c.strange {
				require.GreaterOrEqual(t, signed, full)
			} else {
				require.Equal(t, full, signed)
			}
			t.Logf("%d connections in %v, %d signatures, %d of them for the friend; refused: %v", opened.Load(), time.Since(during), signed, full, server.Inventory().Refused)
		})
	}
}

// TestGuardSignatures: handshakes over the budget fail when they had no turn in time, those that resume a session cost nothing, nor do those without a certificate to show.
func TestGuardSignatures(t *testing.T) {
	s := newServed(t)
	t.Run("over", func(t *testing.T) {
		seen := &events{}
		server, key := s.newMetered(t, &tlsconfig.ServerOptions{Observer: seen})
		f, resumes := newFar(t), s.plain()
		begun := time.Now()
		guard(t, server, f, &tlsconfig.GuardOptions{Signatures: 1, Handshake: 4 * time.Second})
		_, err := f.hear("192.0.2.1", resumes)
		require.NoError(t, err)
		var all atomic.Int64
		all.Store(1)
		for server.Inventory().Refused[tlsconfig.ReasonRate] < 3 {
			var work sync.WaitGroup
			for range 6 { // of whom two or three have a turn in time
				work.Go(func() {
					if _, err := f.hear("192.0.2.1", s.plain()); err == nil {
						all.Add(1)
					}
				})
			}
			cs, err := f.hear("192.0.2.1", resumes)
			require.NoError(t, err)
			require.True(t, cs.DidResume)
			work.Wait()
		}
		full := all.Load()
		require.LessOrEqual(t, key.signed.Load(), 1+int64(time.Since(begun)/time.Second))
		require.GreaterOrEqual(t, key.signed.Load(), full)
		require.NotEmpty(t, seen.of(tlsconfig.KindRefused))
	})
	t.Run("unknown names", func(t *testing.T) {
		server, err := tlsconfig.NewServer(t.Context(), tlsconfig.BySNI(nil, map[string]tlsconfig.Identity{servedHost: tlsconfig.Static(s.server)}), nil)
		require.NoError(t, err)
		defer server.Close()
		f := newFar(t)
		guard(t, server, f, &tlsconfig.GuardOptions{Signatures: 1, Handshake: 4 * time.Second})
		var work sync.WaitGroup
		for range 10 {
			work.Go(func() { f.hear("192.0.2.1", &tls.Config{RootCAs: s.ca.Pool(), ServerName: "other.example"}) })
		}
		work.Wait()
		refusals(t, server, tlsconfig.ReasonServerName, 10)
		require.Zero(t, server.Inventory().Refused[tlsconfig.ReasonRate])
	})
	t.Run("gone", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("a client that hung up is not noticed there")
		}
		server, key := s.newMetered(t, nil)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		guard(t, server, l, &tlsconfig.GuardOptions{Signatures: 1, Handshake: time.Minute})
		begun := time.Now()
		mustHear(t, l.Addr().String(), s.plain())
		hello := helloOf(t, s.plain())
		for i := range 20 {
			first := hello
			if i%2 == 0 && runtime.GOOS == "linux" { // elsewhere what wasn't read hides that it hung up
				first = append(slices.Clone(hello), make([]byte, 32<<10)...)
			}
			c, err := net.Dial("tcp", l.Addr().String())
			require.NoError(t, err)
			_, err = c.Write(first)
			require.NoError(t, err)
			require.NoError(t, c.Close())
		}
		late := int64(time.Since(begun) / time.Second) // turns that came while one of them was there
		mustHear(t, l.Addr().String(), s.plain())      // after its turn in their line
		refusals(t, server, tlsconfig.ReasonOther, 20)
		require.LessOrEqual(t, key.signed.Load(), 2+late)
	})
}

// TestGuardReplaceUnderLoad: once Replace has returned, Accept returns nobody whom the list doesn't have, whatever is under way.
func TestGuardReplaceUnderLoad(t *testing.T) {
	s := newServed(t)
	server, f := s.newServer(t, nil), newFar(t)
	sources := []string{"192.0.2.1", "192.0.2.2", "2001:db8::1"}
	lists := [][]string{{"192.0.2.1"}, {"192.0.2.2"}, {"192.0.2.0/24"}, {"2001:db8::/32"}, {"2001:db8::/32", "192.0.2.1"}}
	list := allow(t, lists[0]...)
	guarded, err := server.Guard(f, &tlsconfig.GuardOptions{Allow: list, SourceRate: 1_000_000})
	require.NoError(t, err)
	var began, done atomic.Int64 // swaps
	var accepted [5]atomic.Int64
	var work sync.WaitGroup
	var wrong atomic.Pointer[string]
	for range 2 {
		work.Go(func() {
			for {
				first := done.Load()
				conn, err := guarded.Accept()
				if err != nil {
					return
				}
				last := began.Load()
				addr, ok := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr(), false
				for i := first; i <= last; i++ {
					for _, p := range prefixes(t, lists[int(i)%len(lists)]...) {
						ok = ok || p.Contains(addr)
					}
				}
				if !ok {
					text := fmt.Sprintf("%v was accepted between the lists %d and %d", addr, first, last)
					wrong.Store(&text)
				}
				accepted[int(first)%len(lists)].Add(1)
				conn.Close()
			}
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	resumes := s.plain()
	for i := range 6 {
		work.Go(func() {
			for ctx.Err() == nil {
				f.hear(sources[i%len(sources)], resumes)
			}
		})
	}
	for i := int64(1); i <= 40; i++ {
		at := &accepted[int(i-1)%len(lists)]
		before := at.Load()
		require.Eventually(t, func() bool { return at.Load() >= before+3 }, time.Minute, time.Millisecond)
		began.Store(i)
		require.NoError(t, list.Replace(prefixes(t, lists[int(i)%len(lists)]...)))
		done.Store(i)
	}
	stop()
	require.NoError(t, guarded.Close())
	work.Wait()
	if text := wrong.Load(); text != nil {
		t.Fatal(*text)
	}
}
