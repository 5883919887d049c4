package envelope

import (
	"encoding/binary"
	"hash/maphash"
	"math/rand/v2"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/aead"
)

// front finds keys faster than the cache behind it, which decides what stays and hears of a hit here only now and then. What it
// finds may be cleared before it is used.
type front struct {
	seed  maphash.Seed
	seals []atomic.Pointer[keyset]  // by scope
	opens []atomic.Pointer[liveKey] // by the key's id, which is as good as random
}

const (
	maxSlots = 1 << 16
	hearsay  = 64 // one of so many hits
)

func newFront(entries int) *front {
	n := 64
	for n < 2*entries && n < maxSlots {
		n *= 2
	}
	return &front{maphash.MakeSeed(), make([]atomic.Pointer[keyset], n), make([]atomic.Pointer[liveKey], n)}
}

// hash returns the hash of a scope.
func (f *front) hash(key setKey) uint64 {
	h := maphash.String(f.seed, key.tenant)
	if key.person {
		h = h*31 + maphash.String(f.seed, key.subject)
	}
	return h
}

// sealing returns where the keyset of a scope with this hash may be found.
func (f *front) sealing(hash uint64) *atomic.Pointer[keyset] {
	return &f.seals[hash&uint64(len(f.seals)-1)]
}

// opening returns where the key with an id may be found.
func (f *front) opening(id *aead.KeyID) *atomic.Pointer[liveKey] {
	return &f.opens[binary.BigEndian.Uint64(id[:])&uint64(len(f.opens)-1)]
}

// hot returns the key that seals where it may be used without a look at anything else, or nil.
func (r *ring) hot(s *scope) *liveKey {
	ks := r.hotSet(s)
	if ks == nil {
		return nil
	}
	return ks.current.Load()
}

// hotLookup is hot for the lookup key of a tenant.
func (r *ring) hotLookup(s *scope) *liveKey {
	ks := r.hotSet(s)
	if ks == nil {
		return nil
	}
	return ks.finds.Load()
}

// hotSet returns the keyset of a scope where it is fresh, or nil.
func (r *ring) hotSet(s *scope) *keyset {
	slot := r.front.sealing(s.hash)
	ks := slot.Load()
	if ks == nil || !ks.is(s) {
		var ok bool
		if ks, ok = r.sets.GetIfPresent(s.key()); !ok {
			return nil
		}
		slot.Store(ks)
		if ks.phase.Load() == gone { // kill may have looked before
			slot.CompareAndSwap(ks, nil)
		}
	}
	if !ks.fresh() {
		return nil
	}
	return ks
}

// hotByID is hot for the key with an id.
func (r *ring) hotByID(s *scope, id *aead.KeyID) *liveKey {
	slot := r.front.opening(id)
	if k := slot.Load(); k != nil && k.id == *id && k.set.is(s) && k.set.fresh() {
		return k
	}
	ks, ok := r.sets.GetIfPresent(s.key())
	if !ok || !ks.fresh() {
		return nil
	}
	if keys := ks.opening.Load(); keys != nil {
		for _, k := range *keys {
			if k.id == *id {
				slot.Store(k)
				return k
			}
		}
	}
	return nil
}

// heard tells the cache of some of the hits. Chance picks them and not the record, which may be the only one that a scope has.
func (r *ring) heard(ks *keyset) {
	if rand.Uint32()%hearsay == 0 {
		r.sets.GetIfPresent(ks.key())
	}
}

// is tells whether the keyset is of a scope.
func (ks *keyset) is(s *scope) bool {
	return ks.tenant == s.tenant && (ks.parent != nil) == s.person && (!s.person || ks.subject == s.subject.show())
}

// fresh tells whether the keys may be used without a look at the clock.
func (ks *keyset) fresh() bool {
	return ks.phase.Load() == fresh && (ks.parent == nil || ks.parent.phase.Load() == fresh)
}
