package storetest

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/envelope"
)

// oneByOne has Apply make the changes before the one that fails.
func oneByOne(b *broken, _ *Harness) {
	b.apply = func(ctx context.Context, changes []envelope.Change) error {
		for _, c := range changes {
			if err := b.client.Apply(ctx, c); err != nil {
				return err
			}
		}
		return nil
	}
}

// ignoreChecks has Apply make the other changes only.
func ignoreChecks(b *broken, _ *Harness) {
	b.apply = func(ctx context.Context, changes []envelope.Change) error {
		var writes []envelope.Change
		for _, c := range changes {
			if !c.Check {
				writes = append(writes, c)
			}
		}
		if len(writes) == 0 {
			return nil
		}
		return b.client.Apply(ctx, writes...)
	}
}

// checksWrite has a Check write the row as it is.
func checksWrite(b *broken, _ *Harness) {
	b.eachChange(func(c *envelope.Change, now envelope.Row) {
		if c.Check {
			c.Check, c.Value = false, now.Value
		}
	})
}

func changeMutants() []mutant {
	return []mutant{
		{"writes what it shall check", "check", func(b *broken, _ *Harness) {
			b.eachChange(func(c *envelope.Change, _ envelope.Row) { c.Check = c.Check && len(c.Value) == 0 })
		}},
		{"writes when it checks", "check", checksWrite},
		{"ignores checks", "failed check", ignoreChecks},
		{"checks for any row", "failed check", func(b *broken, _ *Harness) {
			b.eachChange(func(c *envelope.Change, now envelope.Row) {
				if c.Check && now.Revision != 0 {
					c.Revision = now.Revision
				}
			})
		}},
		{"checks last", "failed check", func(b *broken, h *Harness) {
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				for _, checks := range []bool{false, true} {
					for _, c := range changes {
						if c.Check == checks {
							if err := b.client.Apply(ctx, c); err != nil {
								return err
							}
						}
					}
				}
				return nil
			}
		}},
		{"makes changes one by one", "all or nothing", oneByOne},
		{"makes large Applies in parts", "largest apply", func(b *broken, _ *Harness) {
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				if len(changes) <= 100 {
					return b.client.Apply(ctx, changes...)
				}
				if err := b.client.Apply(ctx, changes[:100]...); err != nil {
					return err
				}
				return b.client.Apply(ctx, changes[100:]...)
			}
		}},
		{"drops what is over a size", "largest apply", func(b *broken, _ *Harness) {
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				return b.client.Apply(ctx, changes[:min(len(changes), 100)]...)
			}
		}},
		{"gives an id to the last who asks", "duplicate id", func(b *broken, _ *Harness) {
			b.eachChange(func(c *envelope.Change, now envelope.Row) {
				if strings.HasPrefix(c.Key, "id/") {
					c.Revision = now.Revision
				}
			})
		}},
		{"writes the key before its id", "duplicate id", oneByOne},
		{"loses writes", "compare and swap", func(b *broken, _ *Harness) {
			var n atomic.Int64
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				if n.Add(1)%10 == 0 {
					return nil
				}
				return b.client.Apply(ctx, changes...)
			}
		}},
		{"lets the last writer win", "compare and swap", func(b *broken, h *Harness) {
			h.Reopen = nil
			var readers atomic.Int64
			all := make(chan struct{})
			b.get = func(ctx context.Context, key string) (envelope.Row, error) {
				r, err := b.client.Get(ctx, key)
				n := readers.Add(1)
				if n == 1+writers { // the first one is put
					close(all)
				}
				if n > 1 {
					<-all
				}
				return r, err
			}
			b.eachChange(func(c *envelope.Change, now envelope.Row) { c.Revision = now.Revision })
		}},
		{"lets nobody share a check", "shared check", checksWrite},
		{"lets both pass", "write skew", ignoreChecks},
		{"lets none pass", "write skew", func(b *broken, h *Harness) {
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				for _, c := range changes {
					if c.Check {
						return envelope.ErrConflict
					}
				}
				return b.client.Apply(ctx, changes...)
			}
			h.Reopen = nil
		}},
		{"shows changes one by one", "list is one view", func(b *broken, _ *Harness) {
			b.eachRow(func(r *envelope.Row) {
				if n, err := strconv.Atoi(string(r.Value)); err == nil && n > 0 && strings.HasSuffix(r.Key, "/7") {
					r.Value = []byte(strconv.Itoa(n - 1))
				}
			})
		}},
		{"shows what was", "list is one view", func(b *broken, _ *Harness) {
			b.remember()
		}},
		{"shows a part", "list is one view", func(b *broken, _ *Harness) {
			var n atomic.Int64
			b.list = func(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
				rows, err := b.client.List(ctx, prefix, after, limit)
				if n.Add(1)%10 == 0 && len(rows) > 0 {
					rows = rows[1:]
				}
				return rows, err
			}
		}},
	}
}
