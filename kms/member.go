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

	mu   sync.Mutex
	down time.Time // when it may be asked in its turn again; zero while it is up
}

// probeEvery is how often a member that was down is asked in its turn.
const probeEvery = 30 * time.Second

// up tells whether to ask the member in its turn: it is up, or it is time for one caller to see.
func (m *member) up() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down.IsZero() {
		return true
	}
	now := time.Now()
	if now.Before(m.down) {
		return false
	}
	m.down = now.Add(probeEvery)
	return true
}

// note remembers how a call to the member ended.
func (m *member) note(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch Class(err) {
	case ClassOK:
		m.down = time.Time{}
	case ClassCanceled, Class(ErrCiphertext): // that is about the caller, or what it gave
	default:
		m.down = time.Now().Add(probeEvery)
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
		e.Retryable = e.Retryable || f.Retryable
		e.RetryAfter = max(e.RetryAfter, f.RetryAfter)
		late = late || errors.Is(f, context.DeadlineExceeded)
	}
	for _, class := range mendable {
		for _, f := range failed {
			if errors.Is(f, class) {
				e.Err = fmt.Errorf("%w: %d members failed: %s", class, len(failed), strings.Join(texts, "; "))
				if late && class == ErrUnavailable {
					e.Err = fmt.Errorf("%w: %w", e.Err, context.DeadlineExceeded)
				}
				return e
			}
		}
	}
	return fmt.Errorf("%w: %s", ErrUnavailable, strings.Join(texts, "; ")) // out of time before any was asked
}

// status is usable when all members are, degraded when some are, and else unreachable if any may come back, or as the first.
func (a *anyOf) status() (all Status) {
	var bad []Status
	working := 0
	for _, m := range a.members {
		s := m.key.Status()
		if s.LastSuccess.After(all.LastSuccess) {
			all.LastSuccess = s.LastSuccess
		}
		if s.Health <= HealthDegraded {
			working++
		}
		if s.Health > HealthUsable {
			bad = append(bad, s)
		} else if s.Health > all.Health {
			all.Health, all.Since = s.Health, s.Since
		}
	}
	if len(bad) == 0 {
		return all
	}
	i := max(0, slices.IndexFunc(bad, func(s Status) bool { return s.Health == HealthUnreachable }))
	all.Health, all.Since, all.Err = bad[i].Health, bad[i].Since, bad[i].Err
	if working > 0 {
		all.Health = HealthDegraded
	}
	return all
}

// check checks each member, and wants as many as Wrap needs.
func (a *anyOf) check(ctx context.Context) error {
	opens := false
	var failed []*Error
	for _, m := range a.members {
		check := m.key.Check
		if m.key.wrapOnly {
			check = m.key.checkWrap
		}
		if err := check(ctx); err != nil {
			failed = append(failed, err.(*Error))
			continue
		}
		opens = opens || !m.key.wrapOnly
	}
	switch {
	case len(a.members)-len(failed) < a.Minimum:
		return failure(ctx, ctx, opCheck, a.Ref(), together(ctx, opCheck, failed))
	case !opens && len(failed) == 0:
		return a.members[0].key.Check(ctx) // it says why it can't
	case !opens:
		return failure(ctx, ctx, opCheck, a.Ref(), together(ctx, opCheck, failed))
	}
	a.tell(ctx, opCheck, failed)
	return nil
}
