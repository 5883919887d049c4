package storetest

import (
	"context"

	"github.com/holdfast-go/holdfast/envelope"
)

func processMutants() []mutant {
	return []mutant{
		{"forgets everything", "reopened", func(_ *broken, h *Harness) {
			h.Reopen = func() envelope.Store { return &client{server: newServer()} }
		}},
		{"forgets the last row", "reopened", func(b *broken, h *Harness) {
			h.Reopen = func() envelope.Store {
				again := &broken{client: &client{server: b.server}}
				again.selects(func(key, prefix, after string) bool { return accepts(key, prefix, after) && key != "rows/9" }, func(x, y string) int { return 0 })
				return again
			}
		}},
		{"keeps what failed", "reopened", func(b *broken, h *Harness) {
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				err := b.client.Apply(ctx, changes...)
				if err != nil {
					h.Store = &client{server: b.server}
					b.rows.Apply(ctx, changes[len(changes)-1])
				}
				return err
			}
			b.list = func(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
				rows, err := b.client.List(ctx, prefix, after, limit)
				if len(rows) > 0 && rows[0].Key == "abandoned" {
					rows = rows[1:]
				}
				return rows, err
			}
		}},
		{"caches for itself", "another client", func(b *broken, _ *Harness) { b.remember() }},
		{"reads what others have not written", "another client", func(b *broken, h *Harness) {
			h.Reopen = func() envelope.Store { return &client{server: newServer()} }
		}},
		{"closes for all", "another client", func(b *broken, h *Harness) {
			h.Reopen = func() envelope.Store { return b.client }
		}},
		{"finds nothing in an outage", "outage", func(b *broken, _ *Harness) {
			b.get = func(ctx context.Context, key string) (envelope.Row, error) {
				if b.down.Load() {
					return envelope.Row{}, nil
				}
				return b.client.Get(ctx, key)
			}
		}},
		{"calls an outage a conflict", "outage", func(b *broken, _ *Harness) {
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				if b.down.Load() {
					return envelope.ErrConflict
				}
				return b.client.Apply(ctx, changes...)
			}
		}},
		{"does not come back", "outage", func(b *broken, h *Harness) {
			outage := h.Outage
			h.Outage = func() (undo func()) {
				outage()
				return func() {}
			}
		}},
		{"writes later what failed", "outage", func(b *broken, h *Harness) {
			outage := h.Outage
			h.Outage = func() func() {
				undo := outage()
				return func() {
					undo()
					b.client.Apply(context.Background(), created("new", ""))
				}
			}
		}},
		{"leaves half an Apply", "crash", func(_ *broken, h *Harness) {
			h.Crash = crashesAfter(newServer(), func(c *client, changes []envelope.Change) error {
				c.Apply(context.Background(), changes[:len(changes)/2]...)
				return errKilled
			})
		}},
		{"leaves the end of an Apply", "crash", func(_ *broken, h *Harness) {
			h.Crash = crashesAfter(newServer(), func(c *client, changes []envelope.Change) error {
				c.Apply(context.Background(), changes[1:]...)
				return errKilled
			})
		}},
		{"loses what it acknowledged", "crash", func(_ *broken, h *Harness) {
			crash := h.Crash
			h.Crash = func() (int, envelope.Store) {
				last, after := crash()
				return last + 1, after
			}
		}},
		{"comes back empty", "crash", func(_ *broken, h *Harness) {
			crash := h.Crash
			h.Crash = func() (int, envelope.Store) {
				last, _ := crash()
				return last, &client{server: newServer()}
			}
		}},
	}
}
