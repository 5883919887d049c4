package envelope

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// keyset is what a process has of the keys of a tenant or subject.
type keyset struct {
	ring    *ring
	tenant  string
	subject string  // identifier, "" for a tenant
	parent  *keyset // the tenant's, of a subject
	// The cache, calls, and subjects of a tenant have references; guarded by ring.mu.
	refs     int
	subjects map[string]*keyset // by identifier

	phase   atomic.Uint32
	current atomic.Pointer[liveKey]    // the one that seals, where it is known
	opening atomic.Pointer[[]*liveKey] // the data keys that open
	finds   atomic.Pointer[liveKey]    // the lookup key, where it was asked for

	loads singleflight.Group

	mu      sync.Mutex         // guards what follows
	prefix  string             // of its rows; "" for a subject whose tenant has no lookup key yet
	rows    *stored            // nil before the first load
	keys    []*liveKey         // of all kinds
	bad     map[string]failure // by the name of the row, or the id of the key
	seen    uint64             // the highest version that was current
	kmsAt   time.Time          // when the KMS was asked last for all keys in use
	outage  bool               // the KMS could not be reached when it was asked last
	failed  error              // how the last load failed, nil when it did not
	retryAt time.Time          // before it nothing is asked again
	dueAt   time.Time
	timer   *time.Timer
	// Loads are counted, since two can begin at one reading of the clock.
	begun uint64 // the last that began
	taken uint64 // the one that rows are from
	stale uint64 // up to this one they are of no use: something was changed after it began
}

const maxLive = 16 // data keys of a keyset in memory

// failure is an error that is not asked for again before a time.
type failure struct {
	err   error
	until time.Time
}

var errGone = errors.New("evicted meanwhile")

// key is what the keyset is cached under.
func (ks *keyset) key() setKey {
	return setKey{tenant: ks.tenant, subject: ks.subject, person: ks.parent != nil}
}

// unlock returns the live key of a row, unwrapping it where it is not in memory.
func (ks *keyset) unlock(ctx context.Context, k *storedKey) (*liveKey, error) {
	live, err := ks.find(k)
	if live != nil || err != nil {
		return live, err
	}
	if err := ks.once(ctx, k.name, func(ctx context.Context) error { return ks.install(ctx, k) }); err != nil {
		return nil, err
	}
	if live, err = ks.find(k); live == nil && err == nil {
		err = errGone
	}
	return live, err
}

// find returns the live key of a row, or why there was none a moment ago.
func (ks *keyset) find(k *storedKey) (*liveKey, error) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	for _, live := range ks.keys {
		if live.of(k) {
			live.touch()
			return live, nil
		}
	}
	return nil, ks.failure(k.name)
}

// failure returns how something failed a moment ago. The caller holds mu.
func (ks *keyset) failure(name string) error {
	if f, ok := ks.bad[name]; ok && time.Now().Before(f.until) {
		return f.err
	}
	return nil
}

// remember has failure return err for a pause. The caller holds mu.
func (ks *keyset) remember(name string, err error) {
	if ks.bad == nil {
		ks.bad = map[string]failure{}
	}
	if len(ks.bad) < maxBad {
		ks.bad[name] = failure{err, time.Now().Add(pause - rand.N(pause/4))}
	}
}

// install unwraps a key and keeps it.
func (ks *keyset) install(ctx context.Context, k *storedKey) error {
	live, err := ks.unwrap(ctx, k)
	if err != nil {
		if ks.blame(k, err) {
			ks.dropSubjects()
		}
		return err
	}
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if ks.phase.Load() == gone {
		live.destroy()
		return errGone
	}
	if slices.ContainsFunc(ks.keys, func(have *liveKey) bool { return have.of(k) }) {
		live.destroy()
		return nil
	}
	if ks.rows != nil {
		now := ks.rows.at(k.name)
		if now != nil && now.Destroyed != nil || ks.rows.head.State != active && k.Kind == kindData {
			live.destroy()
			return errGone // it was destroyed or disabled while the KMS was asked
		}
	}
	live.set, live.usedAt = ks, time.Now()
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

// blame takes in that a key could not be unwrapped. When the KMS refuses the key that wrapped others here too, these are not used any more, and it tells so.
func (ks *keyset) blame(k *storedKey, err error) (refused bool) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if !errors.Is(err, context.Canceled) && !errors.Is(err, ErrClosed) && !errors.Is(err, errGone) {
		ks.remember(k.name, err)
	}
	if !revoked(err) || ks.parent != nil {
		return false
	}
	w, _ := k.wrapped()
	if !slices.ContainsFunc(ks.keys, func(live *liveKey) bool { return live.ref == w.Ref }) {
		return false
	}
	ks.phase.CompareAndSwap(fresh, expired)
	ks.phase.CompareAndSwap(due, expired)
	ks.refused(err)
	return true
}

// refused has no key be used until the next load, nor bridged by an older one. The caller holds mu.
func (ks *keyset) refused(err error) {
	ks.failed, ks.outage, ks.kmsAt = err, false, time.Time{}
	ks.retryAt = time.Now().Add(pause - rand.N(pause/4))
	ks.drop(func(*liveKey) bool { return true })
}

// wraps returns the wrap keys in memory.
func (ks *keyset) wraps() (wraps []*liveKey) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	for _, live := range ks.keys {
		if live.kind == kindWrap {
			wraps = append(wraps, live)
		}
	}
	return wraps
}

// dropSubjects has the keys of the tenant's subjects be unwrapped again before they are used.
func (ks *keyset) dropSubjects() {
	ks.ring.mu.Lock()
	subjects := slices.Collect(maps.Values(ks.subjects))
	ks.ring.mu.Unlock()
	for _, s := range subjects {
		s.mu.Lock()
		s.drop(func(*liveKey) bool { return true })
		s.mu.Unlock()
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
		if kindOf(name, rows.prefix) == kindData {
			skipped = err
		}
	}
	for i := len(rows.keys) - 1; i >= 0; i-- {
		k := &rows.keys[i]
		if k.Kind != kindData || k.Destroyed != nil {
			continue
		}
		if k.Version < seen { // never below what this process has sealed with
			skipped = fmt.Errorf("%w: version %d, which sealed before, is gone", ErrUnknownKey, seen)
			break
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
		k := rows.at(live.name)
		return k == nil || k.Destroyed != nil || !live.of(k) || ks.parent != nil && live.wrapped != k.form()
	})
	live := ks.current.Load()
	if live == nil {
		return
	}
	aged := ks.ring.RotateAfter > 0 && time.Since(rows.at(live.name).Created) > ks.ring.RotateAfter
	if aged || live.version != rows.latest(kindData) {
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
		ks.finds.CompareAndSwap(live, nil)
		ks.ring.front.opening(&live.id).CompareAndSwap(live, nil)
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
	if ks.seen > 0 {
		ks.ring.seen.Set(ks.key(), ks.seen)
	}
	ks.ring.front.sealing(ks.ring.front.hash(ks.key())).CompareAndSwap(ks, nil)
	if ks.timer != nil {
		ks.timer.Stop()
	}
	keys := ks.keys
	ks.drop(func(*liveKey) bool { return true })
	return keys
}
