package record

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"slices"
	"unsafe"

	"github.com/holdfast-go/holdfast/internal/xaes"
)

// Overhead is what Seal adds to a plaintext: a 24-byte nonce and a 16-byte tag.
const Overhead = xaes.Overhead

const (
	prefixSize = xaes.PrefixSize
	maxUnits   = 1 << 16 // records, or MiB, under one prefix: FORMAT.md section 2
	unitSize   = 20      // log2 of the bytes that count as one more unit
	maxRecord  = 1<<36 - 32
)

// Seal encrypts plaintext and appends the record to dst, as aead.Key.Seal says. It panics when the key is destroyed.
func (k Key) Seal(dst, plaintext, additionalData []byte) []byte {
	t := tickets.Get().(*ticket)
	out, ok := k.get().seal(t, dst, plaintext, additionalData)
	tickets.Put(t)
	if !ok {
		panic(destroyed)
	}
	return out
}

// SealBound appends header and a record whose additional data are header and binding. dst may overlap plaintext. It tells whether the key is there.
func (k Key) SealBound(dst, header, plaintext []byte, binding string) (out []byte, ok bool) {
	t := tickets.Get().(*ticket)
	start, n := len(dst), len(header)
	out = slices.Grow(dst, n+len(plaintext)+Overhead)[:start+n]
	if out, ok = k.get().seal(t, out, plaintext, t.bind(header, binding)); ok {
		copy(out[start:], header) // it may lie where plaintext begins, so it comes last
	}
	tickets.Put(t)
	return out, ok
}

// bind returns additional data of two parts, for as long as t is held.
func (t *ticket) bind(header []byte, binding string) []byte {
	ad := append(append(t.ad[:0], header...), binding...)
	if cap(ad) <= maxScratch {
		t.ad = ad
	}
	return ad
}

const maxScratch = 16 << 10 // bytes of additional data that a ticket keeps

// seal is Seal. It tells whether the key is there.
func (s *secret) seal(t *ticket, dst, plaintext, additionalData []byte) ([]byte, bool) {
	if uint64(len(plaintext)) > maxRecord {
		panic("aead: record over 64 GiB: use a stream")
	}
	units := 1 + uint64(len(plaintext))>>unitSize
	l, count, ok := s.enter(t, units)
	if !ok {
		return nil, false
	}
	ret := slices.Grow(dst, len(plaintext)+Overhead)[:len(dst)+len(plaintext)+Overhead]
	out := ret[len(dst):]
	if overlap(out, additionalData) {
		additionalData = bytes.Clone(additionalData)
	}
	if overlap(out, plaintext) {
		moved := out[prefixSize:][:len(plaintext)] // where GCM accepts it, and moves it once more
		copy(moved, plaintext)
		plaintext = moved
	}
	sub := l.sealing.p.Load()
	if sub == nil || uint32(count>>32)-sub.start > maxUnits {
		sub = s.renewSealing(l, units, t)
	}
	copy(out, sub.prefix[:])
	sub.Seal(out[prefixSize:prefixSize], nil, plaintext, additionalData)
	l.leave()
	return ret, true
}

// renewSealing returns the lane's subkey with room for units more.
func (s *secret) renewSealing(l *lane, units uint64, t *ticket) *subkey {
	l.renew.Lock()
	defer l.renew.Unlock()
	// Count anew: what was counted before may be older than the subkey that is there now.
	count := uint32(l.count.Add(units*unit) >> 32)
	if sub := l.sealing.p.Load(); sub != nil && count-sub.start <= maxUnits {
		return sub
	}
	sub := &subkey{start: count - uint32(units)}
	rand.Read(sub.prefix[:])
	sub.AEAD = s.subkey(sub.prefix, t)
	live.keep(&l.sealing, sub)
	return sub
}

// Open appends the plaintext of a record to dst, as aead.Key.Open says. It panics when the key is destroyed.
func (k Key) Open(dst, sealed, additionalData []byte) ([]byte, error) {
	t := tickets.Get().(*ticket)
	out, err, ok := k.get().open(t, dst, sealed, additionalData)
	tickets.Put(t)
	if !ok {
		panic(destroyed)
	}
	return out, err
}

// OpenBound is Open of what SealBound put after header. It tells whether the key is there.
func (k Key) OpenBound(dst, header, sealed []byte, binding string) (out []byte, err error, ok bool) {
	t := tickets.Get().(*ticket)
	out, err, ok = k.get().open(t, dst, sealed, t.bind(header, binding))
	tickets.Put(t)
	return out, err, ok
}

// open is Open. It tells whether the key is there.
func (s *secret) open(t *ticket, dst, sealed, additionalData []byte) ([]byte, error, bool) {
	n := len(sealed) - Overhead
	if n < 0 || uint64(n) > maxRecord {
		return nil, ErrOpen, true
	}
	l, _, ok := s.enter(t, 0)
	if !ok {
		return nil, nil, false
	}
	prefix, body := [prefixSize]byte(sealed), sealed[prefixSize:]
	ret := slices.Grow(dst, n)[:len(dst)+n]
	out := ret[len(dst):]
	if overlap(out, additionalData) || overlap(out, sealed) && overlap(sealed, additionalData) {
		additionalData = bytes.Clone(additionalData)
	}
	if overlap(out, sealed) {
		if &out[0] == &sealed[0] && cap(out) >= len(body) {
			copy(sealed, body) // where GCM accepts it, and moves it once more
			body = sealed[:len(body)]
		} else {
			body = bytes.Clone(body)
		}
	}
	place := &s.opening[prefix[0]%openingSlots]
	sub := place.kept.p.Load()
	if sub == nil || sub.prefix != prefix {
		sub = l.sealing.p.Load()
	}
	var err error
	if sub != nil && sub.prefix == prefix {
		_, err = sub.AEAD.Open(out[:0], nil, body, additionalData)
	} else {
		aead := s.subkey(prefix, t)
		if _, err = aead.Open(out[:0], nil, body, additionalData); err == nil && place.again(prefix) {
			live.keep(&place.kept, &subkey{AEAD: aead, prefix: prefix})
		}
	}
	l.leave()
	if err != nil {
		clear(out)
		return nil, ErrOpen, true
	}
	return ret, nil, true
}

// subkey derives the subkey of prefix.
func (s *secret) subkey(prefix [prefixSize]byte, t *ticket) cipher.AEAD {
	master := s.xaes.Load()
	if master == nil {
		master = xaes.New(s.bytes[:])
		s.xaes.Store(master)
	}
	return master.Subkey(prefix, &t.scratch)
}

// overlap tells whether a and b share memory.
func overlap(a, b []byte) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	x, y := uintptr(unsafe.Pointer(&a[0])), uintptr(unsafe.Pointer(&b[0]))
	return x < y+uintptr(len(b)) && y < x+uintptr(len(a))
}
