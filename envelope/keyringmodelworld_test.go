package envelope_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// modelWeather is how KMS and store do from some time on.
type modelWeather struct {
	since time.Time
	kms   error // what its calls end in, nil for success
	store bool  // it is away
}

// modelStore is a store that may be away.
type modelStore struct {
	*memstore.Store
	away atomic.Bool
}

func (s *modelStore) err() error {
	if s.away.Load() {
		return errors.New("no route to host")
	}
	return nil
}

func (s *modelStore) Get(ctx context.Context, key string) (envelope.Row, error) {
	if err := s.err(); err != nil {
		return envelope.Row{}, err
	}
	return s.Store.Get(ctx, key)
}

func (s *modelStore) List(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.Store.List(ctx, prefix, after, limit)
}

func (s *modelStore) Apply(ctx context.Context, changes ...envelope.Change) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.Store.Apply(ctx, changes...)
}

// fine tells whether KMS and store have done well for as long as anybody remembers.
func (m *keyringModel) fine() bool { return len(m.faults()) == 0 }

// faults returns what they may have said.
func (m *keyringModel) faults() (all []error) {
	for i, next := len(m.weather)-1, (modelWeather{}); i >= 0; i-- {
		w := m.weather[i]
		if !next.since.IsZero() && time.Since(next.since) >= modelPause {
			break
		}
		if w.kms != nil {
			all = append(all, w.kms)
		}
		if w.store {
			all = append(all, envelope.ErrUnavailable)
		}
		next = w
	}
	return all
}

// since returns how long the weather has been bad in a way, 0 where it is not.
func (m *keyringModel) since(bad func(modelWeather) bool) (d time.Duration) {
	for _, w := range slices.Backward(m.weather) {
		if !bad(w) {
			break
		}
		d = time.Since(w.since) + 1
	}
	return d
}

// serves tells whether keys in memory may be used in this weather, with window the time for which they are while the KMS is away.
func (m *keyringModel) serves(window time.Duration) bool {
	store := m.since(func(w modelWeather) bool { return w.store })
	away := m.since(func(w modelWeather) bool { return w.kms != nil })
	refused := m.since(func(w modelWeather) bool { return w.kms != nil && modelActions[w.kms] != envelope.Retry })
	return store <= modelTTL && away <= modelTTL+window && refused <= modelTTL
}

// warm tells whether a process must have a key in memory that nothing forbids to use.
func (m *keyringModel) warm(p *modelProcess, id aead.KeyID) bool {
	at, ok := p.used[id]
	gentle := m.since(func(w modelWeather) bool {
		return !w.store && (w.kms == nil || modelActions[w.kms] == envelope.Retry)
	})
	return ok && !p.evicts && time.Since(at) < min(gentle-1, modelTTL/2)
}

// use notes that a key was used, in good weather.
func (m *keyringModel) use(p *modelProcess, id aead.KeyID) {
	if w := m.weather[len(m.weather)-1]; w.kms == nil && !w.store {
		p.used[id] = time.Now()
	}
}

func (m *keyringModel) wait(rt *rapid.T) {
	time.Sleep(time.Duration(rapid.SampledFrom([]int{100, 1000, 2000, 5000, 8500, 11_000, 25_000, 75_000}).Draw(rt, "ms")) * time.Millisecond)
}

func (m *keyringModel) turn(rt *rapid.T) {
	m.become(modelWeather{
		kms:   rapid.SampledFrom([]error{nil, nil, kms.ErrUnavailable, kms.ErrThrottled, kms.ErrDisabled, kms.ErrAccessDenied}).Draw(rt, "KMS"),
		store: rapid.SampledFrom([]bool{false, false, false, false, true}).Draw(rt, "store is away"),
	})
}

func (m *keyringModel) clear(*rapid.T) { m.become(modelWeather{}) }

func (m *keyringModel) become(w modelWeather) {
	if now := m.weather[len(m.weather)-1]; now.kms == w.kms && now.store == w.store {
		return
	}
	w.since = time.Now()
	m.weather = append(m.weather, w)
	m.store.away.Store(w.store)
	m.fake.Always()
	if w.kms != nil {
		m.fake.Always(kmstest.Fault{Err: w.kms})
	}
}

func (m *keyringModel) restart(rt *rapid.T) {
	i := rapid.IntRange(0, len(m.procs)-1).Draw(rt, "process")
	m.procs[i].end()
	m.start(i)
}

// reloaded takes in that processes may have asked store and KMS again: what was not used since the time before is not kept.
func (m *keyringModel) reloaded() {
	for _, p := range m.procs {
		clear(p.used)
	}
}
