package tlsconfig

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

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

// TestGateShare: who has ended a handshake well keeps some slots, however many strangers come with one each.
func TestGateShare(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	g := &gate{concurrent: 128, perSource: 64}
	enter := func(text string) *visit {
		now = now.Add(time.Millisecond)
		v, reason := g.enter(t.Context(), fromIP(text), now)
		require.Equal(t, Allowed, reason)
		return v
	}
	g.leave(enter("192.0.2.1"), true)
	var friend, strangers []*visit
	for range 5 {
		friend = append(friend, enter("192.0.2.1"))
	}
	for i := range 400 {
		strangers = append(strangers, enter(netip.AddrFrom4([4]byte{198, 51, byte(i / 250), byte(i % 250)}).String()))
		strangers = slices.DeleteFunc(strangers, func(v *visit) bool {
			if v.leaving {
				g.leave(v, false)
			}
			return v.leaving
		})
	}
	require.Len(t, strangers, 128-4)
	require.ErrorIs(t, context.Cause(friend[0].ctx), errBusy, "its share is 128/64+1, and one more is as many as strangers have")
	for _, v := range friend[1:] {
		require.NoError(t, v.ctx.Err())
	}
}
