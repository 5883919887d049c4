package envelope

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/kms"
)

// Limits bound the use of one data key for several messages. All three must be set.
type Limits struct {
	Messages int           // at most this many: 1 to 2^31-1
	Bytes    int64         // of plaintext in all: at least 1
	Age      time.Duration // since the key was made: at most 24 hours
}

const maxAge = 24 * time.Hour

func (l *Limits) check() error {
	if l.Messages < 1 || l.Messages > 1<<31-1 || l.Bytes < 1 || l.Age <= 0 || l.Age > maxAge {
		return fmt.Errorf("envelope: %w: SealerOptions.Reuse needs all three: Messages of 1 to 2^31-1, Bytes of at least 1, Age of at most 24 hours", kms.ErrInvalid)
	}
	return nil
}

// dataKey is the key of a message. Who has one clears it.
type dataKey struct {
	key     [32]byte
	wrapped kms.Wrapped
}

func (d *dataKey) clear() { clear(d.key[:]) }

// body returns the key of the message's stream.
func (d *dataKey) body() *aead.Key {
	b := derive.Key(&d.key, "body")
	defer clear(b[:])
	k, err := aead.ParseKey(b[:])
	if err != nil {
		panic("envelope: internal error: " + err.Error()) // 32 bytes are a key
	}
	return k
}

// newDataKey makes a data key and has it wrapped.
func newDataKey(ctx context.Context, k *kms.Key, ec kms.Context) (d dataKey, err error) {
	rand.Read(d.key[:]) // never fails
	if d.wrapped, err = k.Wrap(reserved.Allow(ctx), d.key[:], kmsContext(ec)); err != nil {
		d.clear()
		return dataKey{}, fmt.Errorf("envelope: wrap data key: %w", err)
	}
	return d, nil
}

// openHeader unwraps the data key of the header at the front of b and checks the header with it.
func openHeader(ctx context.Context, k *kms.Key, b []byte, ec kms.Context) (*header, dataKey, error) {
	want, err := canonical(ec)
	if err != nil {
		return nil, dataKey{}, err
	}
	h, err := parseHeader(b)
	if err != nil {
		return nil, dataKey{}, err
	}
	if !bytes.Equal(h.context, want) {
		return nil, dataKey{}, fmt.Errorf("envelope: %w: it belongs to another context", ErrOpen)
	}
	key, err := k.Unwrap(reserved.Allow(ctx), h.wrapped, kmsContext(ec))
	defer clear(key)
	switch {
	case errors.Is(err, kms.ErrCiphertext) || err == nil && len(key) != len(dataKey{}.key):
		return nil, dataKey{}, fmt.Errorf("envelope: unwrap data key: %w", errors.Join(ErrOpen, err))
	case err != nil:
		return nil, dataKey{}, fmt.Errorf("envelope: unwrap data key: %w", err)
	}
	d := dataKey{key: [32]byte(key), wrapped: h.wrapped}
	if err := h.verify(&d.key, b); err != nil {
		d.clear()
		return nil, dataKey{}, err
	}
	return h, d, nil
}

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
	born     time.Time // zero: no key yet
}

const maxReused = 1024 // contexts with a key at hand

// take returns a copy of the context's data key for a message of size bytes.
func (r *reuse) take(ctx context.Context, k *kms.Key, context []byte, ec kms.Context, size int64) (dataKey, error) {
	if size > r.limits.Bytes {
		return newDataKey(ctx, k, ec)
	}
	e := r.entry(string(context))
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return dataKey{}, fmt.Errorf("envelope: wrap data key: %w", ctx.Err())
	}
	defer func() { <-e.turn }()
	if e.born.IsZero() || e.messages >= r.limits.Messages || size > r.limits.Bytes-e.bytes || time.Since(e.born) >= r.limits.Age {
		key, err := newDataKey(ctx, k, ec)
		if err != nil {
			return dataKey{}, err
		}
		e.key.clear()
		e.key, e.messages, e.bytes, e.born = key, 0, 0, time.Now()
	}
	e.messages++
	e.bytes += size
	return e.key, nil
}

// entry returns the place of a context's key, in place of any other when there are too many.
func (r *reuse) entry(context string) *reused {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.keys[context]
	if e == nil {
		if len(r.keys) >= maxReused {
			for other := range r.keys {
				delete(r.keys, other)
				break
			}
		}
		e = &reused{turn: make(chan struct{}, 1)}
		r.keys[context] = e
	}
	return e
}
