package kms_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// fails returns a driver that always says err.
func fails(err error) *actor {
	a := newActor(nil)
	a.say(err)
	return a
}

func throttled(pause time.Duration) *kms.Error {
	return &kms.Error{Retryable: true, RetryAfter: pause, Err: kms.ErrThrottled}
}

func TestWhatIsTriedAgain(t *testing.T) {
	type row struct {
		name string
		said error
		want int64
	}
	rows := []row{
		{"foreign", io.ErrUnexpectedEOF, 3},
		{"cancelled by itself", context.Canceled, 3},
		{"late by itself", context.DeadlineExceeded, 3},
		{"says not to", &kms.Error{Err: kms.ErrUnavailable}, 1},
		{"wrapped, says not to", fmt.Errorf("around: %w", &kms.Error{Err: kms.ErrThrottled}), 1},
		{"says to, but refuses", &kms.Error{Retryable: true, Err: kms.ErrDisabled}, 1},
		{"says to, but does not decrypt", &kms.Error{Retryable: true, Err: kms.ErrCiphertext}, 1},
	}
	for _, class := range classes {
		want := int64(1)
		if class == kms.ErrUnavailable || class == kms.ErrThrottled {
			want = 3
		}
		rows = append(
			rows,
			row{class.Error(), class, want},
			row{class.Error() + ", wrapped", fmt.Errorf("%w: details", class), want},
		)
	}
	for _, tc := range rows {
		t.Run(tc.name, func(t *testing.T) {
			for op, call := range operations {
				bubble.Test(t, func(t *testing.T) {
					d, want := fails(tc.said), tc.want
					if op == "rotate" || op == "destroy" {
						want = 1
					}
					require.Error(t, call(t.Context(), keyWith(t, d, nil)))
					require.Equal(t, want, d.calls.Load(), op)
				})
			}
		})
	}
}

func TestRetrySucceeds(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newActor(func(_ context.Context, n int) error {
			if n < 3 {
				return kms.ErrUnavailable
			}
			return nil
		})
		k := keyWith(t, d, nil)
		got, err := k.Unwrap(t.Context(), kms.Wrapped{Ref: d.ref, Blob: []byte("\x00\x00secret")}, nil)
		require.NoError(t, err)
		require.Equal(t, "secret", string(got))
		require.EqualValues(t, 3, d.calls.Load())
	})
}

// gaps returns the pauses that a call makes between the attempts of a driver that says err at once.
func gaps(t *testing.T, o *kms.Options, err error) (all []time.Duration) {
	t.Helper()
	var last time.Time
	d := newActor(func(_ context.Context, n int) error {
		now := time.Now()
		if n > 1 {
			all = append(all, now.Sub(last))
		}
		last = now
		return err
	})
	require.Error(t, operations["wrap"](t.Context(), keyWith(t, d, o)))
	return all
}

// TestPauses: full jitter, under bounds that double to 2 s, on top of what the provider asks for.
func TestPauses(t *testing.T) {
	for _, asked := range []time.Duration{0, 3 * time.Second} {
		t.Run(asked.String(), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				var least, most [9]time.Duration
				for i := range 100 {
					all := gaps(t, &kms.Options{Attempts: 10, Timeout: time.Hour}, throttled(asked))
					require.Len(t, all, 9)
					for n, gap := range all {
						gap -= asked
						if i == 0 {
							least[n] = gap
						}
						least[n], most[n] = min(least[n], gap), max(most[n], gap)
					}
				}
				for n := range most {
					bound := min(100*time.Millisecond<<n, 2*time.Second)
					require.GreaterOrEqual(t, least[n], time.Duration(0))
					require.Less(t, most[n], bound)
					// That a hundred random pauses stay out of a half has a chance of 2 to the -100.
					require.Less(t, least[n], bound/2, "pause %d", n)
					require.Greater(t, most[n], bound/2, "pause %d", n)
				}
			})
		})
	}
}

func TestAttempts(t *testing.T) {
	for _, n := range []int{1, 2, 10} {
		bubble.Test(t, func(t *testing.T) {
			require.Len(t, gaps(t, &kms.Options{Attempts: n, Timeout: time.Hour}, kms.ErrUnavailable), n-1)
		})
	}
}

