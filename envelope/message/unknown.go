package message

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
)

const maxUnknown = 1024 // keys that are told apart

// unknown knows since when keys are unknown.
type unknown struct {
	limit time.Duration

	some atomic.Bool // there are keys in since
	mu   sync.Mutex
	// since is when a key was met first, and shared, by the first bytes of their ids, when one was that since had no room for: so no number of keys is waited for for ever.
	since  map[aead.KeyID]time.Time
	shared map[[2]byte]time.Time
	// until is how long none is given up, for keys that are announced can't be taken in.
	until time.Time
}

// newUnknown returns what gives each key so much time, and usual where limit is 0.
func newUnknown(limit, usual time.Duration) (*unknown, error) {
	switch {
	case limit == 0:
		limit = usual
	case limit > maxDuration:
		return nil, invalid("UnknownKeyFor must be at most %v; it is %v", maxDuration, limit)
	}
	return &unknown{limit: limit, since: map[aead.KeyID]time.Time{}}, nil
}

// judge returns err, which says that a key is unknown, with what to do: to retry until the time is over.
func (u *unknown) judge(id aead.KeyID, err error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	f := &failure{text: err.Error(), class: envelope.Class(envelope.ErrUnknownKey), action: envelope.Retry, cause: err}
	now := time.Now()
	if waited := now.Sub(u.met(id, now)); waited >= u.limit && !now.Before(u.until) {
		f.action = envelope.Reject
		f.text = fmt.Sprintf("%s, for %v now", err, waited.Round(time.Second))
	}
	return f
}

// met returns when a key was met first.
func (u *unknown) met(id aead.KeyID, now time.Time) time.Time {
	if since, ok := u.since[id]; ok {
		return since
	}
	over := func(at time.Time) bool { return now.Sub(at) > 2*u.limit }
	bucket := [2]byte(id[:])
	if since, ok := u.shared[bucket]; ok && !over(since) {
		return since
	}
	if len(u.since) >= maxUnknown {
		maps.DeleteFunc(u.since, func(_ aead.KeyID, at time.Time) bool { return over(at) })
	}
	if len(u.since) < maxUnknown {
		u.since[id] = now
		u.some.Store(true)
		return now
	}
	if u.shared == nil {
		u.shared = map[[2]byte]time.Time{}
	}
	u.shared[bucket] = now
	return now
}

// outage says that an announced key can't be taken in now, and may be soon: no key is given up for as long again.
func (u *unknown) outage() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.until = time.Now().Add(max(u.limit, unknownKeyFor))
}

// found says that a key is known now.
func (u *unknown) found(id aead.KeyID) {
	if !u.some.Load() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.since, id)
	u.some.Store(len(u.since) > 0)
}
