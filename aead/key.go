package aead

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"

	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/record"
)

// KeySize is the length of every key, in bytes.
const KeySize = record.KeySize

// KeyID names a key: the first 16 bytes of its [Key.Commitment]. It is safe to
// store and to print, and tells nothing of the key.
type KeyID [16]byte

// String returns the id in lower-case hex.
func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// Key is a 32-byte key for records and streams. Use one Key for one purpose.
//
// It prints, logs and marshals as the first digits of its id, never as its bytes, also
// from within other values. Keys are not comparable with ==: use [Key.Equal].
// A Key is safe for concurrent use. The zero Key panics when used: take one
// from [NewKey] or [ParseKey].
type Key struct {
	_ [0]func()
	k record.Key
}

// NewKey returns a key from crypto/rand.
func NewKey() *Key {
	var b [KeySize]byte
	rand.Read(b[:]) // never fails
	k := newKey(&b)
	clear(b[:])
	return k
}

// ParseKey returns the key with a copy of b, which must hold 32 uniformly random bytes. It fails with
// [ErrKeySize] on any other length.
func ParseKey(b []byte) (*Key, error) {
	if len(b) != KeySize {
		return nil, fmt.Errorf("%w, not %d", ErrKeySize, len(b))
	}
	return newKey((*[KeySize]byte)(b)), nil
}

func newKey(b *[KeySize]byte) *Key { return &Key{k: record.New(b)} }

// made returns what k holds and panics for the zero Key.
func (k *Key) made() record.Key {
	if k == nil || k.k.Zero() {
		panic("aead: zero Key: use NewKey or ParseKey")
	}
	return k.k
}

// Bytes returns a copy of the key's 32 bytes, for wrapping it under another
// key. Clear it when done.
func (k *Key) Bytes() []byte {
	b, done := k.made().Use()
	defer done()
	return bytes.Clone(b[:])
}

// ID returns the key's name.
func (k *Key) ID() KeyID {
	c := k.Commitment()
	return KeyID(c[:])
}

// Commitment returns 32 bytes that commit to the key: nobody can find two keys
// with the same ones. FORMAT.md section 1 defines it. It stays available after
// Destroy.
func (k *Key) Commitment() [32]byte {
	return k.made().Commitment()
}

// Derive returns a key of its own for one purpose of an application's, named by
// label (1 to 60 bytes of a-z 0-9 space - /; anything else panics) and the
// parts of info, whose boundaries count. Equal arguments give equal keys, so what must be
// destroyable on its own should be a random key instead. FORMAT.md section 1 defines it,
// with "app/" put before label.
func (k *Key) Derive(label string, info ...[]byte) *Key {
	if label == "" {
		panic("aead: the label of Derive is empty")
	}
	own, done := k.made().Use()
	defer done()
	b := derive.Key(own, "app/"+label, info...)
	defer clear(b[:])
	return newKey(&b)
}

// Equal tells in constant time whether both keys have the same bytes.
func (k *Key) Equal(other *Key) bool {
	a, doneA := k.made().Use()
	defer doneA()
	b, doneB := other.made().Use()
	defer doneB()
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// Destroy stops new uses, waits for calls in flight, clears the key's bytes and drops
// every schedule expanded from them. A later use panics; Destroy again does
// nothing. Streams that were already opened have keys of their own and go on. Go may have
// copied the bytes before, and a dropped schedule lives until the garbage
// collector takes it.
func (k *Key) Destroy() { k.made().Destroy() }

// Format prints the key's short id for every verb.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// String returns the key's short id.
func (k Key) String() string {
	if k.k.Zero() {
		return "aead.Key(zero)"
	}
	c := k.Commitment()
	return "aead.Key(" + hex.EncodeToString(c[:4]) + ")"
}

// LogValue returns the key's short id.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns the key's short id. Nothing reads it back.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
