package envelope

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/kms"
)

// Limits bound the use of one data key for several messages. All three must be set.
type Limits struct {
	Messages int           // at most this many: 1 to 2^31-1
	Bytes    int64         // of plaintext in all: at least 1
	Age      time.Duration // since the key was asked for: at most 24 hours; then it is cleared
}

const (
	maxAge    = 24 * time.Hour
	maxReused = 1024 // contexts with a key at hand
)

// reuse keeps one data key for each context within the limits.
type reuse struct {
	limits Limits

	mu   sync.Mutex
	keys map[string]*reused // by canonical context
}

// reused is a data key and what it was used for. turn is held, by sending to it, while the rest is read or
// changed, the call to the KMS included: who waits for it can give up with its context.
type reused struct {
	turn     chan struct{}
	key      dataKey
	messages int
	bytes    int64
	born     time.Time   // zero: no key
	expiry   *time.Timer // clears it
}

func newReuse(l Limits) (*reuse, error) {
	if l.Messages < 1 || l.Messages > 1<<31-1 || l.Bytes < 1 || l.Age <= 0 || l.Age > maxAge {
		return nil, fmt.Errorf("%w: SealerOptions.Reuse needs all three: Messages of 1 to 2^31-1, Bytes of at least 1, Age of at most 24 hours", kms.ErrInvalid)
	}
	return &reuse{limits: l, keys: map[string]*reused{}}, nil
}

// take returns a copy of the context's data key for a message of size bytes.
func (r *reuse) take(ctx context.Context, k *kms.Key, canonical []byte, ec kms.Context, size int64) (dataKey, error) {
	if size > r.limits.Bytes {
		return newDataKey(ctx, k, ec)
	}
	e := r.entry(string(canonical))
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return dataKey{}, fmt.Errorf("wrap data key: %w", ctx.Err())
	}
	defer func() { <-e.turn }()
	if e.born.IsZero() || e.messages >= r.limits.Messages || size > r.limits.Bytes-e.bytes || time.Since(e.born) >= r.limits.Age {
		born := time.Now()
		key, err := newDataKey(ctx, k, ec)
		if err != nil {
			return dataKey{}, err
		}
		e.forget()
		e.key, e.born = key, born
		// Cleared in time, also when nobody comes for it again.
		e.expiry = time.AfterFunc(time.Until(born.Add(r.limits.Age)), func() { r.expire(string(canonical), e, born) })
	}
	e.messages++
	e.bytes += size
	return e.key, nil
}

// forget clears the key. Call it in turn.
func (e *reused) forget() {
	if e.expiry != nil {
		e.expiry.Stop() // or it would hold the entry for as long as the key might have lived
	}
	e.key.clear()
	e.messages, e.bytes, e.born, e.expiry = 0, 0, time.Time{}, nil
}

// expire forgets the key born then, unless another has taken its place.
func (r *reuse) expire(canonical string, e *reused, born time.Time) {
	e.turn <- struct{}{}
	defer func() { <-e.turn }()
	if e.born != born {
		return
	}
	e.forget()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys[canonical] == e {
		delete(r.keys, canonical)
	}
}

// entry returns the place of a context's key, in place of another's when there are too many.
func (r *reuse) entry(canonical string) *reused {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.keys[canonical]
	if e == nil {
		if len(r.keys) >= maxReused {
			r.evict()
		}
		e = &reused{turn: make(chan struct{}, 1)}
		r.keys[canonical] = e
	}
	return e
}

// evict drops any entry that is not in use, or any at all, whose key then goes when its age is over.
func (r *reuse) evict() {
	last := ""
	for canonical, e := range r.keys {
		last = canonical
		select {
		case e.turn <- struct{}{}:
			e.forget()
			<-e.turn
			delete(r.keys, canonical)
			return
		default:
		}
	}
	delete(r.keys, last)
}
