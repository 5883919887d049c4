package envelope_test

import (
	"context"
	"fmt"
	"slices"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

func (m *keyringModel) operations() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"": func(*rapid.T) { synctest.Wait() }, "wait": m.wait, "weather": m.turn, "sun": m.clear, "sun again": m.clear, "restart": m.restart,
		"seal": m.seal, "seal again": m.seal, "open": m.open, "open again": m.open, "open once more": m.open, "open elsewhere": m.openElsewhere, "reseal": m.reseal, "stale": m.stale,
		"create": m.create, "rotate": m.rotate, "versions": m.versions, "disable": m.disable, "enable": m.enable, "hold": m.hold, "release": m.release,
		"erase": m.erase, "readmit": m.readmit, "compact": m.compact, "rewrap": m.rewrap,
	}
}

func (m *keyringModel) who(rt *rapid.T) (*modelProcess, *modelScope, envelope.Scope) {
	p := m.procs[rapid.IntRange(0, len(m.procs)-1).Draw(rt, "process")]
	s := m.scopes[rapid.IntRange(0, len(m.scopes)-1).Draw(rt, "scope")]
	return p, s, s.of(p.ring)
}

// took takes in that a key sealed, which may be a new one.
func (m *keyringModel) took(rt *rapid.T, p *modelProcess, s *modelScope, id aead.KeyID) {
	known := slices.ContainsFunc(m.views(p, s), func(view modelState) bool {
		current, _ := view.current()
		return view.seals() && current == id
	})
	if !known {
		_, sealing := s.now().current()
		require.False(rt, sealing, "another key than the current one seals")
		require.NoError(rt, s.now().cause)
		require.NoError(rt, s.tenant().now().cause)
		m.add(rt, p, s, id)
	}
	m.use(p, id)
}

// add has a scope have a new key.
func (m *keyringModel) add(rt *rapid.T, p *modelProcess, s *modelScope, id aead.KeyID) {
	for _, other := range m.scopes {
		_, known := other.now().find(id)
		require.False(rt, known, "a key twice")
	}
	m.change(p, s, func(now *modelState) { now.keys, now.again = append(now.keys, modelKey{id: id}), s.now().again })
}

func (m *keyringModel) seal(rt *rapid.T) {
	p, s, scope := m.who(rt)
	plaintext := fmt.Sprint("plaintext ", len(m.records))
	record, err := scope.Seal(context.Background(), []byte(plaintext), binding)
	if m.check(rt, err, m.sealing(p, s, false)) == nil {
		r := modelRecord{s, record, plaintext}
		m.took(rt, p, s, r.id())
		m.records = append(m.records, r)
	}
}

func (m *keyringModel) create(rt *rapid.T) {
	p, s, scope := m.who(rt)
	id, err := scope.Create(context.Background())
	if m.check(rt, err, m.sealing(p, s, true)) == nil {
		m.took(rt, p, s, id)
	}
}

func (m *keyringModel) rotate(rt *rapid.T) {
	p, s, scope := m.who(rt)
	id, err := scope.Rotate(context.Background())
	if m.check(rt, err, m.writing(p, s)) == nil {
		m.add(rt, p, s, id)
	}
}

// which returns a record, or false where there is none yet.
func (m *keyringModel) which(rt *rapid.T) (modelRecord, bool) {
	if len(m.records) == 0 {
		return modelRecord{}, false
	}
	return rapid.SampledFrom(m.records).Draw(rt, "record"), true
}

func (m *keyringModel) open(rt *rapid.T) {
	r, ok := m.which(rt)
	if !ok {
		return
	}
	p := m.procs[rapid.IntRange(0, len(m.procs)-1).Draw(rt, "process")]
	got, err := r.scope.of(p.ring).Open(context.Background(), r.record, binding)
	if m.check(rt, err, m.opening(p, r, nil)) == nil {
		require.Equal(rt, r.plaintext, string(got))
		m.use(p, r.id())
	}
}

// openElsewhere opens a record for any scope, or under another binding.
func (m *keyringModel) openElsewhere(rt *rapid.T) {
	m.reloaded()
	r, ok := m.which(rt)
	if !ok {
		return
	}
	p, s, scope := m.who(rt)
	if s == r.scope {
		_, err := scope.Open(context.Background(), r.record, envelope.Bind("elsewhere"))
		m.check(rt, err, m.opening(p, r, envelope.ErrOpen))
		return
	}
	_, err := scope.Open(context.Background(), r.record, binding)
	allowed := m.reading(p, s, func(modelState) error { return envelope.ErrWrongScope })
	m.check(rt, err, m.storm(allowed, true))
}

