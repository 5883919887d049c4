package tlsconfig

import (
	"container/heap"
	"context"
	"slices"
	"sync"
	"time"
)

// rate is how many a second are allowed, and how many of them at once: the generic cell rate algorithm (ITU-T I.371 annex A), in which a bucket is the one time when it is full again.
type rate struct {
	every time.Duration // 0 for no bound
	burst time.Duration // by which the bucket may be ahead of now
}

// perSecond returns a rate of n a second, and of burst at once.
func perSecond(n, burst int) rate {
	if n == 0 {
		return rate{}
	}
	every := (time.Second + time.Duration(n-1)) / time.Duration(n) // rounded up
	return rate{every, every * time.Duration(max(burst, 1)-1)}
}

// take takes one from a bucket, and returns 0, or how long it is until there is one.
func (r rate) take(full *time.Time, now time.Time) time.Duration {
	if full.Before(now) {
		*full = now
	}
	if wait := full.Sub(now) - r.burst; wait > 0 {
		return wait
	}
	*full = full.Add(r.every)
	return 0
}

// budget is the signatures that a key may make in a second. Handshakes over it wait for their turn, which goes to the source that was served longest ago, so that one which asks for more than the others waits longer. Sources that are proven have three of four turns
// where strangers wait too, whose order is that in which they came to wait: having been seen before gains them nothing. It is safe for concurrent use.
type budget struct {
	rate rate

	mu        sync.Mutex
	full      time.Time
	known     turns // of sources that are proven
	strangers turns
	row       int         // turns of known sources since one of a stranger
	timer     *time.Timer // calls serve when the next signature is due
}

// knownTurns is how many turns known sources have for one of a stranger.
const knownTurns = 3

func newBudget(perSec int) *budget {
	if perSec == 0 {
		return nil
	}
	return &budget{rate: perSecond(perSec, perSec/10)} // as many at once as in a tenth of a second
}

// wait returns nil when it is the turn of a handshake of s, or an error when ctx ends before.
func (b *budget) wait(ctx context.Context, s *origin) error {
	turn := b.ask(s)
	if turn == nil {
		return nil
	}
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(s.waiting, turn); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
		if len(s.waiting) == 0 {
			heap.Remove(s.line, s.turn)
			s.waiting = nil
		}
	} else {
		b.restore(s) // it came at the same time
	}
	return context.Cause(ctx)
}

// ask returns nil if there is a signature now, or else what is closed when there is.
func (b *budget) ask(s *origin) chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if len(b.known)+len(b.strangers) == 0 && b.rate.take(&b.full, now) == 0 {
		s.served = now
		return nil
	}
	turn := make(chan struct{})
	s.waiting = append(s.waiting, turn)
	if len(s.waiting) == 1 {
		if !s.proven.Load() {
			s.served = now
		}
		b.line(s)
	}
	b.serve(now)
	return turn
}

// giveBack gives back a signature that was not made for s.
func (b *budget) giveBack(s *origin) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.restore(s)
}

func (b *budget) restore(s *origin) {
	if !s.proven.Load() {
		b.row = knownTurns // it was the turn of a stranger, and is again
	}
	b.full = b.full.Add(-b.rate.every)
	b.serve(time.Now())
}

// serve gives turns to those that wait, as far as there are signatures.
func (b *budget) serve(now time.Time) {
	for len(b.known)+len(b.strangers) > 0 {
		if wait := b.rate.take(&b.full, now); wait > 0 {
			b.again(wait)
			return
		}
		s := b.next()
		close(s.waiting[0])
		s.waiting, s.served = slices.Delete(s.waiting, 0, 1), now
		if len(s.waiting) > 0 {
			b.line(s)
		} else {
			s.waiting = nil // as gate.free
		}
	}
}

// line has a source wait for its turn. It stays with the known or the strangers until then.
func (b *budget) line(s *origin) {
	s.line = &b.strangers
	if s.proven.Load() {
		s.line = &b.known
	}
	heap.Push(s.line, s)
}

// next takes the source whose turn it is from its line. One waits.
func (b *budget) next() *origin {
	if len(b.known) > 0 && (len(b.strangers) == 0 || b.row < knownTurns) {
		b.row++
		return heap.Pop(&b.known).(*origin)
	}
	b.row = 0
	return heap.Pop(&b.strangers).(*origin)
}

// again has serve be called after a while.
func (b *budget) again(wait time.Duration) {
	if b.timer != nil {
		b.timer.Reset(wait)
		return
	}
	b.timer = time.AfterFunc(wait, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.serve(time.Now())
	})
}

// turns is a heap of the sources with handshakes that wait, the one served longest ago first.
type turns []*origin

func (t turns) Len() int           { return len(t) }
func (t turns) Less(i, j int) bool { return t[i].served.Before(t[j].served) }
func (t turns) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].turn, t[j].turn = i, j
}

func (t *turns) Push(x any) {
	s := x.(*origin)
	s.turn = len(*t)
	*t = append(*t, s)
}

func (t *turns) Pop() any {
	last := len(*t) - 1
	s := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	return s
}
