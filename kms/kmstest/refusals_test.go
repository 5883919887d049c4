package kmstest

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

// refusalMutants break what a driver refuses, and its life cycle.
func refusalMutants() []mutant {
	return []mutant{
		{"ignores the context", "wrong context", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, _ kms.Context) (kms.Wrapped, error) {
				return b.model.Wrap(ctx, p, nil)
			}
			b.unwrap = func(ctx context.Context, w kms.Wrapped, _ kms.Context) ([]byte, error) {
				return b.model.Unwrap(ctx, w, nil)
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
				return b.model.Wrap(ctx, p, values(ec))
			}
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				return b.model.Unwrap(ctx, w, values(ec))
			}
		}},
		{"reports a refusal as an outage", "wrong context", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				got, err := b.model.Unwrap(ctx, w, ec)
				if err != nil {
					err = kms.ErrUnavailable
				}
				return got, err
			}
		}},
		{"invents errors", "wrong context", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				got, err := b.model.Unwrap(ctx, w, ec)
				if err != nil {
					err = errors.New("something went wrong")
				}
				return got, err
			}
		}},
		{"returns bytes with an error", "wrong context", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				got, err := b.model.Unwrap(ctx, w, ec)
				if err != nil {
					got = []byte("so far")
				}
				return got, err
			}
		}},
		{"shares its key", "wrong key", func(b *broken, h *Harness) {
			h.Other.(*model).keys = b.keys
		}},
		{"ignores the ref", "foreign ref", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				w.Ref = b.Ref()
				return b.model.Unwrap(ctx, w, ec)
			}
		}},
		{"asks the service about a foreign ref", "foreign ref", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				b.calls.Add(1)
				return b.model.Unwrap(ctx, w, ec)
			}
		}},
		{"ignores the version", "wrong version", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				w.Version = "1"
				return b.model.Unwrap(ctx, w, ec)
			}
		}},
		{"ignores bytes behind the blob", "cut or extended blob", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				w.Blob = w.Blob[:min(len(w.Blob), 32+aead.Overhead)]
				return b.model.Unwrap(ctx, w, ec)
			}
		}},
		{"accepts a blob without its last byte", "cut or extended blob", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				w, err := b.model.Wrap(ctx, p, ec)
				w.Blob = append(w.Blob, 0)
				return w, err
			}
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				w.Blob = w.Blob[:min(len(w.Blob), 32+aead.Overhead)]
				return b.model.Unwrap(ctx, w, ec)
			}
		}},
		{"ignores a bit", "flipped bits", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				w, err := b.model.Wrap(ctx, p, ec)
				w.Blob = append(w.Blob, 0)
				return w, err
			}
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				if n := len(w.Blob); n > 0 && w.Blob[n-1]&^1 == 0 {
					w.Blob = w.Blob[:n-1]
				}
				return b.model.Unwrap(ctx, w, ec)
			}
		}},
		{"wraps any size", "plaintext size", func(b *broken, _ *Harness) {
			b.wrap = func(_ context.Context, p []byte, _ kms.Context) (kms.Wrapped, error) {
				return kms.Wrapped{Ref: b.Ref(), Version: "1", Blob: b.keys[0].Seal(nil, p, nil)}, nil
			}
		}},
		{"wraps under any context", "invalid context", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				if _, err := ec.Canonical(); err != nil {
					ec = nil
				}
				return b.model.Wrap(ctx, p, ec)
			}
		}},
		{"goes on after cancel", "cancelled call", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				return b.model.Wrap(context.WithoutCancel(ctx), p, ec)
			}
		}},
		{"opens after cancel", "cancelled call", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				return b.model.Unwrap(context.WithoutCancel(ctx), w, ec)
			}
		}},
		{"quotes the plaintext", "errors hold no plaintext", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				w, err := b.model.Wrap(ctx, p, ec)
				if err != nil {
					err = fmt.Errorf("%w: can't wrap %x", err, p)
				}
				return w, err
			}
		}},
		{"closes once only", "closed driver", func(b *broken, _ *Harness) {
			b.close = func() error {
				if b.closed {
					return kms.ErrClosed
				}
				return b.model.Close()
			}
		}},
		{"works after Close", "closed driver", func(b *broken, _ *Harness) {
			b.close = func() error { return nil }
		}},
		{"calls a disabled key unavailable", "disabled key", func(b *broken, h *Harness) {
			h.Disable = func(context.Context) error { return b.set(kms.ErrUnavailable) }
		}},
		{"works when disabled", "disabled key", func(_ *broken, h *Harness) {
			h.Disable = func(context.Context) error { return nil }
		}},
		{"works when destroyed", "destroyed key", func(_ *broken, h *Harness) {
			h.Destroy = func(context.Context) error { return nil }
		}},
		{"calls a destroyed key disabled", "destroyed key", func(b *broken, h *Harness) {
			h.Destroy = func(context.Context) error { return b.set(kms.ErrDisabled) }
		}},
		{"loses old versions", "rotation", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				if w.Version != b.CurrentVersion() {
					return nil, kms.ErrNotFound
				}
				return b.model.Unwrap(ctx, w, ec)
			}
		}},
		{"ignores the rotation", "rotation", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				ad, _ := ec.Canonical()
				return kms.Wrapped{Ref: b.Ref(), Version: "1", Blob: b.keys[0].Seal(nil, p, ad)}, nil
			}
		}},
	}
}
