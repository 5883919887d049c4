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
	require.Zero(t, g.strangers.visits)
	require.Zero(t, g.leaving)
	require.Empty(t, g.strangers.sources)
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
	require.Equal(t, 3, g.strangers.visits)
}

// TestGateShares: known sources keep three of four slots from strangers, however many come with one each, and strangers the fourth from known sources.
func TestGateShares(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	g := &gate{concurrent: 128, perSource: 64}
	var in []*visit
	enter := func(last ...byte) {
		now = now.Add(time.Millisecond)
		v, reason := g.enter(t.Context(), fromIP(netip.AddrFrom4([4]byte(append([]byte{198}, last...))).String()), now)
		require.Equal(t, Allowed, reason)
		in = append(in, v)
		in = slices.DeleteFunc(in, func(v *visit) bool {
			if v.leaving {
				require.ErrorIs(t, context.Cause(v.ctx), errBusy)
				g.leave(v, false)
			}
			return v.leaving
		})
	}
	for i := range 60 {
		enter(51, 100, byte(i))
		g.leave(in[0], true)
		in = nil
	}
	for range 5 {
		enter(51, 100, 0)
	}
	for i := range 400 {
		enter(52, byte(i/250), byte(i%250))
	}
	require.Equal(t, 5, g.known.visits)
	require.Equal(t, 123, g.strangers.visits)
	for i := range 600 {
		enter(51, 100, byte(i%60))
	}
	require.Equal(t, 97, g.known.visits) // the last took the place of a stranger
	require.Equal(t, 31, g.strangers.visits)
	for i := range 400 {
		enter(53, byte(i/250), byte(i%250))
	}
	require.Equal(t, 96, g.known.visits)
	require.Equal(t, 32, g.strangers.visits)
	for _, v := range in {
		g.leave(v, false)
	}
	require.Zero(t, g.known.visits+g.strangers.visits)
	require.Empty(t, g.known.sources)
}
