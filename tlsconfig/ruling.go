package tlsconfig

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync/atomic"
	"time"
)

// ruling is the policy of a Server or Client in use: that of its options, and what a PolicyFile adds. It is safe for concurrent use.
type ruling struct {
	own    Policy  // of the options, under the floor of the process
	report *Policy // ReportOnly of the options
	file   *PolicyFile
	fits   func(Policy) error // whether the Server or Client can keep it
	tell   func(Event)
	state  atomic.Pointer[rulingState]
	moved  change
}

// rulingState is what counts at a time. It is immutable.
type rulingState struct {
	policy  Policy
	reports []Policy      // that refuse nothing, that of the file last
	signed  *signedPolicy // what the file adds, nil for nothing
	nobody  error         // why its ReportOnly would let nobody in: it has nothing in common with policy
	refuses Reason        // what each handshake would be refused for then
	failed  *untaken      // why what the file says now is not taken
	unkept  *untaken      // why what was taken last counts elsewhere alone
}

// newRuling returns a ruling without its file.
func newRuling(own Policy, report *Policy, file *PolicyFile) *ruling {
	r := &ruling{own: own, report: report, file: file}
	if report != nil {
		p := *report
		r.report = &p
	}
	state, _ := r.with(nil) // there is nothing to fit
	r.state.Store(state)
	return r
}

// take takes what the file says, which must fit. tell is to hear KindPolicy of each change, with a Reason and Err of what is not taken.
func (r *ruling) take(fits func(Policy) error, tell func(Event)) error {
	r.fits, r.tell = fits, tell
	if r.file == nil {
		return nil
	}
	if r.file.poll == nil {
		return invalid("the PolicyFile is empty: make one with SignedPolicy")
	}
	signed, failed := r.file.load(time.Now())
	if signed == nil {
		return failed.err
	}
	state, err := r.with(signed)
	if err != nil {
		return err
	}
	state.failed = failed
	r.state.Store(state)
	return nil
}

// follow tells what is wrong at the start, and has whatever else the file says be taken, until ctx ends.
func (r *ruling) follow(ctx context.Context) {
	if r.file == nil {
		return
	}
	now := r.now()
	r.tellFailure(now.failed, nil)
	if err := r.stuck(now); err != nil {
		r.tell(Event{Kind: KindPolicy, Reason: ReasonOther, Err: err})
	}
	r.file.hold(ctx)
	begun := make(chan struct{})
	close(begun) // look at once: the file may be another since take, and what failed then may only need time
	go follow(ctx, begun, r.file.changed, r.reload)
}

// with returns what counts with a file, or why it can't.
func (r *ruling) with(signed *signedPolicy) (*rulingState, error) {
	s := &rulingState{policy: r.own, signed: signed}
	if r.report != nil {
		s.reports = append(s.reports, *r.report)
	}
	if signed == nil {
		return s, nil
	}
	if signed.Policy != nil {
		p, err := r.under(r.own, *signed.Policy)
		if err != nil {
			return nil, r.file.failure(fmt.Errorf("version %d can't be kept here: %w", signed.Version, err))
		}
		s.policy = p
	}
	if signed.ReportOnly != nil {
		p, err := s.policy.Tighten(*signed.ReportOnly)
		if err != nil {
			p, s.nobody, s.refuses = *signed.ReportOnly, err, ReasonWeak // no kind of key in common
			if meet(s.policy.rules(), p.rules()).groups == 0 {
				s.refuses = ReasonGroup
			}
		}
		s.reports = append(s.reports, p)
	}
	return s, nil
}

// stuck returns why ReportOnly of the file could not be kept, or nil. A certificate may be why, which may change.
func (r *ruling) stuck(s *rulingState) error {
	if s.signed == nil || s.signed.ReportOnly == nil {
		return nil
	}
	err := s.nobody
	if err == nil {
		err = r.fits(s.reports[len(s.reports)-1])
	}
	if err == nil {
		return nil
	}
	return r.file.failure(fmt.Errorf("report_only of version %d could not be kept here: %w", s.signed.Version, err))
}

// under returns own tightened by p, if it can be kept.
func (r *ruling) under(own, p Policy) (Policy, error) {
	met, err := own.Tighten(p)
	if err != nil {
		return Policy{}, err
	}
	return met, r.fits(met)
}

