package kms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// member is a key of an AnyOf key, with what is remembered of it.
type member struct {
	key *Key

	mu     sync.Mutex
	down   time.Time // when it may be asked in its turn again; zero while it is up
	outage bool      // it is down in a way that a Wrap would notice, too
	missed int       // short deadlines of callers in a row
}

// probeEvery is how often a member that was down is asked in its turn.
const probeEvery = 30 * time.Second

// due tells whether the member has its turn: it is up, or it is time to see whether it is.
func (m *member) due() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !time.Now().Before(m.down)
}

// ask is due for one caller at a time while the member is down.
func (m *member) ask() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if now.Before(m.down) {
		return false
	}
	if !m.down.IsZero() {
		m.down = now.Add(probeEvery)
	}
	return true
}

// hurried remembers that the member missed a caller's own short deadline. One such caller tells nothing, three in a row do.
func (m *member) hurried() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.missed++; m.missed >= 3 {
		m.down, m.outage, m.missed = time.Now().Add(probeEvery), true, 0
	}
}

// note remembers how an Unwrap of the member ended.
func (m *member) note(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.missed = 0
	switch Class(err) {
	case ClassOK:
		m.down, m.outage = time.Time{}, false
	case ClassCanceled, Class(ErrCiphertext), Class(ErrNotFound), Class(ErrInvalid): // about the caller, or what it gave
	default:
		m.down = time.Now().Add(probeEvery)
		m.outage = errors.Is(err, ErrUnavailable) || errors.Is(err, ErrThrottled)
	}
}

// noteWrap remembers how a Wrap ended, as far as that tells of Unwrap: who may not do the one may do the other.
func (m *member) noteWrap(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrThrottled), errors.Is(err, ErrNotFound), errors.Is(err, ErrDestroyed):
		m.down, m.outage = time.Now().Add(probeEvery), true
	case err == nil && m.outage:
		m.down, m.outage = time.Time{}, false
	}
}

// mendable are the classes of errors by how easily they are mended.
var mendable = []error{
	ErrUnavailable, ErrThrottled, ErrDisabled, ErrPendingDeletion, ErrAccessDenied, ErrDestroyed, ErrNotFound, ErrClosed,
	ErrUnsupported, ErrInvalid, ErrCiphertext,
}

// together makes one error of those of the members. It has one class, so that nobody takes an outage for a refusal; their texts follow.
func together(ctx context.Context, op string, failed []*Error) error {
	if err := ctx.Err(); errors.Is(err, context.Canceled) {
		return err
	}
	e := &Error{Op: op, Ref: Ref{Provider: anyProvider}}
	var texts []string
	late := false
	for _, f := range failed {
		texts = append(texts, strings.TrimPrefix(f.Error(), "kms: "))
		e.RetryAfter = max(e.RetryAfter, f.RetryAfter)
		late = late || errors.Is(f, context.DeadlineExceeded)
	}
	class := ErrUnavailable
	for _, c := range mendable {
		if slices.ContainsFunc(failed, func(f *Error) bool { return errors.Is(f, c) || c == ErrUnavailable && Class(f) == ClassCanceled }) {
			class = c
			break
		}
	}
	e.Err = fmt.Errorf("%w: too few members did it: %s", class, strings.Join(texts, "; "))
	if late && class == ErrUnavailable {
		e.Err = fmt.Errorf("%w: %w", e.Err, context.DeadlineExceeded)
	}
	e.Retryable = !refusal(class)
	return e
}

// failures returns those of errs, which are of the members' methods, that are not nil.
func failures(errs []error) (failed []*Error) {
	for _, err := range errs {
		if err != nil {
			failed = append(failed, err.(*Error))
		}
	}
	return failed
}

// each calls f for every member at once, and returns what they return. A panic of one is the caller's.
func (a *anyOf) each(f func(i int, m *member) error) []error {
	errs, panics := make([]error, len(a.members)), make([]any, len(a.members))
	var all sync.WaitGroup
	for i, m := range a.members {
		errs[i] = &Error{Op: "call", Ref: m.key.ref, Err: fmt.Errorf("%w: its goroutine was ended", ErrUnavailable)}
		all.Go(func() {
			defer func() { panics[i] = recover() }()
			errs[i] = f(i, m)
		})
	}
	all.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
	return errs
}

// status is usable when all members are that have to open, degraded when some are, and else unreachable if any may come back, or as the first.
func (a *anyOf) status() (all Status) {
	var bad []Status
	working := false
	for _, m := range a.members {
		s := m.key.Status()
		if s.LastSuccess.After(all.LastSuccess) {
			all.LastSuccess = s.LastSuccess
		}
		working = working || s.Health <= HealthDegraded && (!m.key.wrapOnly || a.wrapOnly())
		if s.Health > HealthUsable {
			bad = append(bad, s)
			continue
		}
		all.Health = max(all.Health, s.Health)
		if s.Since.After(all.Since) {
			all.Since = s.Since
		}
	}
	if len(bad) == 0 {
		return all
	}
	i := max(0, slices.IndexFunc(bad, func(s Status) bool { return s.Health == HealthUnreachable }))
	all.Health, all.Since, all.Err = bad[i].Health, bad[i].Since, bad[i].Err
	if working {
		all.Health = HealthDegraded
	}
	return all
}

// wrapOnly tells whether no member can open.
func (a *anyOf) wrapOnly() bool {
	return !slices.ContainsFunc(a.members, func(m *member) bool { return !m.key.wrapOnly })
}

// check checks each member, and wants as many as Wrap needs.
func (a *anyOf) check(ctx context.Context) error {
	timed, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	errs := a.each(func(_ int, m *member) error {
		if m.key.wrapOnly {
			return m.key.checkWrap(timed)
		}
		return m.key.Check(timed)
	})
	failed := failures(errs)
	opens := false
	for i, m := range a.members {
		opens = opens || errs[i] == nil && !m.key.wrapOnly
	}
	switch {
	case a.wrapOnly() && len(failed) == 0:
		return a.members[0].key.Check(ctx) // it says why it can't
	case !opens || len(a.members)-len(failed) < a.Minimum:
		return failure(ctx, ctx, opCheck, a.Ref(), together(ctx, opCheck, failed))
	}
	a.tell(ctx, opCheck, failed)
	return nil
}
