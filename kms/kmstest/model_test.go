package kmstest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

// model is a driver that keeps every promise, over keys in memory.
type model struct {
	id     string
	calls  atomic.Int64
	mu     sync.Mutex
	keys   []*aead.Key
	state  error // nil while the key is enabled
	closed bool
}

func newModel(id string) *model { return &model{id: id, keys: []*aead.Key{aead.NewKey()}} }

func (m *model) Ref() kms.Ref { return kms.Ref{Provider: "model", KeyID: m.id} }

func (m *model) CurrentVersion() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprint(len(m.keys))
}

// usable also counts the call.
func (m *model) usable() ([]*aead.Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, kms.ErrClosed
	}
	m.calls.Add(1)
	return m.keys, m.state
}

func (m *model) Wrap(ctx context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error) {
	if err := ctx.Err(); err != nil {
		return kms.Wrapped{}, err
	}
	ad, err := ec.Canonical()
	if err != nil {
		return kms.Wrapped{}, err
	}
	if len(plaintext) == 0 || len(plaintext) > kms.MaxPlaintext {
		return kms.Wrapped{}, kms.ErrInvalid
	}
	keys, err := m.usable()
	if err != nil {
		return kms.Wrapped{}, err
	}
	return kms.Wrapped{Ref: m.Ref(), Version: fmt.Sprint(len(keys)), Blob: keys[len(keys)-1].Seal(nil, plaintext, ad)}, nil
}

func (m *model) Unwrap(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if w.Ref != m.Ref() {
		return nil, kms.ErrNotFound
	}
	ad, err := ec.Canonical()
	if err != nil {
		return nil, err
	}
	keys, err := m.usable()
	if err != nil {
		return nil, err
	}
	for i, k := range keys {
		if fmt.Sprint(i+1) == w.Version {
			got, err := k.Open(nil, w.Blob, ad)
			if err != nil {
				return nil, kms.ErrCiphertext
			}
			return got, nil
		}
	}
	return nil, kms.ErrNotFound
}

func (m *model) Describe(context.Context) (kms.Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	states := map[error]kms.State{nil: kms.Enabled, kms.ErrDisabled: kms.Disabled, kms.ErrDestroyed: kms.Destroyed, kms.ErrPendingDeletion: kms.PendingDeletion}
	return kms.Info{State: states[m.state]}, nil
}

func (m *model) Rotate(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys = append(m.keys, aead.NewKey())
	return nil
}

func (m *model) Destroy(context.Context, time.Duration) (time.Time, error) {
	return time.Now(), m.set(kms.ErrDestroyed)
}

func (m *model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

func (m *model) set(state error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = state
	return nil
}

// broken is a model whose Wrap, Unwrap or Close was replaced.
type broken struct {
	*model
	wrap   func(ctx context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error)
	unwrap func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error)
	close  func() error
}

func (b *broken) Wrap(ctx context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error) {
	if b.wrap != nil {
		return b.wrap(ctx, plaintext, ec)
	}
	return b.model.Wrap(ctx, plaintext, ec)
}

func (b *broken) Unwrap(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
	if b.unwrap != nil {
		return b.unwrap(ctx, w, ec)
	}
	return b.model.Unwrap(ctx, w, ec)
}

func (b *broken) Close() error {
	if b.close != nil {
		return b.close()
	}
	return b.model.Close()
}

func newHarness() (*broken, Harness) {
	b := &broken{model: newModel("key-1")}
	return b, Harness{
		Driver:  b,
		Other:   newModel("key-2"),
		Calls:   func() int { return int(b.calls.Load()) },
		Disable: func(context.Context) error { return b.set(kms.ErrDisabled) },
		Destroy: func(context.Context) error { return b.set(kms.ErrDestroyed) },
	}
}

// bare hides what a model can do besides.
type bare struct{ kms.Driver }
