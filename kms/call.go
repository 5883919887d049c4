package kms

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/holdfast-go/holdfast/internal/verify"
)

// request is what a Key asks of its driver.
type request[T any] struct {
	op     string
	ec     Context
	data   bool // Wrap or Unwrap: under the breaker, and what Status goes by
	repeat bool // it may be tried again
	// check refuses a wrong argument before anything else is done.
	check func() error
	// prepare returns an attempt with copies of its own of all that the driver gets: an attempt may outlive the call.
	prepare func() func(context.Context) (T, error)
}

// call makes a request under the limits of k, and maps, observes and notes how it ends. Around the driver stand, from the outside: the breaker,
// the timeout, the attempts, and for each attempt a place among those in flight.
func call[T any](ctx context.Context, k *Key, r request[T]) (v T, err error) {
	if err := k.enter(); err != nil {
		return v, &Error{Op: r.op, Ref: k.ref, Err: err}
	}
	defer k.calls.Done()
	start := time.Now()
	refuse := func(ec Context, e *Error) (T, error) {
		k.observe(ctx, r.op, ec, 0, start, e)
		return *new(T), e
	}
	if err := ctx.Err(); err != nil {
		return refuse(nil, &Error{Op: r.op, Ref: k.ref, Err: err})
	}
	if err := r.check(); err != nil {
		return refuse(nil, failure(ctx, ctx, r.op, k.ref, err)) // nobody should see values that were not checked
	}
	if k.limits == nil { // a group: its members have limits of their own
		v, err := r.prepare()(ctx)
		if err != nil {
			return v, failure(ctx, ctx, r.op, k.ref, err)
		}
		return v, nil
	}
	timed, cancel := context.WithTimeout(verify.Without(ctx), k.limits.Timeout)
	defer cancel()
	if !r.data {
		return repeat(ctx, timed, k, r, func() bool { return true })
	}
	said, ended := errOut, error(&Error{Op: r.op, Ref: k.ref, Err: fmt.Errorf("%w: the driver panicked", ErrUnavailable)})
	defer func() {
		if said != errNeither {
			k.status.note(r.op, ended, k.limits.broken())
		}
	}()
	broken := k.limits.breaker(func(probe bool) error {
		v, err = repeat(ctx, timed, k, r, func() bool { return probe || !k.limits.broken() })
		said, ended = judge(ctx, r.op, err, time.Since(start)), err
		return said
	})
	if broken != nil {
		said = errNeither
		return refuse(r.ec, k.broken(r.op))
	}
	return v, err
}

// broken is the error of a call that the breaker turns away.
func (k *Key) broken(op string) *Error {
	return &Error{
		Op: op, Ref: k.ref, Retryable: true,
		Err: fmt.Errorf("%w: %w: %s", ErrUnavailable, errBroken, k.status.lastFailure()),
	}
}

// repeat tries until it succeeds, is refused, or may try no more. The breaker may open after a call has passed it: admitted
// tells whether the provider may still be asked.
func repeat[T any](ctx, timed context.Context, k *Key, r request[T], admitted func() bool) (T, error) {
	tries := uint(1)
	if r.repeat {
		tries = uint(k.limits.Attempts)
	}
	pauses := &pauses{ctx: timed}
	var last *Error
	n := 0
	v, err := backoff.Retry(timed, func() (T, error) {
		start := time.Now()
		if err := k.limits.enter(timed); err != nil {
			last = failure(ctx, timed, r.op, k.ref, err)
			k.observe(ctx, r.op, r.ec, 0, start, last)
			return *new(T), backoff.Permanent(errStop)
		}
		if !admitted() {
			k.limits.leave()
			if last == nil {
				last = k.broken(r.op)
				k.observe(ctx, r.op, r.ec, 0, start, last)
			}
			return *new(T), backoff.Permanent(errStop)
		}
		n++
		start = time.Now()
		late := func(p string) {
			defer func() { recover() }() // an Observer that panics here would end the process, too
			err := fmt.Errorf("%w: the driver panicked after its caller had left: %s", ErrUnavailable, p)
			k.observe(context.WithoutCancel(ctx), r.op, nil, n, start, &Error{Op: r.op, Ref: k.ref, Err: err})
		}
		v, err := attempt(timed, k.limits.leave, late, r.prepare())
		if err == nil {
			k.observe(ctx, r.op, r.ec, n, start, nil)
			return v, nil
		}
		last = failure(ctx, timed, r.op, k.ref, err)
		last.Retryable = last.Retryable && r.repeat
		k.observe(ctx, r.op, r.ec, n, start, last)
		if refusal(last) || !last.Retryable || timed.Err() != nil {
			return v, backoff.Permanent(errStop)
		}
		pauses.asked = last.RetryAfter
		return v, errAgain
	}, backoff.WithBackOff(pauses), backoff.WithMaxTries(tries), backoff.WithMaxElapsedTime(0))
	if err == nil {
		return v, nil
	}
	if timed.Err() != nil && !refusal(last) && !errors.Is(last, timed.Err()) {
		last = failure(ctx, timed, r.op, k.ref, last) // it ended in a pause
	}
	return v, last
}

// What the backoff library gets to see: a driver's error may hold one of that library's own, which would mislead it.
var (
	errAgain = errors.New("try again")
	errStop  = errors.New("try no more")
)

// pauses is the [backoff.BackOff] between attempts.
type pauses struct {
	ctx   context.Context
	n     int
	asked time.Duration // by the provider
}

// NextBackOff returns a pause, or [backoff.Stop] when no time would be left after it.
func (p *pauses) NextBackOff() time.Duration {
	asked, jitter := max(0, p.asked), rand.N(min(100*time.Millisecond<<p.n, 2*time.Second))
	p.n++
	if deadline, ok := p.ctx.Deadline(); ok && time.Until(deadline)-asked <= jitter { // in this order it can't overflow
		return backoff.Stop
	}
	return asked + jitter
}

func (p *pauses) Reset() {}

// grace is how long a driver has to notice that its context is done: what it says then is worth more than that.
const grace = 10 * time.Millisecond

// attempt runs an attempt in a goroutine, which calls leave at its end. Once ctx is done it returns, also when the
// driver does not: a driver that hangs costs its callers no more than their time. A panic of the driver is the caller's; late
// gets one that nobody waits for, which would end the process out of anyone's reach.
func attempt[T any](ctx context.Context, leave func(), late func(panicked string), run func(context.Context) (T, error)) (v T, err error) {
	type result struct {
		v     T
		err   error
		panic string
	}
	done := make(chan result, 1)
	var taken atomic.Bool // by whoever is first: the attempt that ends, or the caller who goes
	go func() {
		r := result{err: errors.New("the driver ended its goroutine")}
		defer func() {
			if p := recover(); p != nil {
				r.panic = fmt.Sprintf("%v\n\n%s", p, debug.Stack())
			}
			leave() // before the caller hears, so that nothing of a call goes on after it
			if taken.CompareAndSwap(false, true) {
				done <- r
				return
			}
			if secret, ok := any(r.v).([]byte); ok {
				clear(secret)
			}
			if r.panic != "" {
				late(r.panic)
			}
		}()
		r.v, r.err = run(ctx)
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		select {
		case r = <-done:
		case <-time.After(grace):
			if taken.CompareAndSwap(false, true) {
				return v, ctx.Err()
			}
			r = <-done // it has just ended
		}
	}
	if r.panic != "" {
		panic(r.panic)
	}
	return r.v, r.err
}