func (m *keyringModel) reseal(rt *rapid.T) {
	r, ok := m.which(rt)
	if !ok {
		return
	}
	p := m.procs[rapid.IntRange(0, len(m.procs)-1).Draw(rt, "process")]
	allowed := append(m.opening(p, r, nil), m.sealing(p, r.scope, false)...)
	allowed = append(allowed, m.remembered()...) // Open has it asked again, in the background, and Seal does not wait for that
	record, err := r.scope.of(p.ring).Reseal(context.Background(), r.record, binding)
	if m.check(rt, err, allowed) == nil {
		again := modelRecord{r.scope, record, r.plaintext}
		m.took(rt, p, r.scope, again.id())
		require.Equal(rt, again.id() == r.id(), slices.Equal(record, r.record), "a copy where the key is the same")
		m.records = append(m.records, again)
	}
}

func (m *keyringModel) stale(rt *rapid.T) {
	r, ok := m.which(rt)
	if !ok {
		return
	}
	p := m.procs[rapid.IntRange(0, len(m.procs)-1).Draw(rt, "process")]
	want := []error{nil}
	keys := r.scope.now().keys
	if k, _ := r.scope.now().find(r.id()); k.dead {
		want = []error{envelope.ErrErased}
	}
	if m.weather[len(m.weather)-1].store {
		want = []error{envelope.ErrUnavailable}
	}
	stale, err := p.ring.Stale(context.Background(), r.record)
	if m.check(rt, err, want) == nil {
		require.Equal(rt, keys[len(keys)-1].id != r.id(), stale)
	}
}

func (m *keyringModel) versions(rt *rapid.T) {
	m.reloaded()
	p, s, scope := m.who(rt)
	var keys []modelKey
	var failed error
	for k, err := range scope.Versions(context.Background()) {
		failed = err
		if err == nil {
			require.Equal(rt, len(keys)+1, int(k.Version))
			keys = append(keys, modelKey{k.ID, !k.Destroyed.IsZero()})
		}
	}
	if m.check(rt, failed, m.state(p, s, nil)) == nil {
		require.Equal(rt, s.now().keys, keys)
	}
}

func (m *keyringModel) disable(rt *rapid.T) { m.toggle(rt, envelope.ErrDisabled) }

func (m *keyringModel) enable(rt *rapid.T) { m.toggle(rt, nil) }

func (m *keyringModel) toggle(rt *rapid.T, cause error) {
	m.reloaded()
	p, s, scope := m.who(rt)
	if s.above != nil && s.above.now().cause == envelope.ErrErased {
		return // a process that has not heard of it yet may do so for a subject that never had a key, of which nobody cares
	}
	var err error
	if cause == nil {
		err = scope.Enable(context.Background())
	} else {
		err = scope.Disable(context.Background(), "why")
	}
	if m.check(rt, err, m.state(p, s, s.then())) == nil && s.now().cause != cause {
		m.change(p, s, func(now *modelState) { now.cause = cause })
	}
}

func (m *keyringModel) hold(rt *rapid.T) { m.holds(rt, true) }

func (m *keyringModel) release(rt *rapid.T) { m.holds(rt, false) }

func (m *keyringModel) holds(rt *rapid.T, add bool) {
	p, s, scope := m.who(rt)
	ref := rapid.SampledFrom([]string{"case 1", "case 2"}).Draw(rt, "ref")
	i := slices.Index(s.holds, ref)
	then, changes := s.then(), add == (i < 0)
	if then == nil && !add && !changes {
		then = kms.ErrInvalid
	}
	if s.above != nil && s.above.now().cause != nil && then == nil && changes {
		then = s.above.now().cause
	}
	do := scope.Release
	if add {
		do = scope.Hold
	}
	allowed := m.state(p, s, then)
	if s.tenant().now().cause == envelope.ErrErased && !add {
		allowed = append(allowed, kms.ErrInvalid) // of one that never had a key
	}
	err := do(context.Background(), ref)
	if m.check(rt, err, allowed) != nil || !changes {
		return
	}
	if add {
		s.holds = append(s.holds, ref)
	} else {
		s.holds = slices.Delete(s.holds, i, i+1)
	}
}
