package envelope_test

import (
	"context"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

// dies has a scope lose all its keys.
func (m *keyringModel) dies(p *modelProcess, s *modelScope) {
	if s.now().cause == envelope.ErrErased {
		return
	}
	m.change(p, s, func(now *modelState) {
		now.cause = envelope.ErrErased
		for i := range now.keys {
			now.keys[i].dead = true
		}
	})
}

// receipt requires that a receipt says what was destroyed, and from when on it is so everywhere.
func (m *keyringModel) receipt(rt *rapid.T, s *modelScope, r *envelope.Receipt) {
	var ids []aead.KeyID
	for _, k := range s.now().keys {
		ids = append(ids, k.id)
	}
	for _, id := range ids {
		require.Contains(rt, r.Keys, id)
	}
	if s.above != nil {
		require.Len(rt, r.Keys, len(ids))
		require.Len(rt, r.SubjectRef, 64)
	}
	if s.now().since.Equal(time.Now()) {
		require.False(rt, r.CachesClearBy.Before(time.Now().Add(modelTTL)))
	}
	require.True(rt, r.BackupsUnreadableAfter.IsZero(), "the KMS key is there")
}

func (m *keyringModel) erase(rt *rapid.T) {
	m.reloaded()
	p, s, _ := m.who(rt)
	if s.above == nil {
		if rapid.IntRange(0, 3).Draw(rt, "mercy") == 0 {
			m.destroy(rt, p, s)
		}
		return
	}
	then := error(nil)
	switch {
	case s.now().cause == envelope.ErrErased && s.above.now().cause != envelope.ErrErased:
	case len(s.holds)+len(s.above.holds) > 0:
		then = envelope.ErrHeld
	case s.above.now().cause == envelope.ErrErased:
		then = envelope.ErrErased
	}
	allowed := []error{then}
	for _, view := range m.views(p, s.above) {
		if view.cause == envelope.ErrErased {
			allowed = append(allowed, envelope.ErrErased)
		}
	}
	if s.now().cause == envelope.ErrErased {
		allowed = append(allowed, nil) // by itself, before its tenant
	}
	if s.above.now().cause == envelope.ErrDisabled && (s.above.known.IsZero() || time.Since(s.above.known) < modelTTL) {
		allowed = append(allowed, envelope.ErrDisabled) // to find a subject the tenant needs a key
	}
	receipt, err := s.of(p.ring).(envelope.Subject).Erase(context.Background(), envelope.Erasure{Ref: "case 7"})
	if m.check(rt, err, m.storm(allowed, !m.weather[len(m.weather)-1].store)) == nil {
		m.dies(p, s)
		m.receipt(rt, s, receipt)
	}
}

func (m *keyringModel) destroy(rt *rapid.T, p *modelProcess, s *modelScope) {
	then, held := error(nil), len(s.holds)
	for _, other := range m.scopes {
		if other.above == s {
			held += len(other.holds)
		}
	}
	if held > 0 {
		then = envelope.ErrHeld
	}
	tenant := s.of(p.ring).(envelope.Tenant)
	receipt, err := tenant.Destroy(context.Background(), envelope.Erasure{Ref: "case 8"}, tenant.ID())
	if m.check(rt, err, m.storm([]error{then}, !m.weather[len(m.weather)-1].store)) != nil {
		return
	}
	for _, other := range m.scopes {
		if other.tenant() == s {
			m.dies(p, other)
		}
	}
	m.receipt(rt, s, receipt)
}

func (m *keyringModel) readmit(rt *rapid.T) {
	m.reloaded()
	p, s, scope := m.who(rt)
	subject, ok := scope.(envelope.Subject)
	if !ok {
		return
	}
	then := s.above.now().cause
	now := s.now()
	switch {
	case now.again:
		then = nil // it was asked for before
	case now.cause != envelope.ErrErased:
		then = kms.ErrInvalid
	}
	allowed := m.state(p, s, then)
	if s.above.now().cause == envelope.ErrErased {
		allowed = append(allowed, kms.ErrInvalid) // of one that never had a key
	}
	err := subject.Readmit(context.Background(), "came back")
	if m.check(rt, err, allowed) == nil && now.cause != nil {
		m.change(p, s, func(now *modelState) { now.cause, now.again = nil, true })
	}
}

// compact replaces the wrap key of a tenant, which nobody notices.
func (m *keyringModel) compact(rt *rapid.T) {
	m.reloaded()
	p, s, _ := m.who(rt)
	tenant := s.tenant()
	allowed := m.reading(p, tenant, func(modelState) error { return nil })
	if cause := tenant.now().cause; cause != nil {
		allowed = append(allowed, cause)
	}
	wraps := slices.ContainsFunc(m.scopes, func(s *modelScope) bool { return s.above == tenant && len(s.now().keys) > 0 })
	w := m.weather[len(m.weather)-1]
	done, err := p.ring.Compact(context.Background(), tenant.of(p.ring).(envelope.Tenant).ID())
	if m.check(rt, err, m.storm(allowed, !w.store && (w.kms == nil || !wraps || tenant.now().cause == envelope.ErrErased))) == nil {
		require.LessOrEqual(rt, done.Destroyed, 100)
	}
}

// rewrap has all that is stored be under the newest version of the KMS key, which nobody notices.
func (m *keyringModel) rewrap(rt *rapid.T) {
	m.reloaded()
	p := m.procs[rapid.IntRange(0, len(m.procs)-1).Draw(rt, "process")]
	m.fake.Rotate()
	_, err := p.ring.Rewrap(context.Background(), nil)
	m.check(rt, err, m.storm([]error{nil}, !m.weather[len(m.weather)-1].store))
}
