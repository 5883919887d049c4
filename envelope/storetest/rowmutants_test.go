package storetest

import (
	"context"
	"sync"

	"github.com/holdfast-go/holdfast/envelope"
)

// eachRow has Get and List change the rows that they return.
func (b *broken) eachRow(change func(*envelope.Row)) {
	b.get = func(ctx context.Context, key string) (envelope.Row, error) {
		r, err := b.client.Get(ctx, key)
		if err == nil {
			change(&r)
		}
		return r, err
	}
	b.list = func(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
		rows, err := b.client.List(ctx, prefix, after, limit)
		for i := range rows {
			change(&rows[i])
		}
		return rows, err
	}
}

// eachChange has Apply see other changes than it was given. now is what the row is.
func (b *broken) eachChange(change func(c *envelope.Change, now envelope.Row)) {
	b.apply = func(ctx context.Context, changes []envelope.Change) error {
		changes = append([]envelope.Change{}, changes...)
		for i := range changes {
			now, err := b.rows.Get(context.Background(), changes[i].Key)
			if err == nil {
				change(&changes[i], now)
			}
		}
		return b.client.Apply(ctx, changes...)
	}
}

// remember has Get and List return rows as they were when they were first read.
func (b *broken) remember() {
	var mu sync.Mutex
	first := map[string]envelope.Row{}
	b.eachRow(func(r *envelope.Row) {
		mu.Lock()
		defer mu.Unlock()
		if was, ok := first[r.Key]; ok {
			*r = was
		} else if r.Revision != 0 {
			first[r.Key] = *r
		}
	})
}

func rowMutants() []mutant {
	return []mutant{
		{"invents rows", "no row", func(b *broken, _ *Harness) {
			b.get = func(ctx context.Context, key string) (envelope.Row, error) {
				r, err := b.client.Get(ctx, key)
				r.Revision = max(r.Revision, 1)
				return r, err
			}
		}},
		{"finds a neighbour", "no row", func(b *broken, _ *Harness) {
			b.get = func(ctx context.Context, key string) (envelope.Row, error) {
				r, err := b.client.Get(ctx, key)
				if rows, _ := b.client.List(ctx, "", key, 1); err == nil && r.Revision == 0 && len(rows) == 1 {
					r.Revision = rows[0].Revision
				}
				return r, err
			}
		}},
		{"drops the last change", "create", func(b *broken, _ *Harness) {
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				return b.client.Apply(ctx, changes[:max(1, len(changes)-1)]...)
			}
		}},
		{"keeps the end of a longer value", "overwrite", func(b *broken, _ *Harness) {
			b.eachChange(func(c *envelope.Change, now envelope.Row) {
				if len(now.Value) > len(c.Value) {
					c.Value = append(append([]byte{}, c.Value...), now.Value[len(c.Value):]...)
				}
			})
		}},
		{"lists old values", "overwrite", func(b *broken, _ *Harness) {
			b.remember()
			b.get = nil
		}},
		{"caches what it has read", "tombstone", func(b *broken, _ *Harness) { b.remember() }},
		{"brings the old value back", "tombstone", func(b *broken, _ *Harness) {
			b.eachChange(func(c *envelope.Change, now envelope.Row) {
				if c.Revision < now.Revision && len(c.Value) > len(now.Value) {
					c.Revision = now.Revision
				}
			})
		}},
		{"creates over what there is", "create what exists", func(b *broken, _ *Harness) {
			b.eachChange(func(c *envelope.Change, now envelope.Row) {
				if c.Revision == 0 {
					c.Revision = now.Revision
				}
			})
		}},
		{"takes later revisions", "wrong revision", func(b *broken, _ *Harness) {
			b.eachChange(func(c *envelope.Change, now envelope.Row) {
				if c.Revision > now.Revision {
					c.Revision = now.Revision
				}
			})
		}},
		{"looks at 32 bits of a revision", "wrong revision", func(b *broken, _ *Harness) {
			b.eachChange(func(c *envelope.Change, _ envelope.Row) { c.Revision &= 1<<32 - 1 })
		}},
		{"writes rows that are gone", "wrong revision", func(b *broken, _ *Harness) {
			b.eachChange(func(c *envelope.Change, now envelope.Row) {
				if now.Revision == 0 {
					c.Revision = 0
				}
			})
		}},
		{"repeats revisions", "revisions differ", func(b *broken, _ *Harness) {
			few := func(revision uint64) uint64 { return 1 + revision%7 }
			b.eachRow(func(r *envelope.Row) {
				if r.Revision != 0 {
					r.Revision = few(r.Revision)
				}
			})
			b.eachChange(func(c *envelope.Change, now envelope.Row) {
				if c.Revision != 0 && c.Revision == few(now.Revision) {
					c.Revision = now.Revision
				}
			})
		}},
		{"starts revisions anew", "revisions differ", func(b *broken, h *Harness) {
			h.Exclusive = true
			h.Reopen = func() envelope.Store {
				again := &broken{client: &client{server: b.server}}
				again.eachRow(func(r *envelope.Row) { r.Revision-- })
				return again
			}
		}},
	}
}
