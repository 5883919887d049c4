package storetest

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/envelope"
)

// deaf has methods not hear that their context ends.
func deaf(b *broken, _ *Harness) {
	b.get = func(ctx context.Context, key string) (envelope.Row, error) {
		return b.client.Get(context.WithoutCancel(ctx), key)
	}
	b.list = func(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
		return b.client.List(context.WithoutCancel(ctx), prefix, after, limit)
	}
	b.apply = func(ctx context.Context, changes []envelope.Change) error {
		return b.client.Apply(context.WithoutCancel(ctx), changes...)
	}
}

func lifecycleMutants() []mutant {
	return []mutant{
		{"reads for nobody", "cancelled call", func(b *broken, h *Harness) {
			deaf(b, h)
			b.apply = nil
		}},
		{"writes for nobody", "cancelled call", func(b *broken, h *Harness) {
			deaf(b, h)
			b.get, b.list = nil, nil
		}},
		{"writes and says that it did not", "cancelled call", func(b *broken, _ *Harness) {
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				if err := b.client.Apply(context.WithoutCancel(ctx), changes...); err != nil {
					return err
				}
				return ctx.Err()
			}
		}},
		{"calls a cancelled call an outage", "cancelled call", func(b *broken, _ *Harness) {
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				err := b.client.Apply(ctx, changes...)
				if ctx.Err() != nil {
					err = fmt.Errorf("%w: %w", envelope.ErrUnavailable, err)
				}
				return err
			}
		}},
		{"forgets whose context it was", "cancelled call", func(b *broken, _ *Harness) {
			b.list = func(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
				rows, err := b.client.List(ctx, prefix, after, limit)
				if ctx.Err() != nil {
					err = context.Canceled
				}
				return rows, err
			}
		}},
		{"stops in the middle", "cancelled at any time", func(b *broken, _ *Harness) {
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				if ctx.Err() != nil {
					b.client.Apply(context.Background(), changes[:len(changes)/2]...)
				}
				return b.client.Apply(ctx, changes...)
			}
		}},
		{"says too early that it is done", "cancelled at any time", func(b *broken, _ *Harness) {
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				if ctx.Err() != nil {
					return nil
				}
				return b.client.Apply(ctx, changes...)
			}
		}},
		{"waits for ever", "cancelled while held", func(b *broken, h *Harness) {
			deaf(b, h)
			h.patience = 20 * time.Millisecond
		}},
		{"gives up before its context", "cancelled while held", func(b *broken, _ *Harness) {
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				if b.rowsHeld() {
					return envelope.ErrConflict
				}
				return b.client.Apply(ctx, changes...)
			}
		}},
		{"does not wait", "cancelled while held", func(b *broken, _ *Harness) {
			b.apply = func(ctx context.Context, changes []envelope.Change) error { return b.rows.Apply(ctx, changes...) }
		}},
		{"works after Close", "closed store", func(b *broken, _ *Harness) { b.close = func() error { return nil } }},
		{"reads after Close", "closed store", func(b *broken, _ *Harness) {
			b.get = func(ctx context.Context, key string) (envelope.Row, error) { return b.rows.Get(ctx, key) }
		}},
		{"closes once only", "closed store", func(b *broken, _ *Harness) {
			b.close = func() error {
				if b.closed {
					return envelope.ErrClosed
				}
				return b.client.Close()
			}
		}},
		{"calls Close an outage", "closed store", func(b *broken, h *Harness) {
			b.close = func() error {
				b.down.Store(true)
				return nil
			}
		}},
		{"closes for nobody", "closed in use", func(b *broken, h *Harness) { b.close = func() error { return nil } }},
		{"has calls fail in Close", "closed in use", func(b *broken, h *Harness) {
			b.close = func() error {
				b.down.Store(true)
				return nil
			}
		}},
		{"writes after Close has returned", "closed in use", func(b *broken, h *Harness) {
			var listed atomic.Bool
			b.get = func(ctx context.Context, key string) (envelope.Row, error) {
				r, err := b.client.Get(ctx, key)
				if err != nil {
					for !listed.Load() { // by the other client
						time.Sleep(time.Millisecond)
					}
					b.rows.Apply(ctx, created("late "+key, ""))
				}
				return r, err
			}
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				if err := b.client.Apply(ctx, changes...); err != nil {
					_, err = b.get(ctx, changes[0].Key)
					return err
				}
				return nil
			}
			b.list = func(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
				rows, err := b.client.List(ctx, prefix, after, limit)
				if err != nil {
					_, err = b.get(ctx, prefix)
				}
				return rows, err
			}
			h.Reopen = func() envelope.Store {
				again := &broken{client: &client{server: b.server}}
				again.list = func(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
					rows, err := again.client.List(ctx, prefix, after, limit)
					if len(rows) < limit {
						listed.Store(true)
					}
					return rows, err
				}
				return again
			}
		}},
	}
}

// rowsHeld says whether somebody holds the rows.
func (b *broken) rowsHeld() bool { return len(b.turn) > 0 }
