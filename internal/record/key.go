// Package record is XAES-256-GCM under a key that stays at hand: it counts uses on the core they run on, keeps the subkeys
// that records need, and is cleared once nobody uses it. Packages aead and envelope stand on it.
package record

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/floe"
	"github.com/holdfast-go/holdfast/internal/xaes"
)

// KeySize is the length of a key, in bytes.
const KeySize = derive.Size

// ErrOpen says that a record does not open.
var ErrOpen = floe.ErrOpen

// Key is a 32-byte key. It is safe for concurrent use. Make one with New.
type Key struct {
	get func() *secret // a closure: printers and dumpers that follow unexported pointers stop here
}

// secret is what a Key holds.
type secret struct {
	bytes     [KeySize]byte
	destroyed atomic.Bool
	lanes     []lane // a power of two of them

	commitment func() [32]byte          // computed once, when first asked for
	xaes       atomic.Pointer[xaes.Key] // made by the first record
	opening    [openingSlots]place      // subkeys that opened a record
}

// New returns a key with a copy of b.
func New(b *[KeySize]byte) Key {
	s := &secret{bytes: *b, lanes: newLanes()}
	s.commitment = sync.OnceValue(func() [32]byte { return derive.Commitment(&s.bytes) })
	return Key{get: func() *secret { return s }}
}

// Zero tells whether k was not made by New.
func (k Key) Zero() bool { return k.get == nil }

// Use returns the key's bytes, and what to call when they are no longer used. It panics when the key is destroyed.
func (k Key) Use() (b *[KeySize]byte, done func()) {
	s := k.get()
	l, _, ok := s.enter(&ticket{}, 0)
	if !ok {
		panic(destroyed)
	}
	return &s.bytes, l.leave
}

// TryUse is Use that tells whether the key is there.
func (k Key) TryUse() (b *[KeySize]byte, done func(), ok bool) {
	s := k.get()
	l, _, ok := s.enter(&ticket{}, 0)
	return &s.bytes, l.leave, ok
}

const destroyed = "aead: use of a destroyed Key"

// Commitment returns what commits to the key, also after Destroy.
func (k Key) Commitment() [32]byte {
	return k.get().commitment() // Destroy has it computed before it clears
}

// Destroy stops new uses, waits for those in flight and clears the key.
func (k Key) Destroy() {
	s := k.get()
	s.commitment()
	s.destroyed.Store(true)
	for i := range s.lanes {
		for s.lanes[i].busy() {
			time.Sleep(50 * time.Microsecond)
		}
	}
	clear(s.bytes[:])
	s.xaes.Store(nil)
	for i := range s.lanes {
		live.drop(&s.lanes[i].sealing)
	}
	for i := range s.opening {
		live.drop(&s.opening[i].kept)
	}
}
