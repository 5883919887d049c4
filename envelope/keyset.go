package envelope

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/holdfast-go/holdfast/aead"
)

// keyset is what a process has of the keys of a tenant or subject.
type keyset struct {
	ring    *ring
	tenant  string
	subject string  // identifier, "" for a tenant
	parent  *keyset // the tenant's, of a subject
	// The cache, calls, and subjects of a tenant have references; guarded by ring.mu.
	refs     int
	subjects int

	phase   atomic.Uint32
	current atomic.Pointer[liveKey]    // the one that seals, where it is known
	opening atomic.Pointer[[]*liveKey] // the data keys that open

	loads singleflight.Group

	mu      sync.Mutex // guards what follows
	prefix  string     // of its rows; "" for a subject whose tenant has no lookup key yet
	rows    *stored    // nil before the first load
	keys    []*liveKey // of all kinds
	bad     map[aead.KeyID]failure
	seen    uint64    // the highest version that was current
	kmsAt   time.Time // when the KMS was asked last for all keys in use
	failed  error     // how the last load failed, nil when it did not
	retryAt time.Time // before it nothing is asked again
	dueAt   time.Time
	timer   *time.Timer
}

const maxLive = 16 // data keys of a keyset in memory

// failure is an error that is not asked for again before a time.
type failure struct {
	err   error
	until time.Time
}

var errGone = errors.New("evicted meanwhile")

// unlock returns the live key of a row, unwrapping it where it is not in memory.
func (ks *keyset) unlock(ctx context.Context, k *storedKey) (*liveKey, error) {
	id := aead.KeyID(k.ID)
	live, err := ks.find(id)
	if live != nil || err != nil {
		return live, err
	}
	if err := ks.once(ctx, id.String(), func(ctx context.Context) error { return ks.install(ctx, k) }); err != nil {
		return nil, err
	}
	if live, err = ks.find(id); live == nil && err == nil {
		err = errGone
	}
	return live, err
}

// find returns the live key with this id, or why there was none a moment ago.
func (ks *keyset) find(id aead.KeyID) (*liveKey, error) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	for _, live := range ks.keys {
		if live.id == id {
			live.used.Store(true)
			return live, nil
		}
	}
	if f, ok := ks.bad[id]; ok && time.Now().Before(f.until) {
		return nil, f.err
	}
	return nil, nil
}

// install unwraps a key and keeps it.
func (ks *keyset) install(ctx context.Context, k *storedKey) error {
	live, err := ks.unwrap(ctx, k)
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if err != nil {
		ks.blame(k, err)
		return err
	}
	if ks.phase.Load() == gone {
		live.destroy()
		return errGone
	}
	if slices.ContainsFunc(ks.keys, func(have *liveKey) bool { return have.id == live.id }) {
		live.destroy()
		return nil
	}
	live.set = ks
	live.used.Store(true)
	ks.keys = append(ks.keys, live)
	ks.publish()
	if n := len(*ks.opening.Load()); n > maxLive {
		oldest := (*ks.opening.Load())[0]
		if oldest == ks.current.Load() {
			oldest = (*ks.opening.Load())[1]
		}
		ks.drop(func(live *liveKey) bool { return live == oldest })
	}
	return nil
}

// blame takes in that a key could not be unwrapped. When the KMS refuses the key that wrapped others here too, these are not used any more.
func (ks *keyset) blame(k *storedKey, err error) {
	if ks.bad == nil {
		ks.bad = map[aead.KeyID]failure{}
	}
	now := time.Now()
	if !errors.Is(err, context.Canceled) && !errors.Is(err, ErrClosed) && len(ks.bad) < maxBad {
		ks.bad[aead.KeyID(k.ID)] = failure{err, now.Add(pause - rand.N(pause/4))}
	}
	if !revoked(err) || ks.parent != nil {
		return
	}
	w, _ := k.wrapped()
	if slices.ContainsFunc(ks.keys, func(live *liveKey) bool { return live.ref == w.Ref }) {
		ks.failed, ks.retryAt = err, now.Add(pause-rand.N(pause/4))
		ks.phase.CompareAndSwap(fresh, expired)
		ks.phase.CompareAndSwap(due, expired)
		ks.drop(func(*liveKey) bool { return true })
	}
}

const maxBad = 64 // failures of a keyset that are remembered

// sealer returns the key that seals, or nil when there is none yet.
func (ks *keyset) sealer(ctx context.Context) (*liveKey, *storedKey, error) {
	ks.mu.Lock()
	rows, seen := ks.rows, ks.seen
	ks.mu.Unlock()
	var skipped error // a version that does not load
	for name, err := range rows.broken {
		if kindOf(name, ks.prefix) == kindData {
			skipped = err
		}
	}
	for i := len(rows.keys) - 1; i >= 0; i-- {
		k := &rows.keys[i]
		if k.Kind != kindData || k.Destroyed != nil {
			continue
		}
		if k.Version < seen {
			break // never below what this process has sealed with
		}
		live, err := ks.unlock(ctx, k)
		if damaged(err) {
			skipped = err
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		ks.mu.Lock()
		if ks.rows == rows && slices.Contains(ks.keys, live) {
			ks.current.Store(live)
			ks.seen = max(ks.seen, live.version)
		}
		ks.mu.Unlock()
		return live, k, nil
	}
	if seen > 0 && rows.latest(kindData) < seen {
		skipped = fmt.Errorf("%w: the store had version %d and now ends before: was an old copy restored?", ErrUnknownKey, seen)
	}
	return nil, nil, skipped
}

// keep drops the keys whose rows no longer hold them, and has a newer version seal.
func (ks *keyset) keep(rows *stored) {
	ks.drop(func(live *liveKey) bool {
		k := rows.find(live.id)
		return k == nil || k.Destroyed != nil
	})
	if live := ks.current.Load(); live != nil && live.version != rows.latest(kindData) {
		ks.current.Store(nil)
	}
}

// drop retires the keys that which chooses.
func (ks *keyset) drop(which func(*liveKey) bool) {
	var out []*liveKey
	ks.keys = slices.DeleteFunc(slices.Clone(ks.keys), func(live *liveKey) bool {
		if which(live) {
			out = append(out, live)
			return true
		}
		return false
	})
	if len(out) == 0 {
		return
	}
	ks.publish()
	for _, live := range out {
		ks.current.CompareAndSwap(live, nil)
		ks.ring.front.opening(live.id).CompareAndSwap(live, nil)
	}
	ks.ring.retire(out...)
}

// publish has the data keys found by those that open.
func (ks *keyset) publish() {
	var data []*liveKey
	for _, live := range ks.keys {
		if live.kind == kindData {
			data = append(data, live)
		}
	}
	ks.opening.Store(&data)
}

// kill ends the keyset and returns the keys that it had, which are being cleared.
func (ks *keyset) kill() []*liveKey {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	ks.phase.Store(gone)
	ks.ring.front.sealing(&setKey{tenant: ks.tenant, subject: ks.subject, person: ks.parent != nil}).CompareAndSwap(ks, nil)
	if ks.timer != nil {
		ks.timer.Stop()
	}
	keys := ks.keys
	ks.drop(func(*liveKey) bool { return true })
	return keys
}
