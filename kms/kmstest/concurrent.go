package kmstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// callers is how many goroutines use a driver at once.
const callers = 32

// everyone runs f in as many goroutines as there are callers, and meanwhile besides.
func everyone(t testing.TB, h Harness, f func(caller int) error, meanwhile func()) {
	t.Helper()
	errs := make(chan error, callers)
	for i := range callers {
		go func() { errs <- f(i) }()
	}
	meanwhile()
	for range callers {
		require.NoError(t, await(t, h, errs, "one of several calls"))
	}
}

// unwrapped requires that w unwraps to want.
func unwrapped(ctx context.Context, d kms.Driver, w kms.Wrapped, ec kms.Context, want []byte) error {
	got, err := d.Unwrap(ctx, w, ec)
	if err == nil && !bytes.Equal(got, want) {
		err = errors.New("a caller got other bytes than were wrapped")
	}
	return err
}

// roundTrips wraps and unwraps what is the caller's own, and what all callers share.
func roundTrips(t testing.TB, d kms.Driver, shared kms.Wrapped) func(caller int) error {
	return func(caller int) error {
		plaintext, ec := secret(caller+1), kms.Context{"caller": fmt.Sprint(caller)}
		w, err := d.Wrap(own(t), plaintext, ec)
		if err != nil {
			return err
		}
		if err := unwrapped(own(t), d, w, ec, plaintext); err != nil {
			return err
		}
		return unwrapped(own(t), d, shared, pairs(), secret(16))
	}
}

func concurrentCalls(t testing.TB, h Harness) {
	shared := wrap(t, h.Driver, secret(16), pairs())
	everyone(t, h, roundTrips(t, h.Driver, shared), func() {})
}

func rotationInUse(t testing.TB, h Harness) {
	shared := wrap(t, h.Driver, secret(16), pairs())
	if !rotate(t, h.Driver) {
		t.Skip("the driver can't rotate its key")
	}
	for range 3 {
		everyone(t, h, roundTrips(t, h.Driver, shared), func() { rotate(t, h.Driver) })
	}
	everyone(t, h, roundTrips(t, h.Driver, shared), func() {})
}

// closedInUse closes the driver under its callers. Each call succeeds or fails with ErrClosed.
func closedInUse(t testing.TB, h Harness) {
	shared := wrap(t, h.Driver, secret(16), pairs())
	trip := roundTrips(t, h.Driver, shared)
	var closed atomic.Bool
	busy, done := make(chan struct{}, callers), make(chan error, 1)
	everyone(t, h, func(caller int) error {
		for first := true; ; first = false {
			after := closed.Load()
			err := trip(caller)
			if first {
				busy <- struct{}{}
			}
			switch {
			case errors.Is(err, kms.ErrClosed):
				return nil
			case err != nil:
				return fmt.Errorf("a call under Close: %w", err)
			case after:
				return errors.New("a call after Close succeeded")
			}
		}
	}, func() {
		for range callers {
			await(t, h, busy, "one of several calls")
		}
		go func() {
			done <- h.Driver.Close()
			closed.Store(true)
		}()
		require.NoError(t, await(t, h, done, "Close under use"))
	})
}

func closedInFlight(t testing.TB, h Harness) {
	need(t, h.Hang != nil, "Hang", "what becomes of a call in flight when the driver is closed")
	w := openedCanary(t, h.Driver)
	calls := bothCalls(h.Driver, w)
	start, undo := hanging(t, h)
	var ended []<-chan outcome
	for _, call := range calls {
		ended = append(ended, start(own(t), call))
	}
	closed := make(chan error, 1)
	go func() { closed <- h.Driver.Close() }()
	select { // which has calls in flight end, or waits for them
	case err := <-closed:
		closed <- err
	case <-time.After(200 * time.Millisecond):
	}
	undo()
	for i, call := range calls {
		o := await(t, h, ended[i], call.name+" in flight")
		if o.err == nil {
			require.True(t, o.gave)
			continue
		}
		failed(t, call.name, o, func(err error) { noneBut(t, err, kms.ErrClosed, kms.ErrUnavailable) })
	}
	require.NoError(t, await(t, h, closed, "Close with calls in flight"))
	fail(t, h, w, func(err error) { only(t, err, kms.ErrClosed) })
}
