package storetest

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/holdfast-go/holdfast/envelope"
)

// selects has List return the rows that accept takes, in the order of less.
func (b *broken) selects(accept func(key, prefix, after string) bool, compare func(x, y string) int) {
	b.list = func(ctx context.Context, prefix, after string, limit int) (rows []envelope.Row, err error) {
		all, err := b.client.List(ctx, "", "", 1000)
		if err != nil {
			return nil, err
		}
		for _, r := range all {
			if accept(r.Key, prefix, after) {
				rows = append(rows, r)
			}
		}
		slices.SortStableFunc(rows, func(x, y envelope.Row) int { return compare(x.Key, y.Key) })
		return rows[:min(len(rows), limit)], nil
	}
}

// accepts is what a good store lists.
func accepts(key, prefix, after string) bool { return strings.HasPrefix(key, prefix) && key > after }

// like is a pattern of SQL, of one character or any number.
func like(key, prefix string) bool {
	pattern := regexp.QuoteMeta(prefix)
	pattern = strings.NewReplacer("%", ".*", "_", ".").Replace(pattern)
	return regexp.MustCompile("^(?s:" + pattern + ")").MatchString(key)
}

func listMutants() []mutant {
	return []mutant{
		{"lists backwards", "list order", func(b *broken, _ *Harness) {
			b.selects(accepts, func(x, y string) int { return strings.Compare(y, x) })
		}},
		{"sorts as a dictionary does", "list order", func(b *broken, _ *Harness) {
			b.selects(accepts, func(x, y string) int { return strings.Compare(strings.ToLower(x), strings.ToLower(y)) })
		}},
		{"sorts by length", "list order", func(b *broken, _ *Harness) {
			b.selects(accepts, func(x, y string) int { return len(x) - len(y) })
		}},
		{"takes the prefix for a pattern", "list prefix", func(b *broken, _ *Harness) {
			b.selects(func(key, prefix, after string) bool {
				return like(strings.ToValidUTF8(key, "?"), strings.ToValidUTF8(prefix, "?")) && key > after
			}, strings.Compare)
		}},
		{"folds the prefix", "list prefix", func(b *broken, _ *Harness) {
			b.selects(func(key, prefix, after string) bool {
				return len(key) >= len(prefix) && strings.EqualFold(key[:len(prefix)], prefix) && key > after
			}, strings.Compare)
		}},
		{"stops before the highest byte", "list prefix", func(b *broken, _ *Harness) {
			b.selects(func(key, prefix, after string) bool {
				return accepts(key, prefix, after) && key < prefix+"\xff"
			}, strings.Compare)
		}},
		{"lists nothing for a prefix of highest bytes", "list prefix", func(b *broken, _ *Harness) {
			b.selects(func(key, prefix, after string) bool {
				return accepts(key, prefix, after) && (prefix == "" || strings.ReplaceAll(prefix, "\xff", "") != "")
			}, strings.Compare)
		}},
		{"lists what is not under the prefix", "list prefix", func(b *broken, _ *Harness) {
			b.selects(func(key, prefix, after string) bool { return key >= prefix && key > after }, strings.Compare)
		}},
		{"lists the row after which it shall", "list after", func(b *broken, _ *Harness) {
			b.selects(func(key, prefix, after string) bool { return strings.HasPrefix(key, prefix) && key >= after }, strings.Compare)
		}},
		{"adds after to the prefix", "list after", func(b *broken, _ *Harness) {
			b.selects(func(key, prefix, after string) bool { return strings.HasPrefix(key, prefix) && key > prefix+after }, strings.Compare)
		}},
		{"wants after to be under the prefix", "list after", func(b *broken, _ *Harness) {
			b.list = func(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
				if !strings.HasPrefix(after, prefix) {
					after = ""
				}
				return b.client.List(ctx, prefix, after, limit)
			}
		}},
		{"wants after to be a row", "list after", func(b *broken, _ *Harness) {
			b.list = func(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
				if r, err := b.client.Get(ctx, max(after, "a")); err == nil && r.Revision == 0 {
					after = ""
				}
				return b.client.List(ctx, prefix, after, limit)
			}
		}},
		{"returns short pages", "list pages", func(b *broken, _ *Harness) {
			b.list = func(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
				return b.client.List(ctx, prefix, after, min(limit, 500))
			}
		}},
		{"returns a row too many", "list pages", func(b *broken, _ *Harness) {
			b.list = func(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
				return b.client.List(ctx, prefix, after, min(limit+1, 1000))
			}
		}},
		{"counts where the next page begins", "list under change", func(b *broken, h *Harness) {
			start := map[string]int{} // by the last row of the page before
			b.list = func(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
				rows, err := b.client.List(ctx, prefix, "", 1000)
				if err != nil {
					return nil, err
				}
				from := min(start[after], len(rows))
				rows = rows[from:min(from+limit, len(rows))]
				if len(rows) > 0 {
					start[rows[len(rows)-1].Key] = from + len(rows)
				}
				return rows, nil
			}
		}},
		{"loses the next row when one comes between", "list under change", func(b *broken, h *Harness) {
			b.list = func(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
				rows, err := b.client.List(ctx, prefix, after, limit)
				if len(rows) > 1 && strings.Contains(rows[0].Key, "+") {
					rows = slices.Delete(rows, 1, 2)
				}
				return rows, err
			}
		}},
	}
}
