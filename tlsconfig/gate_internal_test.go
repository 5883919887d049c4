package tlsconfig

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// from is a connection of an address.
type from struct {
	net.Conn
	addr net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.addr }

func fromIP(text string) from {
	return from{addr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(text), 50_000))}
}

// TestAddressOf: only what a listener says is an IP address is one.
func TestAddressOf(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "fe80::1%eth0": "fe80::1", "2001:db8::1": "2001:db8::1",
	} {
		require.Equal(t, netip.MustParseAddr(want), addressOf(fromIP(text)))
	}
	for _, a := range []net.Addr{nil, &net.UnixAddr{Name: "127.0.0.1:1", Net: "unix"}, &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}, (*net.TCPAddr)(nil), &net.TCPAddr{}} {
		require.False(t, addressOf(from{addr: a}).IsValid(), "%#v", a)
	}
	require.Equal(t, netip.MustParseAddr("2001:db8:1:2::"), sourceOf(netip.MustParseAddr("2001:db8:1:2:3:4:5:6")))
	require.Equal(t, netip.MustParseAddr("192.0.2.1"), sourceOf(netip.MustParseAddr("192.0.2.1")))
	require.Equal(t, netip.Addr{}, sourceOf(netip.Addr{}))
}

// TestGatePerSource: how many of one source are let in, at once and in a second, and that others don't notice.
func TestGatePerSource(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	g := &gate{concurrent: 100, perSource: 3, rate: perSecond(10, 5)}
	var in []*visit
	enter := func(text string) Reason {
		v, reason := g.enter(t.Context(), fromIP(text), now)
		require.Equal(t, reason == Allowed, v != nil)
		if v != nil {
			in = append(in, v)
		}
		return reason
	}
	for range 3 {
		require.Equal(t, Allowed, enter("2001:db8::1"))
	}
	require.Equal(t, ReasonBusy, enter("2001:db8::2"), "of the same network")
	require.Equal(t, Allowed, enter("2001:db8:0:1::1"), "of another")
	for _, v := range in[:3] {
		g.leave(v, true)
		require.Error(t, v.ctx.Err())
	}
	require.Equal(t, Allowed, enter("2001:db8::1"))
	require.Equal(t, Allowed, enter("2001:db8::1"))
	require.Equal(t, ReasonRate, enter("2001:db8::1"))
	now = now.Add(100 * time.Millisecond)
	require.Equal(t, Allowed, enter("2001:db8::1"))
	for _, v := range in[3:] {
		g.leave(v, false)
	}
	require.Zero(t, g.strangers.visits+g.known.visits)
	require.Empty(t, g.strangers.sources)
	require.Empty(t, g.known.sources)
}

// TestGateTogether: where everyone is one source nobody is asked for an address, and the oldest gives.
func TestGateTogether(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	g := &gate{together: true, concurrent: 3}
	var in []*visit
	for i := range 6 {
		v, reason := g.enter(t.Context(), nil, now)
		require.Equal(t, Allowed, reason)
		in = append(in, v)
		if i >= 3 {
			require.ErrorIs(t, context.Cause(in[i-3].ctx), errBusy)
		}
	}
	require.Equal(t, 3, g.strangers.visits)
	_, reason := g.enter(t.Context(), nil, now)
	require.Equal(t, ReasonBusy, reason, "those that ended are not gone")
}

// TestGateSources: however many sources come, few are kept, and none is forgotten that has something to remember.
func TestGateSources(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	g := &gate{concurrent: 100, perSource: 10, rate: perSecond(1, 1)}
	const room = maxSources + 100
	visit := func(text string, well bool) Reason {
		v, reason := g.enter(t.Context(), fromIP(text), now)
		if v != nil {
			g.leave(v, well)
		}
		return reason
	}
	stranger := func(i int) string {
		a := [16]byte{0: 0x20, 1: 0x01}
		binary.BigEndian.PutUint32(a[4:], uint32(i))
		return netip.AddrFrom16(a).String()
	}
	require.Equal(t, Allowed, visit("192.0.2.2", true))
	inside, reason := g.enter(t.Context(), fromIP("192.0.2.3"), now)
	require.Equal(t, Allowed, reason)
	shared := 0
	for i := range 2 * room {
		if visit(stranger(i), false) == ReasonRate {
			shared++
		}
	}
	require.Equal(t, room, len(g.sources)) // Len would print them all
	require.Equal(t, room+1, shared, "all but the first of those for whom there was no room")
	require.Equal(t, ReasonRate, visit("192.0.2.2", false), "its bucket is what it was")
	require.Equal(t, ReasonRate, visit(stranger(7), false))

	// Once their buckets are full, strangers are forgotten, and not who ended a handshake or is inside.
	now = now.Add(2 * time.Second)
	require.Equal(t, Allowed, visit(stranger(3*room), true))
	require.Equal(t, 3, len(g.sources))
	require.True(t, g.sources[netip.MustParseAddr("192.0.2.2")].proven.Load())
	require.Same(t, inside.source, g.sources[netip.MustParseAddr("192.0.2.3")])

	// Unless all did.
	for i := range room {
		visit(stranger(i), true)
	}
	now = now.Add(2 * time.Second)
	require.Equal(t, Allowed, visit("192.0.2.9", false))
	require.Equal(t, 2, len(g.sources))
	g.leave(inside, false)
	require.Zero(t, g.strangers.visits+g.known.visits)
}

