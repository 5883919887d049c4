package kms

import (
	"errors"
	"sync"
	"time"
)

// Status is what a [Key] knows of its provider without asking.
type Status struct {
	Health      Health
	Since       time.Time // when that began; zero while nothing is known
	LastSuccess time.Time // of Wrap or Unwrap; zero before the first
	Err         error     // why it is not usable: an *[Error], or nil
}

// Health is what can be expected of a key, by the last answers.
type Health int

// How a key may be.
const (
	HealthUnknown     Health = iota // nothing was asked yet
	HealthUsable                    // the last answer was one
	HealthDegraded                  // it is throttled, fails at times or answers wrongly, or some members of an [AnyOf] key are not usable
	HealthDisabled                  // it was refused as disabled or pending deletion
	HealthDenied                    // the provider refused our credentials
	HealthDestroyed                 // it is gone for good, or the provider has no such key
	HealthUnreachable               // the circuit breaker opened, and no call has succeeded since
)

// String returns the health in one lower-case word.
func (h Health) String() string {
	names := [...]string{"unknown", "usable", "degraded", "disabled", "denied", "destroyed", "unreachable"}
	if h < 0 || int(h) >= len(names) {
		return names[HealthUnknown]
	}
	return names[h]
}

// Status tells how the key was at the last answers of its provider. It makes no I/O, so a key that nobody
// uses keeps its old status: [Key.Check] asks. A refusal that depends on the context, as some access policies make, shows as [HealthDenied]
// until the next success. An [AnyOf] key of which no member that could open is usable is as those are; a [Rolling]
// key is as its current key, and degraded when a previous one is not usable.
func (k *Key) Status() Status {
	if k.group != nil {
		return k.group.status()
	}
	return k.status.get()
}

// status keeps a Key's Status. Its zero value is ready.
type status struct {
	mu sync.Mutex
	s  Status
}

func (s *status) get() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s
}

// note takes in how a call ended; broken tells whether the circuit breaker is open now.
func (s *status) note(op string, err error, broken bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case op == opCheck: // it must be refused
	case err == nil && broken: // of a call that began before
		s.s.LastSuccess = now
	case err == nil:
		s.s.LastSuccess = now
		s.set(now, HealthUsable, nil)
	case errors.Is(err, ErrDisabled), errors.Is(err, ErrPendingDeletion):
		s.set(now, HealthDisabled, err)
	case errors.Is(err, ErrAccessDenied):
		s.set(now, HealthDenied, err)
	case errors.Is(err, ErrDestroyed), errors.Is(err, ErrNotFound):
		s.set(now, HealthDestroyed, err)
	case errors.Is(err, ErrThrottled), errors.Is(err, ErrUnavailable):
		if broken {
			s.set(now, HealthUnreachable, err)
		} else {
			s.set(now, HealthDegraded, err)
		}
	default: // it answers what it should not
		s.set(now, HealthDegraded, err)
	}
}

// described takes in a state that the provider told.
func (s *status) described(state State) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case Enabled:
		if s.s.Health != HealthDenied && s.s.Health != HealthUnreachable { // the right to look is not the right to use
			s.set(now, HealthUsable, nil)
		}
	case Disabled, PendingDeletion:
		s.set(now, HealthDisabled, nil)
	case Destroyed:
		s.set(now, HealthDestroyed, nil)
	}
}

// unfit takes in that Check found the provider out.
func (s *status) unfit(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(time.Now(), HealthDegraded, err)
}

func (s *status) set(now time.Time, h Health, err error) {
	if s.s.Health != h {
		s.s.Health, s.s.Since = h, now
	}
	s.s.Err = err
}

// lastFailure is why the key is not usable, in words.
func (s *status) lastFailure() string {
	if e, ok := s.get().Err.(*Error); ok {
		return e.Err.Error()
	}
	return "the provider failed"
}
