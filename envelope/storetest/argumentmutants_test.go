package storetest

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-go/holdfast/envelope"
)

// renames has rows be under other keys than they are given.
func (b *broken) renames(rename func(string) string) {
	b.get = func(ctx context.Context, key string) (envelope.Row, error) {
		r, err := b.client.Get(ctx, rename(key))
		r.Key = key
		return r, err
	}
	b.list = func(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
		rows, err := b.client.List(ctx, rename(prefix), after, limit)
		for i := range rows {
			if rename(prefix) == rows[i].Key {
				rows[i].Key = prefix
			}
		}
		return rows, err
	}
	b.eachChange(func(c *envelope.Change, _ envelope.Row) { c.Key = rename(c.Key) })
}

// lends has Get and List return the same slices every time, which Apply writes into.
func lends(b *broken, _ *Harness) {
	lent := map[string][]byte{}
	b.eachRow(func(r *envelope.Row) {
		if lent[r.Key] == nil {
			lent[r.Key] = make([]byte, 1000)
		}
		own := lent[r.Key][:len(r.Value)]
		if r.Revision != uint64(lent[r.Key][999]) {
			copy(own, r.Value)
			lent[r.Key][999] = byte(r.Revision)
		}
		r.Value = own
	})
}

// tells has errors of Apply say more than they should.
func (b *broken) tells(what func(c envelope.Change) string) {
	b.apply = func(ctx context.Context, changes []envelope.Change) error {
		err := b.client.Apply(ctx, changes...)
		if err != nil && len(changes) > 0 {
			err = fmt.Errorf("%w: %.200s", err, what(changes[0]))
		}
		return err
	}
}

func argumentMutants() []mutant {
	return []mutant{
		{"folds keys", "odd keys", func(b *broken, _ *Harness) { b.renames(strings.ToLower) }},
		{"trims keys", "odd keys", func(b *broken, _ *Harness) {
			b.renames(func(key string) string { return "." + strings.TrimRight(key, " ") })
		}},
		{"cuts keys at NUL", "odd keys", func(b *broken, _ *Harness) {
			b.renames(func(key string) string {
				key, _, _ = strings.Cut(key, "\x00")
				return "." + key
			})
		}},
		{"mends keys", "odd keys", func(b *broken, _ *Harness) {
			b.renames(func(key string) string { return strings.ToValidUTF8(key, "\ufffd") })
		}},
		{"cuts keys", "odd keys", func(b *broken, _ *Harness) {
			b.renames(func(key string) string { return key[:min(len(key), 1000)] })
		}},
		{"composes characters", "odd keys", func(b *broken, _ *Harness) {
			b.renames(func(key string) string { return strings.ReplaceAll(key, "e\u0301", "\u00e9") })
		}},
		{"cuts values at NUL", "odd values", func(b *broken, _ *Harness) {
			b.eachChange(func(c *envelope.Change, _ envelope.Row) { c.Value, _, _ = bytes.Cut(c.Value, []byte{0}) })
		}},
		{"mends values", "odd values", func(b *broken, _ *Harness) {
			b.eachChange(func(c *envelope.Change, _ envelope.Row) { c.Value = bytes.ToValidUTF8(c.Value, []byte("?")) })
		}},
		{"takes nil for no row", "odd values", func(b *broken, _ *Harness) {
			b.eachRow(func(r *envelope.Row) {
				if len(r.Value) == 0 {
					r.Revision = 0
				}
			})
		}},
		{"cuts long values", "odd values", func(b *broken, _ *Harness) {
			b.eachChange(func(c *envelope.Change, _ envelope.Row) { c.Value = c.Value[:min(len(c.Value), 1<<16-1)] })
		}},
		{"takes any limit", "arguments out of bounds", func(b *broken, _ *Harness) {
			b.list = func(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
				return b.client.List(ctx, prefix, after, max(1, min(limit, 1000)))
			}
		}},
		{"finds no row under a key that can't be", "arguments out of bounds", func(b *broken, _ *Harness) {
			b.get = func(ctx context.Context, key string) (envelope.Row, error) {
				if len(key) == 0 || len(key) > envelope.MaxRowKey {
					return envelope.Row{}, nil
				}
				return b.client.Get(ctx, key)
			}
		}},
		{"applies nothing gladly", "arguments out of bounds", func(b *broken, _ *Harness) {
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				if len(changes) == 0 {
					return nil
				}
				return b.client.Apply(ctx, changes...)
			}
		}},
		{"finds out late", "arguments out of bounds", oneByOne},
		{"sorts its arguments", "arguments stay as they are", func(b *broken, _ *Harness) {
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				slices.SortFunc(changes, func(x, y envelope.Change) int { return strings.Compare(x.Key, y.Key) })
				return b.client.Apply(ctx, changes...)
			}
		}},
		{"appends to values", "arguments stay as they are", func(b *broken, _ *Harness) {
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				for _, c := range changes {
					_ = append(c.Value, byte(c.Revision+1))
				}
				return b.client.Apply(ctx, changes...)
			}
		}},
		{"keeps values", "arguments stay as they are", func(b *broken, _ *Harness) {
			kept := map[string][]byte{}
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				err := b.client.Apply(ctx, changes...)
				for _, c := range changes {
					if err == nil && !c.Check {
						kept[c.Key] = c.Value
					}
				}
				return err
			}
			b.eachRow(func(r *envelope.Row) { r.Value = kept[r.Key] })
		}},
		{"clears values of its callers", "arguments stay as they are", func(b *broken, _ *Harness) {
			kept := map[string][]byte{}
			b.apply = func(ctx context.Context, changes []envelope.Change) error {
				err := b.client.Apply(ctx, changes...)
				for _, c := range changes {
					if err == nil && !c.Check {
						clear(kept[c.Key])
						kept[c.Key] = c.Value
					}
				}
				return err
			}
		}},
		{"lends its values", "results are the caller's", lends},
		{"tells keys", "errors hold no rows", func(b *broken, _ *Harness) {
			b.tells(func(c envelope.Change) string { return fmt.Sprintf("%q", c.Key) })
		}},
		{"tells values", "errors hold no rows", func(b *broken, _ *Harness) {
			b.tells(func(c envelope.Change) string { return string(c.Value) })
		}},
		{"tells values in hex", "errors hold no rows", func(b *broken, _ *Harness) {
			b.tells(func(c envelope.Change) string { return hex.EncodeToString(c.Value) })
		}},
		{"tells values in numbers", "errors hold no rows", func(b *broken, _ *Harness) {
			b.tells(func(c envelope.Change) string { return fmt.Sprint(c.Value) })
		}},
		{"tells keys in an outage", "errors hold no rows", func(b *broken, _ *Harness) {
			b.get = func(ctx context.Context, key string) (envelope.Row, error) {
				r, err := b.client.Get(ctx, key)
				if b.down.Load() {
					err = fmt.Errorf("%w: %s", err, key)
				}
				return r, err
			}
		}},
	}
}
