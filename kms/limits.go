package kms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// limits are the Options of a Key with what they need to work.
type limits struct {
	Options
	places  chan struct{} // one for each call in flight
	waiting atomic.Int64
	left    atomic.Int64 // how many have left their place so far
	circuit *gobreaker.TwoStepCircuitBreaker[struct{}]
}

var (
	errBroken = errors.New("the circuit breaker is open")
	errBusy   = errors.New("too many calls wait for this key")
)

func newLimits(o Options) *limits {
	return &limits{
		Options: o,
		places:  make(chan struct{}, o.Concurrency),
		circuit: gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			MaxRequests:  1,
			Timeout:      o.BreakFor,
			ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= uint32(o.BreakAfter) },
			IsSuccessful: func(err error) bool { return err == nil },
			IsExcluded:   func(err error) bool { return errors.Is(err, errNeither) },
		}),
	}
}

// What a call that ended tells about the provider, for the breaker. nil says that it answers, be it with a refusal.
var (
	errOut     = errors.New("it does not answer")
	errNeither = errors.New("nothing is known")
)

// judge judges a call of the caller whose context is ctx.
func judge(ctx context.Context, op string, err error, took time.Duration) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrClosed), errors.Is(err, errBusy), errors.Is(err, errBroken):
		return errNeither
	case op != "wrap" && slices.ContainsFunc(unasked, func(class error) bool { return errors.Is(err, class) }):
		return errNeither
	case refusal(err):
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return errNeither
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && took < patience:
		return errNeither
	}
	return errOut
}

// unasked are the refusals of Unwrap that a driver may make without asking the provider, by what it is given to open.
var unasked = []error{ErrCiphertext, ErrNotFound, ErrInvalid, ErrUnsupported}

// patience is how long a call must have waited until its own caller's deadline tells something about the provider.
const patience = time.Second

// breaker runs f, or returns an error when the circuit breaker is open. f is told whether it is the one call that probes.
func (l *limits) breaker(f func(probe bool) error) error {
	done, err := l.circuit.Allow()
	if err != nil {
		return err
	}
	probe := l.broken() // a call that passed while it was closed may take itself for the probe when it opens just now: one call more
	said := errOut      // of a panic, or a goroutine that ends
	defer func() { done(said) }()
	said = f(probe)
	return nil
}

// broken tells whether the breaker is not closed.
func (l *limits) broken() bool { return l.circuit.State() != gobreaker.StateClosed }

// enter takes a place, and waits for one if it must.
func (l *limits) enter(ctx context.Context) error {
	select {
	case l.places <- struct{}{}:
		return nil
	default:
	}
	defer l.waiting.Add(-1)
	if l.waiting.Add(1) > int64(waitingFactor*l.Concurrency) {
		return fmt.Errorf("%w: %w: %d in flight, %d behind them", ErrUnavailable, errBusy, l.Concurrency, waitingFactor*l.Concurrency)
	}
	left := l.left.Load()
	select {
	case l.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		if l.left.Load() > left { // the queue moves: too many calls, and no outage
			return fmt.Errorf("%w: %w", errBusy, ctx.Err())
		}
		return fmt.Errorf("%d calls are in flight: %w", l.Concurrency, ctx.Err())
	}
}

func (l *limits) leave() {
	l.left.Add(1)
	<-l.places
}