// TestGateProperty against a model: slots, bounds and fairness, whoever comes and goes.
func TestGateProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &gate{concurrent: rapid.IntRange(1, 8).Draw(t, "concurrent"), perSource: rapid.IntRange(1, 6).Draw(t, "per source")}
		now := time.Unix(1_800_000_000, 0)
		var visits []*visit // that have not left
		proven := map[netip.Addr]bool{}
		count := func(addr netip.Addr) (own, most int, known bool) { // the most of a source of those who give, who are known or not
			all, sum := map[netip.Addr]int{}, map[bool]int{}
			for _, v := range visits {
				if !v.leaving {
					all[v.addr]++
					sum[proven[v.addr]]++
				}
			}
			known = sum[false] == 0 || sum[true] > g.concurrent*3/4
			for a, n := range all {
				if proven[a] == known {
					most = max(most, n)
				}
			}
			return all[addr], most, known
		}
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(t *rapid.T) {
				now = now.Add(time.Millisecond)
				addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(rapid.IntRange(0, 5).Draw(t, "who"))})
				own, most, known := count(addr)
				was := slices.DeleteFunc(slices.Clone(visits), func(v *visit) bool { return v.leaving })
				v, reason := g.enter(context.Background(), fromIP(addr.String()), now)
				if v == nil {
					require.Equal(t, ReasonBusy, reason)
					require.True(t, own >= g.perSource || len(visits)-len(was) >= g.concurrent)
					return
				}
				visits = append(visits, v)
				for _, old := range was {
					if !old.leaving {
						continue
					}
					require.Len(t, was, g.concurrent)
					gave := 0
					for _, w := range was {
						if w.addr == old.addr {
							gave++
							require.False(t, w.since.Before(old.since), "the oldest of its source")
						}
					}
					require.Equal(t, most, gave)
					require.Equal(t, known, proven[old.addr])
					require.True(t, proven[addr] != known || own < most || old.addr == addr)
				}
			},
			"leave": func(t *rapid.T) {
				if len(visits) == 0 {
					t.Skip("nobody is there")
				}
				i := rapid.IntRange(0, len(visits)-1).Draw(t, "which")
				well := rapid.Bool().Draw(t, "well")
				if well && !visits[i].leaving {
					proven[visits[i].addr] = true
				}
				g.leave(visits[i], well)
				visits = slices.Delete(visits, i, i+1)
			},
			"": func(t *rapid.T) {
				inside := 0
				for _, v := range visits {
					require.Equal(t, v.leaving, v.ctx.Err() != nil)
					if !v.leaving {
						inside++
					}
				}
				require.Equal(t, inside, g.strangers.visits+g.known.visits)
				require.Equal(t, len(visits)-inside, g.leaving)
				require.LessOrEqual(t, inside, g.concurrent)
				require.LessOrEqual(t, len(visits), 2*g.concurrent)
			},
		})
	})
}

// TestFloods: an Observer hears of one refusal a second for each reason that strangers choose the number of, and of all others.
func TestFloods(t *testing.T) {
	f := &floods{}
	tells := func(kind Kind, reason Reason) bool { return f.tells(&Event{Kind: kind, Reason: reason}) }
	for _, reason := range []Reason{ReasonAddress, ReasonRate, ReasonBusy} {
		require.True(t, tells(KindRefused, reason))
		f.last[reason] = time.Now().Add(time.Hour) // as if the second lasted
		require.False(t, tells(KindRefused, reason))
		require.True(t, tells(KindCertificate, reason))
		f.last[reason] = time.Now().Add(-time.Second)
		require.True(t, tells(KindRefused, reason))
	}
	for range 3 {
		require.True(t, tells(KindRefused, ReasonUntrusted))
	}
}
