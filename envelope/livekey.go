package envelope

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/record"
	"github.com/holdfast-go/holdfast/kms"
)

// liveKey is an unwrapped key. Who uses it finds out whether it has been cleared meanwhile.
type liveKey struct {
	id      aead.KeyID
	name    string  // of its row
	set     *keyset // that it is in
	kind    string
	version uint64
	ref     kms.Ref     // of the KMS key that wrapped it; zero for a subject's
	wrapped string      // what it was unwrapped from, of a subject's key
	header  []byte      // that a record begins with
	key     record.Key  // of records, or that wraps; zero for a lookup key
	used    atomic.Bool // since it was checked last
	usedAt  time.Time   // when it was checked last and had been used; guarded by the keyset

	mu  sync.RWMutex              // held while raw is used
	raw func() *[derive.Size]byte // a closure: printers and dumpers stop here; nil when it is cleared

	indexes sync.Map      // by Binding what is derived from a lookup key: a func like raw
	indexed atomic.Uint32 // so many were derived
}

const maxIndexes = 256 // keys of indexes that a lookup key keeps

// newLiveKey takes over raw.
func newLiveKey(k *storedKey, ref kms.Ref, raw *[derive.Size]byte) *liveKey {
	live := &liveKey{id: aead.KeyID(k.ID), name: k.name, kind: k.Kind, version: k.Version, ref: ref, raw: func() *[derive.Size]byte { return raw }}
	if k.Kind == kindData && ref == (kms.Ref{}) {
		live.wrapped = k.form()
	}
	live.header = append([]byte{recordByte}, live.id[:]...)
	label := map[string]string{kindData: "record", kindWrap: "wrap"}[k.Kind]
	if label != "" {
		b := derive.Key(raw, label)
		live.key = record.New(&b)
		clear(b[:])
	}
	return live
}

// form is all of a row that its key depends on.
func (k *storedKey) form() string { return string(k.Commitment[:]) + string(k.Wrapped) }

// of tells whether it is the key of a row.
func (k *liveKey) of(row *storedKey) bool { return k.name == row.name && k.id == aead.KeyID(row.ID) }

// derived returns what is derived from the key for one use. The caller clears it.
func (k *liveKey) derived(label string) (b [derive.Size]byte, ok bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.raw == nil {
		return b, false
	}
	return derive.Key(k.raw(), label), true
}

// reference returns what stands for a subject's identifier.
func (k *liveKey) reference(subject string) (ref string, ok bool) {
	key, ok := k.derived("subject ref")
	defer clear(key[:])
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(subject))
	return hex.EncodeToString(mac.Sum(nil)), ok
}

// token appends what stands for a value in an index.
func (k *liveKey) token(dst, value []byte, b Binding) ([]byte, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.raw == nil {
		return dst, false
	}
	var key *[derive.Size]byte
	if get, ok := k.indexes.Load(b); ok {
		key = get.(func() *[derive.Size]byte)()
	} else {
		derived := derive.Joined(k.raw(), "index", b.parts)
		key = &derived
		if k.indexed.Add(1) <= maxIndexes {
			if _, loaded := k.indexes.LoadOrStore(b, func() *[derive.Size]byte { return &derived }); loaded {
				k.indexed.Add(^uint32(0))
			}
		} else {
			defer clear(derived[:])
		}
	}
	mac := hmac.New(sha256.New, key[:])
	mac.Write(value)
	return mac.Sum(dst), true
}

// touch notes that the key is in use.
func (k *liveKey) touch() {
	if !k.used.Load() {
		k.used.Store(true)
	}
}

// destroy waits for uses in flight and clears the key.
func (k *liveKey) destroy() {
	if !k.key.Zero() {
		k.key.Destroy()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.raw != nil {
		clear(k.raw()[:])
		k.raw = nil
	}
	for _, get := range k.indexes.Range {
		clear(get.(func() *[derive.Size]byte)()[:])
	}
	k.indexes.Clear()
}
