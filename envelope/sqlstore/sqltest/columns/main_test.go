// Package columns tests package field with real databases.
package columns

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/holdfast-go/holdfast/envelope/sqlstore/sqltest/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(closing{m}) }

// closing ends the shared server before leaks are looked for.
type closing struct{ *testing.M }

func (c closing) Run() int {
	code := c.M.Run()
	if s, err := postgres(); err == nil {
		if err := s.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// postgres is the server that the tests share.
var postgres = sync.OnceValues(func() (*pgtest.Server, error) { return pgtest.Open(nil) })

// client is a database, and a driver's way to it.
type client interface {
	exec(ctx context.Context, query string, args ...any) (rows int64, err error)
	query(ctx context.Context, query string, args []any, each func(scan func(...any) error) error) error
	bytes() string // the type of a column of bytes
}

// clients are the ways to reach a new database.
func clients() map[string]func(t testing.TB) client {
	all := map[string]func(t testing.TB) client{
		"sqlite": func(t testing.TB) client {
			return openSQL(t, "sqlite", "file:"+filepath.Join(t.TempDir(), "x.db")+"?_pragma=journal_mode(WAL)")
		},
		"pgx_stdlib": func(t testing.TB) client { return openSQL(t, "pgx", database(t)) },
	}
	for _, mode := range []string{"cache_statement", "exec", "simple_protocol"} { // bytea as bytes, mixed, as text
		all["pgx_"+mode] = func(t testing.TB) client { return openPGX(t, database(t)+"&default_query_exec_mode="+mode) }
	}
	return all
}

func database(t testing.TB) string {
	t.Helper()
	server, err := postgres()
	pgtest.Need(t, err)
	return server.Database(t)
}

// each runs f in a new database with every client.
func each(t *testing.T, f func(t *testing.T, c client)) {
	for name, open := range clients() {
		t.Run(name, func(t *testing.T) { f(t, open(t)) })
	}
}

type sqlClient struct {
	*sql.DB
	driver string
}

func openSQL(t testing.TB, driver, dsn string) sqlClient {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return sqlClient{db, driver}
}

func (c sqlClient) bytes() string {
	if c.driver == "sqlite" {
		return "BLOB"
	}
	return "bytea"
}

func (c sqlClient) exec(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := c.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (c sqlClient) query(ctx context.Context, query string, args []any, each func(scan func(...any) error) error) error {
	rows, err := c.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

type pgxClient struct{ *pgxpool.Pool }

func openPGX(t testing.TB, dsn string) pgxClient {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pgxClient{pool}
}

func (c pgxClient) bytes() string { return "bytea" }

func (c pgxClient) exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := c.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}

func (c pgxClient) query(ctx context.Context, query string, args []any, each func(scan func(...any) error) error) error {
	rows, err := c.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// must runs a statement that changes as many rows as want says.
func must(t testing.TB, c client, want int, query string, args ...any) {
	t.Helper()
	n, err := c.exec(t.Context(), query, args...)
	require.NoError(t, err)
	require.EqualValues(t, want, n, query)
}

// create makes a table of a key id and columns of bytes.
func create(t testing.TB, c client, table string, columns ...string) {
	t.Helper()
	text := "CREATE TABLE " + table + " (id text PRIMARY KEY"
	for _, column := range columns {
		text += ", " + column + " " + c.bytes()
	}
	_, err := c.exec(t.Context(), text+")")
	require.NoError(t, err)
}

// insert returns the statement that inserts a row with the columns of create.
func insert(table string, columns ...string) string {
	text := "INSERT INTO " + table + " (id, " + strings.Join(columns, ", ") + ") VALUES ($1"
	for i := range columns {
		text += fmt.Sprintf(", $%d", i+2)
	}
	return text + ")"
}