// reload takes what the file says now, or keeps the last good and returns when to try again. It tells of what is new: another file, another failure, or the end of a failure.
func (r *ruling) reload(ctx context.Context) time.Duration {
	signed, failed := r.file.load(time.Now())
	if ctx.Err() != nil {
		return 0
	}
	now := r.state.Load()
	next := *now
	next.failed, next.unkept = failed, nil
	if signed != now.signed {
		state, err := r.with(signed)
		if err == nil {
			next = *state
			next.failed = failed
			if *next.policy.rules() == *now.policy.rules() {
				next.policy = now.policy // another file says the same, by the same name: nothing begins anew
			}
		} else {
			next.unkept = &untaken{reason: ReasonOther, err: err} // a certificate may be what is in the way, and that may change
		}
	}
	taken := next.signed != now.signed
	if !taken && failed.same(now.failed) && next.unkept.same(now.unkept) {
		return next.again()
	}
	r.state.Store(&next)
	if taken {
		r.moved.announce()
	}
	r.tellChange(now, &next)
	return next.again()
}

// tellChange tells what next has that now has not: another file, other failures, or the end of them.
func (r *ruling) tellChange(now, next *rulingState) {
	taken := next.signed != now.signed
	if err := r.stuck(next); taken && err != nil {
		r.tell(Event{Kind: KindPolicy, Reason: ReasonOther, Err: err})
	} else if taken || next.failed == nil && next.unkept == nil {
		r.tell(Event{Kind: KindPolicy})
	}
	before := now.unkept
	if now.failed != nil && next.failed == nil {
		before = nil // told again, so that the last word is what is wrong still
	}
	r.tellFailure(next.unkept, before)
	r.tellFailure(next.failed, now.failed)
}

// tellFailure tells of u unless v says the same.
func (r *ruling) tellFailure(u, v *untaken) {
	if u != nil && !u.same(v) {
		r.tell(Event{Kind: KindPolicy, Reason: u.reason, Err: u.err})
	}
}

// again returns when to look at a file anew that was not taken, though nobody changed it: 0 for never.
func (s *rulingState) again() time.Duration {
	switch {
	case s.failed != nil && s.failed.wait > 0:
		return min(s.failed.wait, pollMax)
	case s.failed != nil || s.unkept != nil:
		return pollMax
	}
	return 0
}

// now returns what counts now.
func (r *ruling) now() *rulingState { return r.state.Load() }

// policy returns what is kept now.
func (r *ruling) policy() Policy { return r.now().policy }

// ownAs returns the check of certificates of our own by what is kept when it is called.
func (r *ruling) ownAs(server bool) func(*tls.Certificate) error {
	return func(c *tls.Certificate) error { return r.policy().ownAs(server)(c) }
}

// changed returns a channel that is closed when another file counts.
func (r *ruling) changed() <-chan struct{} { return r.moved.wait() }

// healthy returns why what counts is not what it should be, or nil. A file whose time has not come is none of that.
func (r *ruling) healthy(now time.Time) error { return r.fault(r.now(), now) }

// fault returns what is wrong with a state, or nil.
func (r *ruling) fault(s *rulingState, now time.Time) error {
	switch {
	case s.failed != nil && !s.failed.early():
		return s.failed.err
	case s.unkept != nil:
		return s.unkept.err
	case s.signed != nil && !now.Before(s.signed.Expires):
		return r.file.failure(fmt.Errorf("version %d expired at %s and goes on: sign a new one", s.signed.Version, utc(s.signed.Expires)))
	case s.signed != nil:
		return r.fits(s.policy) // a certificate may have come in while the file did
	}
	return nil
}

// problem returns what is to be known of the file: what is wrong, or what is to come, or why its ReportOnly could not be kept, or nil.
func (r *ruling) problem(s *rulingState, now time.Time) error {
	if err := r.fault(s, now); err != nil {
		return err
	}
	if s.failed != nil {
		return s.failed.err
	}
	return r.stuck(s)
}

// would returns why the first of policies that refuse nothing would refuse a hello.
func (s *rulingState) would(judge func(Policy) Reason) Reason {
	for _, p := range s.reports {
		if reason := judge(p); reason != Allowed {
			return reason
		}
	}
	return s.refuses
}
