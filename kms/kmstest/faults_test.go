package kmstest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/kms"
)

// faultMutants break what a driver makes of a service that does not do its part.
func faultMutants() []mutant {
	says := func(err error) func(*broken, *Harness) {
		return func(b *broken, _ *Harness) { b.errorsOf(func(error) error { return err }) }
	}
	idle := func() func() { return func() {} }
	patient := func(h *Harness) { h.patience = 20 * time.Millisecond }
	return []mutant{
		{"calls a denial an outage", "access denied", says(kms.ErrUnavailable)},
		{"calls a denial a disabled key", "access denied", says(kms.ErrDisabled)},
		{"works when denied", "access denied", func(_ *broken, h *Harness) { h.Deny = idle }},
		{"stays denied", "access denied", func(b *broken, _ *Harness) { remember(b) }},

		{"calls throttling an outage", "throttled", says(kms.ErrUnavailable)},
		{"calls throttling a denial", "throttled", says(kms.ErrAccessDenied)},
		{"keeps the pause to itself", "throttled", says(kms.ErrThrottled)},
		{"forgets the pause", "throttled", says(&kms.Error{Err: kms.ErrThrottled, Retryable: true})},
		{"gives up when throttled", "throttled", says(&kms.Error{Err: kms.ErrThrottled, RetryAfter: 3 * time.Second})},
		{"makes up a pause", "throttled", func(b *broken, h *Harness) {
			throttle := h.Throttle
			h.Throttle = func() (time.Duration, func()) {
				_, undo := throttle()
				return 0, undo
			}
		}},
		{"stays throttled", "throttled", func(b *broken, _ *Harness) { remember(b) }},

		{"calls an outage a denial", "outage", says(kms.ErrAccessDenied)},
		{"calls an outage a disabled key", "outage", says(kms.ErrDisabled)},
		{"calls an outage both", "outage", says(fmt.Errorf("%w: %w", kms.ErrUnavailable, kms.ErrAccessDenied))},
		{"makes nothing of an outage", "outage", says(errors.New("connection refused"))},
		{"gives up in an outage", "outage", says(&kms.Error{Err: kms.ErrUnavailable})},
		{"shows what it was to wrap in an outage", "outage", says(fmt.Errorf("%w: %x", kms.ErrUnavailable, canary))},
		{"shows the context in an outage", "outage", says(fmt.Errorf("%w: %s", kms.ErrUnavailable, canaryValue))},
		{"works in an outage", "outage", func(_ *broken, h *Harness) { h.Outage = idle }},
		{"stays down", "outage", func(b *broken, _ *Harness) { remember(b) }},

		{"can't be cancelled", "cancelled in flight", func(b *broken, h *Harness) {
			patient(h)
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				return b.fakeDriver.Wrap(context.WithoutCancel(ctx), p, ec)
			}
		}},
		{"can't be cancelled while it unwraps", "cancelled in flight", func(b *broken, h *Harness) {
			patient(h)
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				return b.fakeDriver.Unwrap(context.WithoutCancel(ctx), w, ec)
			}
		}},
		{"calls a cancelled call an outage", "cancelled in flight", says(kms.ErrUnavailable)},
		{"calls a cancelled call a denial", "cancelled in flight", says(fmt.Errorf("%w: %w", kms.ErrAccessDenied, context.Canceled))},
		{"has no deadline", "deadline in flight", func(b *broken, h *Harness) {
			h.patience = 300 * time.Millisecond // beyond the deadline
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				return b.fakeDriver.Unwrap(context.WithoutCancel(ctx), w, ec)
			}
		}},
		{"hides the deadline", "deadline in flight", says(kms.ErrUnavailable)},
		{"calls a deadline a denial", "deadline in flight", says(fmt.Errorf("%w: %w", kms.ErrAccessDenied, context.DeadlineExceeded))},

		{"hangs in Close", "closed in flight", func(b *broken, h *Harness) {
			patient(h)
			b.close = func() error {
				b.fakeDriver.Close()
				<-b.over
				return nil
			}
		}},
		{"leaves a call behind", "closed in flight", func(b *broken, h *Harness) {
			patient(h)
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				w, err := b.fakeDriver.Wrap(ctx, p, ec)
				if err != nil {
					<-ctx.Done()
				}
				return w, err
			}
		}},
		{"calls a closed driver a destroyed key", "closed in flight", says(kms.ErrDestroyed)},
		{"gives nothing for a call in flight", "closed in flight", func(b *broken, _ *Harness) {
			b.errorsOf(func(error) error { return nil })
		}},
	}
}
