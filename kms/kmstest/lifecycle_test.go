package kmstest

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/kms"
)

// remember has a driver repeat its first error for ever.
func remember(b *broken) {
	var first error
	b.errorsOf(func(err error) error {
		if first == nil {
			first = err
		}
		return first
	})
	wrap, unwrap := b.wrap, b.unwrap
	b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
		if first != nil {
			return kms.Wrapped{}, first
		}
		return wrap(ctx, p, ec)
	}
	b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
		if first != nil {
			return nil, first
		}
		return unwrap(ctx, w, ec)
	}
}

// lifecycleMutants break what a driver makes of changes of its key, and of Close.
func lifecycleMutants() []mutant {
	return []mutant{
		{"closes once only", "closed driver", func(b *broken, _ *Harness) {
			b.close = func() error {
				if b.isClosed() {
					return kms.ErrClosed
				}
				return b.fakeDriver.Close()
			}
		}},
		{"works after Close", "closed driver", func(b *broken, _ *Harness) {
			b.close = func() error { return nil }
		}},
		{"calls a disabled key unavailable", "disabled key", func(b *broken, h *Harness) {
			b.errorsOf(func(error) error { return kms.ErrUnavailable })
		}},
		{"works when disabled", "disabled key", func(_ *broken, h *Harness) {
			h.Disable = func(context.Context) error { return nil }
		}},
		{"says two things of a disabled key", "disabled key", func(b *broken, h *Harness) {
			b.errorsOf(func(err error) error { return fmt.Errorf("%w: %w", kms.ErrUnavailable, err) })
		}},
		{"stays disabled", "enabled again", func(b *broken, _ *Harness) { remember(b) }},
		{"works when destroyed", "destroyed key", func(_ *broken, h *Harness) {
			h.Destroy = func(context.Context) error { return nil }
		}},
		{"calls a destroyed key disabled", "destroyed key", func(b *broken, h *Harness) {
			h.Destroy = becomes(b.f, kms.Disabled)
		}},
		{"takes a scheduled destruction for done", "destruction cancelled", func(b *broken, _ *Harness) {
			b.errorsOf(func(error) error { return kms.ErrDestroyed })
		}},
		{"stays pending", "destruction cancelled", func(b *broken, _ *Harness) { remember(b) }},
		{"loses old versions", "rotation", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				if w.Version != b.CurrentVersion() {
					return nil, kms.ErrNotFound
				}
				return b.fakeDriver.Unwrap(ctx, w, ec)
			}
		}},
		{"ignores the rotation", "rotation", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				ad, _ := ec.Canonical()
				return b.f.wrap("1", p, ad), nil
			}
		}},
		{"knows of two versions", "rotation in use", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				if w.Version != "1" && w.Version != "2" {
					return nil, kms.ErrNotFound
				}
				return b.fakeDriver.Unwrap(ctx, w, ec)
			}
		}},
		{"closes without a word", "closed in use", func(b *broken, _ *Harness) {
			b.close = func() error { return nil }
		}},
		{"clears its keys under callers", "closed in use", func(b *broken, _ *Harness) {
			b.errorsOf(func(error) error { return kms.ErrCiphertext })
		}},
		{"opens to zeros while it closes", "closed in use", func(b *broken, _ *Harness) {
			var closing atomic.Bool
			b.close = func() error {
				closing.Store(true)
				return nil
			}
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				got, err := b.fakeDriver.Unwrap(ctx, w, ec)
				if closing.Load() {
					clear(got)
				}
				return got, err
			}
		}},
		{"knows no version but its own", "another process", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				if w.Version > b.CurrentVersion() {
					return nil, kms.ErrNotFound
				}
				return b.fakeDriver.Unwrap(ctx, w, ec)
			}
		}},
		{"opens another key", "another process", func(_ *broken, h *Harness) {
			h.Reopen = NewFake("key-3").Driver
		}},
		{"closes for all", "another process", func(b *broken, h *Harness) {
			h.Reopen = func() kms.Driver { return b }
		}},
		{"is closed with another", "another process", func(b *broken, h *Harness) {
			one := b.f.Driver()
			h.Reopen = func() kms.Driver { return one }
		}},
		{"follows its alias", "moved alias", func(b *broken, h *Harness) {
			moved := false
			h.MoveAlias = func(context.Context) error {
				moved = true
				return nil
			}
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				if moved {
					return h.Other.Wrap(ctx, p, ec)
				}
				return b.fakeDriver.Wrap(ctx, p, ec)
			}
		}},
		{"follows its alias and says it does not", "moved alias", func(b *broken, h *Harness) {
			moved := false
			h.MoveAlias = func(context.Context) error {
				moved = true
				return nil
			}
			alias := func(w kms.Wrapped, err error) (kms.Wrapped, error) {
				w.Ref = b.Ref()
				return w, err
			}
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				if moved {
					return alias(h.Other.Wrap(ctx, p, ec))
				}
				return b.fakeDriver.Wrap(ctx, p, ec)
			}
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				got, err := b.fakeDriver.Unwrap(ctx, w, ec)
				if err != nil {
					w.Ref = h.Other.Ref()
					got, err = h.Other.Unwrap(ctx, w, ec)
				}
				return got, err
			}
		}},
	}
}
