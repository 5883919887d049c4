package kms_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// TestRetryableAfterAnOutage: a caller may repeat what changes nothing. A Rotate or Destroy may have come through, whatever the driver says.
func TestRetryableAfterAnOutage(t *testing.T) {
	for name, does := range map[string]act{
		"unavailable":     func(context.Context, int) error { return kms.ErrUnavailable },
		"throttled":       func(context.Context, int) error { return throttled(0) },
		"foreign":         func(context.Context, int) error { return context.DeadlineExceeded },
		"hangs":           func(ctx context.Context, _ int) error { return hang(ctx) },
		"deaf":            func(context.Context, int) error { time.Sleep(time.Minute); return nil },
		"says so, late":   func(ctx context.Context, _ int) error { <-ctx.Done(); return throttled(0) },
		"says to, itself": func(context.Context, int) error { return &kms.Error{Retryable: true, Err: kms.ErrUnavailable} },
	} {
		for op, call := range operations {
			t.Run(name+"/"+op, func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					a := newActor(does)
					err := call(t.Context(), keyWith(t, a, nil))
					var e *kms.Error
					require.ErrorAs(t, err, &e)
					require.Equal(t, op != "rotate" && op != "destroy", e.Retryable)
					time.Sleep(time.Minute)
				})
			})
		}
	}
}

// TestRefusalIsFinal: it is neither to be repeated nor late, though the driver says so.
func TestRefusalIsFinal(t *testing.T) {
	for _, class := range classes {
		if class == kms.ErrUnavailable || class == kms.ErrThrottled {
			continue
		}
		for name, said := range map[string]error{
			"says to":         &kms.Error{Retryable: true, RetryAfter: time.Second, Err: class},
			"says to, around": fmt.Errorf("around: %w", &kms.Error{Retryable: true, RetryAfter: time.Second, Err: class}),
			"late":            fmt.Errorf("%w: %w", class, context.DeadlineExceeded),
			"both":            &kms.Error{Retryable: true, RetryAfter: time.Second, Err: fmt.Errorf("%w: %w", context.DeadlineExceeded, class)},
			"and cancelled":   fmt.Errorf("%w: %w: %w", class, context.DeadlineExceeded, context.Canceled),
		} {
			t.Run(class.Error()+"/"+name, func(t *testing.T) {
				for op, call := range operations {
					err := call(t.Context(), keyWith(t, fails(said), nil))
					requireOnly(t, err, class)
					require.NotErrorIs(t, err, context.DeadlineExceeded)
					require.NotErrorIs(t, err, context.Canceled)
					var e *kms.Error
					require.ErrorAs(t, err, &e)
					require.Equal(t, []any{false, time.Duration(0)}, []any{e.Retryable, e.RetryAfter}, op)
				}
			})
		}
	}
}
