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
	require.Zero(t, g.inside)
	require.Empty(t, g.crowd)
}

// TestGateEvicts: when all slots are taken the source with most gives, its oldest first, and never who has few for who has more.
func TestGateEvicts(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	g := &gate{concurrent: 4, perSource: 4}
	enter := func(text string) *visit {
		now = now.Add(time.Millisecond)
		v, reason := g.enter(t.Context(), fromIP(text), now)
		require.Equal(t, Allowed, reason)
		return v
	}
	modest := enter("192.0.2.1")
	many := []*visit{enter("192.0.2.2"), enter("192.0.2.2"), enter("192.0.2.2")}
	other := enter("192.0.2.3")
	require.ErrorIs(t, context.Cause(many[0].ctx), errBusy)
	require.NoError(t, many[1].ctx.Err())
	last := enter("192.0.2.2") // who has most gives himself
	require.ErrorIs(t, context.Cause(many[1].ctx), errBusy)
	require.NoError(t, modest.ctx.Err())
	require.NoError(t, other.ctx.Err())
	third := enter("192.0.2.4") // many has two now
	require.ErrorIs(t, context.Cause(many[2].ctx), errBusy)
	require.Equal(t, 3, g.leaving)
	fourth := enter("192.0.2.5") // all have one: the oldest
	require.ErrorIs(t, context.Cause(modest.ctx), errBusy)

	// Those that were ended count until they are gone.
	_, reason := g.enter(t.Context(), fromIP("192.0.2.6"), now)
	require.Equal(t, ReasonBusy, reason)
	g.leave(modest, false)
	require.Equal(t, 3, g.leaving)
	for _, v := range append(many, other, last, third, fourth) {
		g.leave(v, false)
	}
	require.Zero(t, g.inside)
	require.Zero(t, g.leaving)
	require.Empty(t, g.crowd)
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
	require.Equal(t, 3, g.inside)
	_, reason := g.enter(t.Context(), nil, now)
	require.Equal(t, ReasonBusy, reason, "those that ended are not gone")
}

// TestGateEvictsStrangers: of sources with as many, those give that never ended a handshake well.
func TestGateEvictsStrangers(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	g := &gate{concurrent: 4, perSource: 4}
	enter := func(text string) *visit {
		now = now.Add(time.Millisecond)
		v, reason := g.enter(t.Context(), fromIP(text), now)
		require.Equal(t, Allowed, reason)
		return v
	}
	g.leave(enter("192.0.2.1"), true)
	friend := enter("192.0.2.1")
	var strangers []*visit
	for i := range 100 {
		v := enter(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}).String())
		strangers = append(strangers, v)
		require.NoError(t, friend.ctx.Err())
		if i >= 3 {
			require.ErrorIs(t, context.Cause(strangers[i-3].ctx), errBusy, "the oldest of them")
			g.leave(strangers[i-3], false)
		}
	}
	g.leave(friend, true)
	require.Equal(t, 3, g.inside)
}

// TestGateSources: however many sources come, few are kept, and none is forgotten that has something to remember.
func TestGateSources(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	g := &gate{concurrent: maxConcurrent, perSource: 10, rate: perSecond(1, 1)}
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
	for i := range 2 * maxSources {
		if visit(stranger(i), false) == ReasonRate {
			shared++
		}
	}
	require.Equal(t, maxSources, len(g.sources)) // Len would print them all
	require.Equal(t, maxSources+1, shared, "all but the first of those for whom there was no room")
	require.Equal(t, ReasonRate, visit("192.0.2.2", false), "its bucket is what it was")
	require.Equal(t, ReasonRate, visit(stranger(7), false))

	// Once their buckets are full, strangers are forgotten, and not who ended a handshake or is inside.
	now = now.Add(2 * time.Second)
	require.Equal(t, Allowed, visit(stranger(3*maxSources), true))
	require.Equal(t, 3, len(g.sources))
	require.True(t, g.sources[netip.MustParseAddr("192.0.2.2")].proven)
	require.Same(t, inside.source, g.sources[netip.MustParseAddr("192.0.2.3")])

	// Unless all did.
	for i := range maxSources {
		visit(stranger(i), true)
	}
	now = now.Add(2 * time.Second)
	require.Equal(t, Allowed, visit("192.0.2.9", false))
	require.Equal(t, 2, len(g.sources))
	g.leave(inside, false)
	require.Zero(t, g.inside)
}

// TestGateProperty against a model: slots, bounds and fairness, whoever comes and goes.
func TestGateProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &gate{concurrent: rapid.IntRange(1, 8).Draw(t, "concurrent"), perSource: rapid.IntRange(1, 6).Draw(t, "per source")}
		now := time.Unix(1_800_000_000, 0)
		var visits []*visit // that have not left
		count := func(addr netip.Addr) (n, most int) {
			all := map[netip.Addr]int{}
			for _, v := range visits {
				if !v.leaving {
					all[v.addr]++
				}
			}
			for _, n := range all {
				most = max(most, n)
			}
			return all[addr], most
		}
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(t *rapid.T) {
				now = now.Add(time.Millisecond)
				addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(rapid.IntRange(0, 5).Draw(t, "who"))})
				own, most := count(addr)
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
					require.True(t, own < most || old.addr == addr)
				}
			},
			"leave": func(t *rapid.T) {
				if len(visits) == 0 {
					t.Skip("nobody is there")
				}
				i := rapid.IntRange(0, len(visits)-1).Draw(t, "which")
				g.leave(visits[i], rapid.Bool().Draw(t, "well"))
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
				require.Equal(t, inside, g.inside)
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