// TestNoPauseOutlastsTheDeadline: a caller whose time is too short for the pause gets the answer that is there.
func TestNoPauseOutlastsTheDeadline(t *testing.T) {
	for name, limit := range map[string][2]time.Duration{ // timeout, caller's deadline
		"timeout":  {5 * time.Second, time.Hour},
		"deadline": {time.Hour, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				d := fails(throttled(5 * time.Second))
				ctx, cancel := context.WithTimeout(t.Context(), limit[1])
				defer cancel()
				start := time.Now()
				err := operations["unwrap"](ctx, keyWith(t, d, &kms.Options{Timeout: limit[0]}))
				require.Zero(t, time.Since(start))
				require.EqualValues(t, 1, d.calls.Load())
				requireOnly(t, err, kms.ErrThrottled)
				require.NotErrorIs(t, err, context.DeadlineExceeded)
			})
		})
	}
}

// TestAbsurdPause: what the provider asks for is not to be trusted, and no excuse to ask it again at once.
func TestAbsurdPause(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := fails(throttled(1<<63 - 1))
		err := operations["unwrap"](t.Context(), keyWith(t, d, nil))
		requireOnly(t, err, kms.ErrThrottled)
		require.EqualValues(t, 1, d.calls.Load())
	})
}

// TestNegativePause: it counts as none, and the random part stays.
func TestNegativePause(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var most time.Duration
		for range 100 {
			all := gaps(t, &kms.Options{Attempts: 2}, throttled(-time.Hour))
			require.Len(t, all, 1)
			require.Less(t, all[0], 100*time.Millisecond)
			most = max(most, all[0])
		}
		require.Greater(t, most, 50*time.Millisecond)
	})
}

// undated hides its deadline, as a context of another make may.
type undated struct{ context.Context }

func (undated) Deadline() (time.Time, bool) { return time.Time{}, false }

func TestEndInAPause(t *testing.T) {
	for _, class := range []error{kms.ErrThrottled, kms.ErrUnavailable} {
		for name, tc := range map[string]struct {
			limit func(context.Context) (context.Context, context.CancelFunc)
			want  error // besides the context's
			ends  error
		}{
			"cancel": {func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Second, cancel)
				return ctx, cancel
			}, nil, context.Canceled},
			"cancel with a cause": {func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancelCause(ctx)
				time.AfterFunc(time.Second, func() { cancel(io.ErrClosedPipe) })
				return ctx, func() { cancel(nil) }
			}, nil, context.Canceled},
			// A call that ran out of time is unavailable, says the package.
			"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithTimeout(ctx, time.Second)
				return undated{ctx}, cancel
			}, kms.ErrUnavailable, context.DeadlineExceeded},
		} {
			t.Run(name+"/"+class.Error(), func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					d := fails(&kms.Error{Retryable: true, RetryAfter: 5 * time.Second, Err: class})
					ctx, cancel := tc.limit(t.Context())
					defer cancel()
					start := time.Now()
					err := operations["unwrap"](ctx, keyWith(t, d, nil))
					require.Equal(t, time.Second, time.Since(start))
					require.EqualValues(t, 1, d.calls.Load())
					require.ErrorIs(t, err, tc.ends)
					requireOnly(t, err, tc.want)
				})
			})
		}
	}
}

// TestThrottledInTheLastMoment: the driver says so as the time runs out. That is one class, not two.
func TestThrottledInTheLastMoment(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newActor(func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return kms.ErrThrottled
		})
		err := operations["unwrap"](t.Context(), keyWith(t, d, nil))
		require.NotEqual(t, errors.Is(err, kms.ErrThrottled), errors.Is(err, kms.ErrUnavailable), "%v", err)
	})
}

// TestDriversOwnRetries: a driver may try again with the library that a Key uses, too. What that library's errors tell is not for the Key.
func TestDriversOwnRetries(t *testing.T) {
	for name, said := range map[string]error{
		"permanent":       fmt.Errorf("%w: %w", kms.ErrUnavailable, backoff.Permanent(io.ErrUnexpectedEOF)),
		"permanent, nil":  fmt.Errorf("%w: %w", kms.ErrUnavailable, &backoff.PermanentError{}),
		"retry after 8 s": fmt.Errorf("%w: %w", kms.ErrThrottled, backoff.RetryAfter(8)),
		"retry at once":   fmt.Errorf("%w: %w", kms.ErrThrottled, &backoff.RetryAfterError{Duration: -1}),
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				d := fails(said)
				var most time.Duration
				for range 30 {
					k := keyWith(t, d, nil)
					start := time.Now()
					got, err := k.Unwrap(t.Context(), kms.Wrapped{Ref: d.ref, Blob: []byte{1}}, nil)
					require.Error(t, err, "a failure is no success")
					require.Nil(t, got)
					most = max(most, time.Since(start))
				}
				require.EqualValues(t, 90, d.calls.Load())
				require.Less(t, most, 300*time.Millisecond)
				require.Greater(t, most, 50*time.Millisecond)
			})
		})
	}
}
