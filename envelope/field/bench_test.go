package field_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/field"
)

type benchRow struct {
	ID   string
	Text field.Field[string] `seal:"text"`
}

// BenchmarkField compares a value sealed and opened by a Table with the Tenant that does it.
func BenchmarkField(b *testing.B) {
	acme, ctx := envelopetest.New(b, nil).Tenant("acme"), b.Context()
	table, err := field.NewTable("users", field.Spec[benchRow]{Row: func(r *benchRow) string { return r.ID }})
	require.NoError(b, err)
	const id = "0198c0de-7e57-7000-8000-00000000002a"
	for _, n := range []int{16, 100, 1024} {
		text, size := strings.Repeat("x", n), strconv.Itoa(n)
		row := benchRow{ID: id, Text: field.Of(text)}
		require.NoError(b, table.Seal(ctx, acme, &row))
		stored, err := row.Text.Value()
		require.NoError(b, err)
		var scanned field.Field[string]
		require.NoError(b, scanned.Scan(stored))
		place := envelope.Bind("users", "text", id)
		record, err := acme.Seal(ctx, []byte(text), place)
		require.NoError(b, err)
		b.Run("op=seal/size="+size, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				row.Text = field.Of(text)
				if err := table.Seal(ctx, acme, &row); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("op=tenant-seal/size="+size, func(b *testing.B) {
			b.ReportAllocs()
			plain := []byte(text)
			for b.Loop() {
				if _, err := acme.AppendSeal(ctx, nil, plain, envelope.Bind("users", "text", id)); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("op=open/size="+size, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				row.Text = scanned
				if err := table.Open(ctx, acme, &row); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("op=tenant-open/size="+size, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := acme.AppendOpen(ctx, nil, record, envelope.Bind("users", "text", id)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type benchIndexed struct {
	ID      string
	Email   field.Field[string] `seal:"email"`
	EmailEq field.Index         `seal:"email_eq,of=email,norm=email/v1"`
}

// BenchmarkIndex compares a token with the HMAC that it is.
func BenchmarkIndex(b *testing.B) {
	acme, ctx := envelopetest.New(b, nil).Tenant("acme"), b.Context()
	plan, err := field.PlanIndex(field.Stats{Rows: 1_000_000, Distinct: 1_000_000, TopShare: 1e-6, Unique: true})
	require.NoError(b, err)
	table, err := field.NewTable("users", field.Spec[benchIndexed]{
		Row: func(r *benchIndexed) string { return r.ID }, Indexes: map[string]field.Plan{"email_eq": plan},
	})
	require.NoError(b, err)
	b.Run("op=find", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := table.Find(ctx, acme, "email_eq", "Ada.Lovelace@Example.com"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("op=raw", func(b *testing.B) {
		key, value, dst := make([]byte, 32), []byte("email/v1\x00ada.lovelace@example.com"), make([]byte, 0, 32)
		b.ReportAllocs()
		for b.Loop() {
			mac := hmac.New(sha256.New, key)
			mac.Write(value)
			mac.Sum(dst)
		}
	})
}
