package envelope_test

import (
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/envelope"
)

// reading returns how a call that uses a key may end. find says what becomes of it in a state that is active.
func (m *keyringModel) reading(p *modelProcess, s *modelScope, find func(modelState) error) (allowed []error) {
	for _, view := range m.views(p, s) {
		if view.cause == nil {
			view.cause = find(view)
		}
		allowed = append(allowed, view.cause)
	}
	return m.above(p, s, allowed)
}

// above adds how the tenant of a subject may look.
func (m *keyringModel) above(p *modelProcess, s *modelScope, allowed []error) []error {
	if s.above == nil {
		return allowed
	}
	var causes []error
	active := false
	for _, view := range m.views(p, s.above) {
		active = active || view.cause == nil
	}
	for _, view := range m.views(nil, s.above) { // what was said to a subject is remembered for a moment, also where p has enabled the tenant
		if view.cause != nil {
			causes = append(causes, view.cause)
		}
	}
	if !active {
		return causes
	}
	return append(allowed, causes...)
}

// storm adds what the weather may do: nil is no longer allowed where it may not be.
func (m *keyringModel) storm(allowed []error, works bool) []error {
	if m.fine() {
		return allowed
	}
	if !works {
		allowed = slices.DeleteFunc(allowed, func(err error) bool { return err == nil })
	}
	return append(allowed, m.faults()...)
}

// writing returns how a call that makes a key may end.
func (m *keyringModel) writing(p *modelProcess, s *modelScope) []error {
	allowed := m.reading(p, s, func(modelState) error { return nil })
	w := m.weather[len(m.weather)-1]
	works := !w.store && (w.kms == nil || s.above != nil && m.serves(modelWriteStale))
	if s.now().cause != nil || s.tenant().now().cause != nil {
		allowed = slices.DeleteFunc(allowed, func(err error) bool { return err == nil })
	}
	return m.storm(allowed, works)
}

// sealing returns how Seal may end, or with create Create.
func (m *keyringModel) sealing(p *modelProcess, s *modelScope, create bool) []error {
	current, there := s.now().current()
	known := slices.ContainsFunc(m.views(p, s), modelState.seals)
	create = create || !p.explicit
	if create && !there && !known {
		return m.writing(p, s)
	}
	allowed := m.reading(p, s, func(view modelState) error {
		if !create && !there && !view.seals() {
			return envelope.ErrUnknownKey
		}
		return nil
	})
	if !create && s.lacked(2*modelTTL) {
		allowed = append(allowed, envelope.ErrUnknownKey)
	}

	if there && m.warm(p, current) {
		return allowed
	}
	return m.storm(allowed, m.serves(modelWriteStale))
}

// opening returns how Open of a record may end for its own scope, where it opens in then.
func (m *keyringModel) opening(p *modelProcess, r modelRecord, then error) []error {
	allowed := m.reading(p, r.scope, func(view modelState) error {
		k, ok := view.find(r.id())
		if !ok {
			k, _ = r.scope.now().find(r.id()) // it asks again
		}
		if k.dead {
			return envelope.ErrErased
		}
		return then
	})
	if m.warm(p, r.id()) {
		return allowed
	}
	return m.storm(allowed, m.serves(modelStale))
}

// state returns how a call may end that is about the state of a scope, where the state lets it end in then.
func (m *keyringModel) state(p *modelProcess, s *modelScope, then error) []error {
	return m.storm(m.above(p, s, []error{then}), !m.weather[len(m.weather)-1].store)
}

// then is how a change of a scope's state ends when all is well.
func (s *modelScope) then() error {
	if s.now().cause == envelope.ErrErased {
		return envelope.ErrErased
	}
	return nil
}

// lacked tells whether the scope had no key a while ago: a process may not have heard of its first key, or of the key by which it finds subjects, which adds up.
func (s *modelScope) lacked(ago time.Duration) bool {
	for i, next := range s.past[1:] {
		if !s.past[i].seals() && s.past[i].cause == nil && time.Since(next.since) < ago {
			return true
		}
	}
	return false
}

// remembered are the outages of the KMS that a process may know of that has not asked since.
func (m *keyringModel) remembered() (all []error) {
	for i, w := range m.weather[:len(m.weather)-1] {
		if w.kms != nil && modelActions[w.kms] == envelope.Retry && time.Since(m.weather[i+1].since) < modelTTL+modelStale {
			all = append(all, w.kms)
		}
	}
	return all
}
