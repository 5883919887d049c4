package columns

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/envelope/field"
)

// contact is a row of the benchmark: three of its four columns are sealed.
type contact struct {
	ID    string
	Email field.Field[string] `seal:"email"`
	Name  field.Field[string] `seal:"name"`
	Phone field.Field[string] `seal:"phone"`
}

// BenchmarkPage reads a page of 10 000 rows, half of it by each of two goroutines, from plain columns and then from sealed ones, which it opens. ratio is the time of the second by that of the first, and
// sealed-ns/row and plain-ns/row are these times.
func BenchmarkPage(b *testing.B) {
	n := 10_000
	if testing.Short() {
		n = 1000
	}
	for _, name := range []string{"sqlite", "pgx_stdlib", "pgx_cache_statement"} {
		b.Run(fmt.Sprintf("db=%s/rows=%d", name, n), func(b *testing.B) {
			c := clients()[name](b)
			table, err := field.NewTable("sealed", field.Spec[contact]{Row: func(r *contact) string { return r.ID }})
			require.NoError(b, err)
			acme := newTenant(b)
			create(b, c, "sealed", "email", "name", "phone")
			_, err = c.exec(b.Context(), "CREATE TABLE plain (id text PRIMARY KEY, email text, name text, phone text)")
			require.NoError(b, err)
			fill(b, c, n, func(i int) (plain, sealed []any) {
				id, email, name, phone := fmt.Sprintf("r%06d", i), fmt.Sprintf("person%06d@example.com", i), fmt.Sprintf("Person %06d", i), fmt.Sprintf("+46 8 %06d", i)
				r := contact{ID: id, Email: field.Of(email), Name: field.Of(name), Phone: field.Of(phone)}
				require.NoError(b, table.Seal(b.Context(), acme, &r))
				return []any{id, email, name, phone}, []any{id, r.Email, r.Name, r.Phone}
			})
			var plain, sealed time.Duration
			pages := 0
			for b.Loop() {
				start := time.Now()
				halves(b, c, "plain", n, func(_ context.Context, scan func(...any) error) error {
					var id, email, name, phone string
					return scan(&id, &email, &name, &phone)
				})
				middle := time.Now()
				halves(b, c, "sealed", n, func(ctx context.Context, scan func(...any) error) error {
					var r contact
					if err := scan(&r.ID, &r.Email, &r.Name, &r.Phone); err != nil {
						return err
					}
					return table.Open(ctx, acme, &r)
				})
				plain, sealed = plain+middle.Sub(start), sealed+time.Since(middle)
				pages++
			}
			rows := float64(pages * n)
			b.ReportMetric(float64(sealed)/float64(plain), "ratio")
			b.ReportMetric(float64(plain.Nanoseconds())/rows, "plain-ns/row")
			b.ReportMetric(float64(sealed.Nanoseconds())/rows, "sealed-ns/row")
		})
	}
}

// fill inserts n rows into both tables, 250 at a time.
func fill(b *testing.B, c client, n int, row func(i int) (plain, sealed []any)) {
	b.Helper()
	const batch = 250
	text := ""
	for i := range batch {
		text += fmt.Sprintf(", ($%d, $%d, $%d, $%d)", 4*i+1, 4*i+2, 4*i+3, 4*i+4)
	}
	for from := 0; from < n; from += batch {
		var plain, sealed []any
		for i := range batch {
			p, s := row(from + i)
			plain, sealed = append(plain, p...), append(sealed, s...)
		}
		for table, args := range map[string][]any{"plain": plain, "sealed": sealed} {
			count, err := c.exec(b.Context(), "INSERT INTO "+table+" VALUES "+text[2:], args...)
			require.NoError(b, err)
			require.EqualValues(b, batch, count)
		}
	}
}

// halves reads a table by two goroutines.
func halves(b *testing.B, c client, table string, n int, row func(ctx context.Context, scan func(...any) error) error) {
	both, ctx := errgroup.WithContext(b.Context())
	middle := fmt.Sprintf("r%06d", n/2)
	for _, where := range []string{"id < $1", "id >= $1"} {
		both.Go(func() error {
			rows := 0
			err := c.query(ctx, "SELECT id, email, name, phone FROM "+table+" WHERE "+where+" ORDER BY id", []any{middle}, func(scan func(...any) error) error {
				rows++
				return row(ctx, scan)
			})
			if err == nil && rows != n/2 {
				err = fmt.Errorf("%d rows", rows)
			}
			return err
		})
	}
	if err := both.Wait(); err != nil {
		b.Fatal(err)
	}
}
