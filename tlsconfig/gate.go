package tlsconfig

import (
	"container/heap"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxSources    = 65_536 // that a gate tells apart, besides those with a visit
	sourceBits    = 64     // of an IPv6 address: what one site has (RFC 6177)
	sweepInterval = time.Second
)

// gate decides which connections begin a handshake. It is safe for concurrent use.
type gate struct {
	allow      *AllowList // nil for everyone
	together   bool       // everyone is one source, and nobody is asked for an address
	concurrent int
	perSource  int  // 0 for no bound
	rate       rate // of a source
	budget     *budget

	mu        sync.Mutex
	sources   map[netip.Addr]*origin
	rest      *origin // of all that come when there is no room for another
	known     crowd   // sources that are proven and have visits
	strangers crowd   // the others that have
	leaving   int     // visits that were ended for others, and are not gone yet
	swept     time.Time
}

// origin is where connections come from: an IPv4 address, the first 64 bits of an IPv6 address, or all without an IP address.
type origin struct {
	full   time.Time   // bucket
	inside []*visit    // the oldest first
	crowd  *crowd      // with a visit inside
	rank   int         // in crowd
	proven atomic.Bool // a handshake ended well; set with gate.mu held

	// Of the budget.
	served  time.Time // its last turn, or when it came to wait
	waiting []chan struct{}
	line    *turns // with one that waits
	turn    int    // in line
}

// visit is a connection from when it is let in to when its handshake has failed or there is room for it in the queue of those that are done.
type visit struct {
	addr    netip.Addr
	source  *origin
	since   time.Time
	ctx     context.Context // ends with the visit, or when it must end; its cause is a Refusal then
	end     context.CancelCauseFunc
	leaving bool
}

// errBusy is why a visit ends for another. It is one value, since thousands may end in a second.
var errBusy = &Refusal{ReasonBusy, errors.New("too many handshakes at once")}

// enter lets a connection in, or says why not. The visit ends with life at the latest.
func (g *gate) enter(life context.Context, c net.Conn, now time.Time) (*visit, Reason) {
	var addr netip.Addr
	if !g.together {
		addr = addressOf(c)
	}
	if g.allow != nil && !g.allow.Contains(addr) {
		return nil, ReasonAddress
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.source(sourceOf(addr), now)
	switch {
	case g.perSource > 0 && len(s.inside) >= g.perSource, g.leaving >= g.concurrent:
		return nil, ReasonBusy
	case g.rate.take(&s.full, now) > 0:
		return nil, ReasonRate
	case g.known.visits+g.strangers.visits >= g.concurrent:
		g.evict(s)
	}
	v := &visit{addr: addr, source: s, since: now}
	v.ctx, v.end = context.WithCancelCause(life)
	s.inside = append(s.inside, v)
	if len(s.inside) == 1 {
		g.join(s)
	} else {
		s.crowd.visits++
		heap.Fix(s.crowd, s.rank)
	}
	return v, Allowed
}

// join adds a source with visits to its crowd.
func (g *gate) join(s *origin) {
	s.crowd = &g.strangers
	if s.proven.Load() {
		s.crowd = &g.known
	}
	s.crowd.visits += len(s.inside)
	heap.Push(s.crowd, s)
}

// part takes a source with visits from its crowd.
func (g *gate) part(s *origin) {
	heap.Remove(s.crowd, s.rank)
	s.crowd.visits -= len(s.inside)
}

// evict ends a visit for another one of s: the oldest of the source that has most, which may be s. Those that take their time go before those that don't, and who has many before who has few. A known source gives if these have more than three of
// four slots, and else a stranger, if there is one.
func (g *gate) evict(s *origin) {
	crowd := &g.strangers
	if crowd.visits == 0 || g.known.visits > g.concurrent*knownTurns/(knownTurns+1) {
		crowd = &g.known
	}
	from := crowd.sources[0]
	if s.crowd == crowd && len(s.inside) == len(from.inside) {
		from = s
	}
	v := from.inside[0]
	g.free(v)
	v.leaving = true
	g.leaving++
	v.end(errBusy)
}

// leave ends a visit. well says that its handshake ended well.
func (g *gate) leave(v *visit, well bool) {
	v.end(nil)
	g.mu.Lock()
	defer g.mu.Unlock()
	if v.leaving {
		g.leaving--
		return
	}
	g.free(v)
	s := v.source
	if !well || s == g.rest || s.proven.Load() {
		return
	}
	s.proven.Store(true)
	if len(s.inside) > 0 {
		g.part(s)
		g.join(s)
	}
}

// free frees the slot of a visit.
func (g *gate) free(v *visit) {
	s := v.source
	if len(s.inside) == 1 {
		g.part(s)
		s.inside, s.crowd = nil, nil // one that is only remembered takes little memory
		return
	}
	i := slices.Index(s.inside, v)
	s.inside = slices.Delete(s.inside, i, i+1)
	s.crowd.visits--
	heap.Fix(s.crowd, s.rank)
}

// source returns the source of a key, a new one where there is room.
func (g *gate) source(key netip.Addr, now time.Time) *origin {
	if s := g.sources[key]; s != nil {
		return s
	}
	room := maxSources + g.concurrent // so that visits alone never fill it
	if len(g.sources) >= room && now.Sub(g.swept) >= sweepInterval {
		g.swept = now
		g.sweep(now)
	}
	if len(g.sources) >= room {
		if g.rest == nil {
			g.rest = &origin{}
		}
		return g.rest
	}
	if g.sources == nil {
		g.sources = map[netip.Addr]*origin{}
	}
	s := &origin{}
	g.sources[key] = s
	return s
}

// sweep forgets sources of which nothing is to be remembered: with a full bucket and no visit. Those that never ended a handshake well go first, since they may be anyone's invention.
func (g *gate) sweep(now time.Time) {
	for _, all := range []bool{false, true} {
		for key, s := range g.sources {
			if len(s.inside) == 0 && !s.full.After(now) && (all || !s.proven.Load()) {
				delete(g.sources, key)
			}
		}
		if len(g.sources) < maxSources+g.concurrent {
			return
		}
	}
}

// addressOf returns where a connection comes from, without zone, or an invalid address where that is no IP address. What an address says of itself does not count: a client chooses the name of its own end of a Unix socket.
func addressOf(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(interface{ AddrPort() netip.AddrPort }); ok {
		return a.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// sourceOf returns what the source of an address is known by.
func sourceOf(addr netip.Addr) netip.Addr {
	if !addr.Is6() {
		return addr
	}
	p, _ := addr.Prefix(sourceBits) // which every IPv6 address has
	return p.Addr()
}

// crowd is a heap of sources with visits, the one with most first, and of those the one whose oldest is oldest.
type crowd struct {
	sources []*origin
	visits  int // of all
}

func (c *crowd) Len() int { return len(c.sources) }

func (c *crowd) Less(i, j int) bool {
	a, b := c.sources[i].inside, c.sources[j].inside
	if len(a) != len(b) {
		return len(a) > len(b)
	}
	return a[0].since.Before(b[0].since)
}

func (c *crowd) Swap(i, j int) {
	c.sources[i], c.sources[j] = c.sources[j], c.sources[i]
	c.sources[i].rank, c.sources[j].rank = i, j
}

func (c *crowd) Push(x any) {
	s := x.(*origin)
	s.rank = len(c.sources)
	c.sources = append(c.sources, s)
}

func (c *crowd) Pop() any {
	last := len(c.sources) - 1
	s := c.sources[last]
	c.sources[last] = nil
	c.sources = c.sources[:last]
	return s
}
