package main

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/envelope/sqlstore/sqltest/pgtest"
)

func TestRun(t *testing.T) {
	for name, args := range map[string]func(t *testing.T) []string{
		"SQLite": func(*testing.T) []string { return nil },
		"PostgreSQL": func(t *testing.T) []string {
			return []string{pgtest.Start(t, nil).Database(t), filepath.Join(t.TempDir(), "key.json")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			args := args(t)
			for range 2 { // again with the same database and key file, if any
				var out strings.Builder
				require.NoError(t, run(t.Context(), &out, args))
				found, all, both := strings.Cut(out.String(), "after an erasure:\n")
				require.True(t, both)
				require.Regexp(t, `^found by e-mail:\n  \w{4} Ada@example\.com \+44 20 7946 0958\n$`, found)
				require.Regexp(t, `(?m)^  \w{4} Ada@example\.com \+44 20 7946 0958$`, all)
				require.Regexp(t, `(?m)^  \w{4} does not open: erased$`, all)
				require.Equal(t, 2, strings.Count(all, "\n"))
			}
		})
	}
	require.ErrorIs(t, run(t.Context(), &strings.Builder{}, []string{"file:x.db"}), errUsage)
}

// TestConstraints: what is no record does not get in past Seal, and an address not twice.
func TestConstraints(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (driver, dsn, schema string){
		"SQLite": func(t *testing.T) (string, string, string) {
			return "sqlite", "file:" + filepath.Join(t.TempDir(), "x.db"), schemaSQLite
		},
		"PostgreSQL": func(t *testing.T) (string, string, string) {
			return "pgx", pgtest.Start(t, nil).Database(t), schemaPostgreSQL
		},
	} {
		t.Run(name, func(t *testing.T) {
			driver, dsn, schema := open(t)
			db, err := sql.Open(driver, dsn)
			require.NoError(t, err)
			t.Cleanup(func() { db.Close() })
			_, err = db.ExecContext(t.Context(), schema)
			require.NoError(t, err)
			table, err := newTable()
			require.NoError(t, err)
			a := &app{db, table, envelopetest.New(t, nil).Tenant("acme"), &strings.Builder{}}
			require.NoError(t, a.insert(t.Context(), &customer{ID: "1", Email: field.Of("ada@example.com"), Phone: field.Null[string]()}))
			require.Error(t, a.insert(t.Context(), &customer{ID: "2", Email: field.Of("ADA@Example.com"), Phone: field.Null[string]()}))

			long := strings.Repeat("x", 58)
			for _, bad := range []any{"ada@example.com", []byte("ada@example.com"), long, []byte(long), append([]byte{0xf5}, long[:56]...), []byte{}} {
				for _, column := range []string{"email", "phone", "email_eq"} {
					_, err := db.ExecContext(t.Context(), "UPDATE holdfast_customers SET "+column+" = $1 WHERE id = '1'", bad)
					require.Error(t, err, "%s, %d bytes, %T", column, len(long), bad)
				}
			}
			_, err = db.ExecContext(t.Context(), "UPDATE holdfast_customers SET phone = $1 WHERE id = '1'", field.Of("+46 8 123 456"))
			require.ErrorIs(t, err, field.ErrUnsealed)
			require.NoError(t, a.list(t.Context(), "", func(*customer) bool { return true }, ""))
			require.Contains(t, a.out.(*strings.Builder).String(), "ada@example.com", "nothing has changed")
		})
	}
}
