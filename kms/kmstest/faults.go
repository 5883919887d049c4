package kmstest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// classes returns every sentinel but those that a call can't be answered with.
func classes() []error {
	return []error{
		kms.ErrNotFound, kms.ErrDisabled, kms.ErrPendingDeletion, kms.ErrDestroyed, kms.ErrAccessDenied, kms.ErrThrottled,
		kms.ErrUnavailable, kms.ErrCiphertext, kms.ErrInvalid, kms.ErrUnsupported, kms.ErrClosed,
	}
}

// only requires that err is of one class, of those allowed, and, so that nobody mistakes it, of no other.
func only(t testing.TB, err error, allowed ...error) {
	t.Helper()
	var said []error
	for _, class := range classes() {
		if errors.Is(err, class) {
			said = append(said, class)
		}
	}
	require.Len(t, said, 1, "not of one class: %v", err)
	require.Contains(t, allowed, said[0], "of another class: %v", err)
}

// noneBut requires that err is of none but the given classes.
func noneBut(t testing.TB, err error, allowed ...error) {
	t.Helper()
	for _, class := range classes() {
		matches := errors.Is(err, class)
		for _, a := range allowed {
			matches = matches && a != class
		}
		require.False(t, matches, "the error also says %q: %v", class, err)
	}
}

// outcome is what a call came to.
type outcome struct {
	gave bool // it returned something
	err  error
}

// call is a Wrap or an Unwrap of the canaries.
type call struct {
	name string
	do   func(context.Context) outcome
}

// bothCalls returns a Wrap, and the Unwrap of w, which is the canary wrapped.
func bothCalls(d kms.Driver, w kms.Wrapped) []call {
	return []call{
		{"Wrap", func(ctx context.Context) outcome {
			got, err := d.Wrap(ctx, []byte(canary), canaryPairs())
			return outcome{got.Blob != nil || got.Ref != kms.Ref{} || got.Version != "", err}
		}},
		{"Unwrap", func(ctx context.Context) outcome {
			got, err := d.Unwrap(ctx, w, canaryPairs())
			return outcome{got != nil, err}
		}},
	}
}

// fail requires that Wrap and Unwrap fail as check wants, return nothing, and tell nothing.
func fail(t testing.TB, h Harness, w kms.Wrapped, check func(error)) {
	t.Helper()
	for _, call := range bothCalls(h.Driver, w) {
		ctx, ended := own(t), make(chan outcome, 1)
		go func() { ended <- call.do(ctx) }()
		failed(t, call.name, await(t, h, ended, call.name), check)
	}
}

func failed(t testing.TB, name string, o outcome, check func(error)) {
	t.Helper()
	require.Error(t, o.err, name)
	check(o.err)
	quiet(t, o.err)
	require.False(t, o.gave, "a failed %s returned something", name)
}

// works requires that Wrap and Unwrap do what they should.
func works(t testing.TB, d kms.Driver, w kms.Wrapped) {
	t.Helper()
	opens(t, d, w, canaryPairs(), []byte(canary))
	opens(t, d, wrapCanary(t, d), canaryPairs(), []byte(canary))
}

func accessDenied(t testing.TB, h Harness) {
	need(t, h.Deny != nil, "Deny", "what the driver makes of refused credentials")
	w := openedCanary(t, h.Driver)
	undo := undoOnce(t, h.Deny())
	fail(t, h, w, func(err error) { only(t, err, kms.ErrAccessDenied) })
	undo()
	works(t, h.Driver, w)
}

func throttled(t testing.TB, h Harness) {
	need(t, h.Throttle != nil, "Throttle", "what the driver makes of a service that asks for fewer calls")
	w := openedCanary(t, h.Driver)
	pause, undo := h.Throttle()
	undo = undoOnce(t, undo)
	fail(t, h, w, func(err error) {
		only(t, err, kms.ErrThrottled)
		said := retryable(t, err)
		if pause > 0 {
			require.NotNil(t, said, "the error does not tell how long to wait: return a *kms.Error")
			require.Equal(t, pause, said.RetryAfter)
		} else if said != nil {
			require.Zero(t, said.RetryAfter, "the service did not say how long to wait")
		}
	})
	undo()
	works(t, h.Driver, w)
}

func outage(t testing.TB, h Harness) {
	need(t, h.Outage != nil, "Outage", "what the driver makes of a service that is out of reach")
	w := openedCanary(t, h.Driver)
	undo := undoOnce(t, h.Outage())
	fail(t, h, w, func(err error) {
		only(t, err, kms.ErrUnavailable)
		retryable(t, err)
	})
	undo()
	works(t, h.Driver, w)
}

// retryable requires that err does not say that another try is in vain, and returns what else it says, if it does.
func retryable(t testing.TB, err error) *kms.Error {
	t.Helper()
	var said *kms.Error
	if !errors.As(err, &said) {
		return nil
	}
	require.True(t, said.Retryable, "the error says that another try is in vain")
	return said
}

func cancelledInFlight(t testing.TB, h Harness) {
	inFlight(t, h, func(call call, hang func(context.Context) <-chan outcome) {
		ctx, cancel := context.WithCancel(own(t))
		defer cancel()
		ended := hang(ctx)
		cancel()
		failed(t, call.name, await(t, h, ended, "a cancelled "+call.name), func(err error) {
			require.ErrorIs(t, err, context.Canceled)
			noneBut(t, err, kms.ErrUnavailable)
		})
	})
}

func deadlineInFlight(t testing.TB, h Harness) {
	inFlight(t, h, func(call call, hang func(context.Context) <-chan outcome) {
		ctx, cancel := context.WithTimeout(own(t), 100*time.Millisecond)
		defer cancel()
		failed(t, call.name, await(t, h, hang(ctx), call.name+" beyond its deadline"), func(err error) {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			noneBut(t, err, kms.ErrUnavailable)
		})
	})
}

// inFlight runs test with each call. hang makes the call and returns once it has reached the service.
func inFlight(t testing.TB, h Harness, test func(call call, hang func(context.Context) <-chan outcome)) {
	t.Helper()
	need(t, h.Hang != nil, "Hang", "what becomes of a call that gets no answer")
	w := openedCanary(t, h.Driver)
	for _, call := range bothCalls(h.Driver, w) {
		start, undo := hanging(t, h)
		test(call, func(ctx context.Context) <-chan outcome { return start(ctx, call) })
		undo()
		works(t, h.Driver, w)
	}
}

// hanging makes the service hang. start makes a call and returns once it has reached the service, or has ended.
func hanging(t testing.TB, h Harness) (start func(context.Context, call) <-chan outcome, undo func()) {
	t.Helper()
	arrived := make(chan struct{}, 1)
	undo = undoOnce(t, h.Hang(func() {
		select {
		case arrived <- struct{}{}:
		default: // a driver may try again by itself
		}
	}))
	start = func(ctx context.Context, call call) <-chan outcome {
		select {
		case <-arrived: // of a call before
		default:
		}
		ended := make(chan outcome, 1)
		go func() { ended <- call.do(ctx) }()
		select {
		case <-arrived:
		case o := <-ended:
			ended <- o
		case <-time.After(h.limit()):
			t.Errorf("%s neither reaches the service nor ends", call.name)
			t.FailNow()
		}
		return ended
	}
	return start, undo
}

// undoOnce has undo called at the end of the test if not before.
func undoOnce(t testing.TB, undo func()) func() {
	undo = sync.OnceFunc(undo)
	t.Cleanup(undo)
	return undo
}
