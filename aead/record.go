package aead

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

// Seal encrypts plaintext, authenticates it and additionalData, appends the
// result to dst and returns the extended slice: XAES-256-GCM, 40 bytes longer
// than plaintext. It allocates nothing when dst has that much room. dst may
// overlap plaintext: Seal(plaintext[:0], plaintext, ad) works in place.
//
// Records that one process seals close together share the first 12 bytes of
// their nonces. Seal panics beyond GCM's own limit of 64 GiB.
// FORMAT.md section 2 has bytes and bounds.
func (k *Key) Seal(dst, plaintext, additionalData []byte) []byte {
	if uint64(len(plaintext)) > maxRecord {
		panic("aead: record over 64 GiB: use a stream")
	}
	s := k.secret()
	t := tickets.Get().(*ticket)
	units := 1 + uint64(len(plaintext))>>unitSize
	l, count := s.enter(t, units)
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
	tickets.Put(t)
	return ret
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

// Open authenticates sealed and additionalData, appends the plaintext to dst
// and returns the extended slice. It fails with [ErrOpen] and then leaves no plaintext
// in dst's spare capacity. It allocates nothing when dst has room and the record's subkey is
// cached, as it is from the third record with that prefix on; else twice, 1.3 KiB. dst may overlap sealed:
// Open(sealed[:0], sealed, ad) works in place and destroys sealed.
func (k *Key) Open(dst, sealed, additionalData []byte) ([]byte, error) {
	s := k.secret()
	n := len(sealed) - Overhead
	if n < 0 || uint64(n) > maxRecord {
		return nil, ErrOpen
	}
	t := tickets.Get().(*ticket)
	l, _ := s.enter(t, 0)
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
	tickets.Put(t)
	if err != nil {
		clear(out)
		return nil, ErrOpen
	}
	return ret, nil
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
