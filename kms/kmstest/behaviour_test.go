package kmstest

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/kms"
)

// behaviourMutants break what a driver does when all is well.
func behaviourMutants() []mutant {
	fixed := make([]byte, 0, 128)
	return []mutant{
		{"zeros the result", "round trip", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				got, err := b.fakeDriver.Unwrap(ctx, w, ec)
				clear(got)
				return got, err
			}
		}},
		{"refuses reserved keys", "round trip", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				if _, ok := ec["holdfast:purpose"]; ok {
					return kms.Wrapped{}, kms.ErrInvalid
				}
				return b.fakeDriver.Wrap(ctx, p, ec)
			}
		}},
		{"reports another ref", "names its key", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				w, err := b.fakeDriver.Wrap(ctx, p, ec)
				w.KeyID = "alias/key-1"
				return w, err
			}
		}},
		{"reports another version", "names its key", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				w, err := b.fakeDriver.Wrap(ctx, p, ec)
				w.Version += "0"
				return w, err
			}
		}},
		{"is deterministic", "wraps differ", func(b *broken, _ *Harness) {
			seen := map[string]kms.Wrapped{}
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				if w, ok := seen[string(p)]; ok {
					return w, nil
				}
				w, err := b.fakeDriver.Wrap(ctx, p, ec)
				seen[string(p)] = w
				return w, err
			}
		}},
		{"clears the plaintext", "arguments stay as they are", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				defer clear(p)
				return b.fakeDriver.Wrap(ctx, p, ec)
			}
		}},
		{"writes behind the plaintext", "arguments stay as they are", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				_ = append(p, "x"...)
				return b.fakeDriver.Wrap(ctx, p, ec)
			}
		}},
		{"adds to the context", "arguments stay as they are", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				defer func() { ec["driver"] = "me" }()
				return b.fakeDriver.Wrap(ctx, p, ec)
			}
		}},
		{"opens in place", "arguments stay as they are", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				got, err := b.fakeDriver.Unwrap(ctx, w, ec)
				copy(w.Blob, got)
				return got, err
			}
		}},
		{"reuses its buffer", "results are the caller's", func(b *broken, _ *Harness) {
			b.wrap = func(ctx context.Context, p []byte, ec kms.Context) (kms.Wrapped, error) {
				w, err := b.fakeDriver.Wrap(ctx, p, ec)
				w.Blob = append(fixed, w.Blob...)
				return w, err
			}
		}},
		{"caches what it opened", "results are the caller's", func(b *broken, _ *Harness) {
			cache := map[string][]byte{}
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				if got, ok := cache[string(w.Blob)]; ok {
					return got, nil
				}
				got, err := b.fakeDriver.Unwrap(ctx, w, ec)
				cache[string(w.Blob)] = got
				return got, err
			}
		}},
		{"returns a part of the blob", "results are the caller's", func(b *broken, _ *Harness) {
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				got, err := b.fakeDriver.Unwrap(ctx, w, ec)
				return w.Blob[:copy(w.Blob, got)], err
			}
		}},
		{"mixes callers up", "concurrent calls", func(b *broken, _ *Harness) {
			var last atomic.Pointer[[]byte]
			var gate sync.WaitGroup
			gate.Add(2) // two callers meet, and one gets the other's
			var n atomic.Int64
			b.unwrap = func(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
				got, err := b.fakeDriver.Unwrap(ctx, w, ec)
				if n.Add(1) <= 2 {
					last.Store(&got)
					gate.Done()
					gate.Wait()
					return *last.Load(), err
				}
				return got, err
			}
		}},
	}
}
