package record

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A lane counts the uses of a key on one core. Cores that counted in one place would
// spend more time passing that cache line around than sealing a small
// record.
type lane struct {
	// count holds uses in flight in its low half and sealed units, modulo
	// 2^32, in its high half, so that a Seal pays for one addition.
	count   atomic.Uint64
	sealing slot
	renew   sync.Mutex // held while sealing is replaced
	_       [cacheLine - 32]byte
}

const (
	cacheLine = 128 // bytes: two lines, since processors fetch neighbours in pairs
	unit      = 1 << 32
	maxLanes  = 32
)

// newLanes returns four lanes a core: callers on different cores mostly meet
// different ones.
func newLanes() []lane {
	n := 1
	for n < 4*runtime.GOMAXPROCS(0) && n < maxLanes {
		n *= 2
	}
	return make([]lane, n)
}

// A ticket picks the lane of the core that a goroutine runs on. Who holds it has its scratch alone.
type ticket struct {
	n       uint32
	scratch [KeySize]byte
	ad      []byte
}

// tickets is state of the package and not of a key because a sync.Pool is the one thing in Go that
// knows the core: it hands each its own ticket back.
var (
	nextTicket atomic.Uint32
	tickets    = sync.Pool{New: func() any { return &ticket{n: nextTicket.Add(1)} }}
)

// enter counts a use in flight, and units sealed under the lane's subkey. The key may be gone, which ends the use.
func (s *secret) enter(t *ticket, units uint64) (l *lane, count uint64, ok bool) {
	l = &s.lanes[int(t.n)&(len(s.lanes)-1)]
	count = l.count.Add(units*unit + 1)
	if s.destroyed.Load() {
		l.leave()
		return l, 0, false
	}
	return l, count, true
}

func (l *lane) leave() { l.count.Add(^uint64(0)) }

func (l *lane) busy() bool { return uint32(l.count.Load()) != 0 }
