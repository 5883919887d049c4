package record

import (
	"crypto/cipher"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"
)

// Deriving a subkey and expanding its schedule costs more than sealing 100
// bytes, so keys keep them: each lane the one it seals with, each Key a few
// that it opened with. All live in one queue of the process, which
// bounds them in number and age however many keys there are.

// subkey is AES-256-GCM for the records whose nonces share a prefix.
type subkey struct {
	cipher.AEAD
	prefix [prefixSize]byte
	start  uint32 // the lane's unit count before the first record sealed with it

	place *slot     // where it is kept
	seq   uint64    // its number in the queue
	born  time.Time // when it was queued
}

// slot keeps one subkey. It is read by anyone and written under the queue's lock.
type slot struct{ p atomic.Pointer[subkey] }

// place keeps the subkey of one prefix among those that opened a record. It takes one whose prefix
// comes twice in a row: not those of a scan through old records, and none that a forger makes up.
type place struct {
	kept slot
	seen atomic.Uint64 // the start of the prefix that opened a record last without being kept
}

// again tells whether a record with this prefix was the last one opened here too.
func (p *place) again(prefix [prefixSize]byte) bool {
	start := binary.BigEndian.Uint64(prefix[:])
	if p.seen.Load() == start {
		return true
	}
	p.seen.Store(start)
	return false
}

const (
	maxSubkeys   = 4096             // in the process; 1.4 KiB each
	subkeyLife   = 14 * time.Minute // the format allows 15: the sweep comes up to sweepPause later
	sweepPause   = 30 * time.Second
	openingSlots = 16 // in a Key
)

// live is state of the package because the bound is the process's.
var live queue

// queue holds subkeys in the order of their birth.
type queue struct {
	mu         sync.Mutex
	ring       []*subkey // by seq modulo maxSubkeys; nil where one was dropped
	tail, head uint64    // the oldest seq, and the next
	sweepAt    time.Time // when the pending sweep is due; zero for none
}

// keep puts k into place and queues it, instead of what was there and, when
// the queue is full, of the oldest.
func (q *queue) keep(place *slot, k *subkey) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ring == nil {
		q.ring = make([]*subkey, maxSubkeys)
	}
	q.remove(place)
	if q.head-q.tail == maxSubkeys {
		q.pop()
	}
	k.place, k.seq, k.born = place, q.head, time.Now()
	place.p.Store(k)
	q.ring[k.seq%maxSubkeys] = k
	q.head++
	// A sweep that is long overdue was lost (a virtual machine's clock, a test's bubble).
	if late := k.born.Sub(q.sweepAt); q.sweepAt.IsZero() || late > sweepPause || late < -subkeyLife-sweepPause {
		q.schedule(k.born, subkeyLife)
	}
}

// drop empties place.
func (q *queue) drop(place *slot) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.remove(place)
}

func (q *queue) remove(place *slot) {
	if k := place.p.Swap(nil); k != nil {
		q.ring[k.seq%maxSubkeys] = nil
	}
}

// pop evicts the oldest.
func (q *queue) pop() {
	if k := q.ring[q.tail%maxSubkeys]; k != nil {
		q.remove(k.place)
	}
	q.tail++
}

// sweep evicts the subkeys that are over age and comes again for the rest.
func (q *queue) sweep() {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	if now.Before(q.sweepAt) {
		return // another was scheduled in this one's place
	}
	for ; q.tail < q.head; q.pop() {
		k := q.ring[q.tail%maxSubkeys]
		if k == nil {
			continue
		}
		if age := now.Sub(k.born); age < subkeyLife {
			q.schedule(now, max(subkeyLife-age, sweepPause))
			return
		}
	}
	q.sweepAt = time.Time{}
}

func (q *queue) schedule(now time.Time, after time.Duration) {
	q.sweepAt = now.Add(after)
	time.AfterFunc(after, q.sweep)
}
