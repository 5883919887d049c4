package kmstest

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/kms"
)

// ignoreBit has a driver take no notice of a bit of what it wraps.
func ignoreBit(b *broken) {
	b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
		w, err := b.fakeDriver.Wrap(ctx, p, ec)
		w.Blob = append(w.Blob, 0)
		return w, err
	}
	b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
		if n := len(w.Blob); n > 0 && w.Blob[n-1]&^1 == 0 {
			w.Blob = w.Blob[:n-1]
		}
		return b.fakeDriver.Unwrap(ctx, w, ec)
	}
}

// refusalMutants break what a driver refuses.
func refusalMutants() []mutant {
	return []mutant{
		{"ignores the context", "wrong context", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, _ kms.Context) (kms.Wrapped, error) {
				return b.fakeDriver.Wrap(ctx, p, nil)
			}
			b.unwrap = func(ctx context.Context, w kms.Wrapped, _ kms.Context) ([]byte, error) {
				return b.fakeDriver.Unwrap(ctx, w, nil)
			}
		}},
		{"binds the values only", "wrong context", func(b *broken, _ *Harness) {
			values := func(ec kms.Context) kms.Context {
				v := kms.Context{}
				for _, value := range ec {
					v["v"+value] = ""
				}
				return v
			}
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				return b.fakeDriver.Wrap(ctx, p, values(ec))
			}
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				return b.fakeDriver.Unwrap(ctx, w, values(ec))
			}
		}},
		{"reports a refusal as an outage", "wrong context", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				got, err := b.fakeDriver.Unwrap(ctx, w, ec)
				if err != nil {
					err = kms.ErrUnavailable
				}
				return got, err
			}
		}},
		{"invents errors", "wrong context", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				got, err := b.fakeDriver.Unwrap(ctx, w, ec)
				if err != nil {
					err = errors.New("something went wrong")
				}
				return got, err
			}
		}},
		{"returns bytes with an error", "wrong context", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				got, err := b.fakeDriver.Unwrap(ctx, w, ec)
				if err != nil {
					got = []byte("so far")
				}
				return got, err
			}
		}},
		{"shares its key", "wrong key", func(b *broken, h *Harness) {
			h.Other.(*fakeDriver).f.tickets = b.f.tickets
		}},
		{"ignores the ref", "foreign ref", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				w.Ref = b.Ref()
				return b.fakeDriver.Unwrap(ctx, w, ec)
			}
		}},
		{"asks the service about a foreign ref", "foreign ref", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				b.call(ctx, "unwrap", ec, func() error { return nil })
				return b.fakeDriver.Unwrap(ctx, w, ec)
			}
		}},
		{"ignores the version", "wrong version", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				w.Version = "1"
				return b.fakeDriver.Unwrap(ctx, w, ec)
			}
		}},
		{"ignores bytes behind the blob", "cut or extended blob", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				w.Blob = w.Blob[:min(len(w.Blob), 32)]
				return b.fakeDriver.Unwrap(ctx, w, ec)
			}
		}},
		{"accepts a blob without its last byte", "cut or extended blob", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				w, err := b.fakeDriver.Wrap(ctx, p, ec)
				w.Blob = append(w.Blob, 0)
				return w, err
			}
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				w.Blob = w.Blob[:min(len(w.Blob), 32)]
				return b.fakeDriver.Unwrap(ctx, w, ec)
			}
		}},
		{"ignores a bit", "flipped bits", func(b *broken, _ *Harness) { ignoreBit(b) }},
		{"wraps any size", "plaintext size", func(b *broken, _ *Harness) {
			b.wrap = func(_ context.Context, p []byte, _ kms.Context) (kms.Wrapped, error) {
				return b.f.wrap("1", p, nil), nil
			}
		}},
		{"wraps under any context", "invalid context", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				if _, err := ec.Canonical(); err != nil {
					ec = nil
				}
				return b.fakeDriver.Wrap(ctx, p, ec)
			}
		}},
		{"goes on after cancel", "cancelled call", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				return b.fakeDriver.Wrap(context.WithoutCancel(ctx), p, ec)
			}
		}},
		{"opens after cancel", "cancelled call", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				return b.fakeDriver.Unwrap(context.WithoutCancel(ctx), w, ec)
			}
		}},
		{"tries another key", "replayed blob", func(b *broken, h *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				got, err := b.fakeDriver.Unwrap(ctx, w, ec)
				if err != nil {
					w.Ref = h.Other.Ref()
					got, err = h.Other.Unwrap(ctx, w, ec)
				}
				return got, err
			}
		}},
		{"quotes the context", "errors hold no secrets", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				got, err := b.fakeDriver.Unwrap(ctx, w, ec)
				if err != nil {
					err = fmt.Errorf("%w: can't unwrap under %q", err, ec)
				}
				return got, err
			}
		}},
		{"quotes the plaintext", "errors hold no secrets", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				w, err := b.fakeDriver.Wrap(ctx, p, ec)
				if err != nil {
					err = fmt.Errorf("%w: can't wrap %x", err, p)
				}
				return w, err
			}
		}},
	}
}
