// Package sqltest tests package sqlstore with real databases.
package sqltest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/envelope/sqlstore/sqltest/pgtest"
	"github.com/holdfast-go/holdfast/envelope/storetest"
)

// TestMain also is the process that a test kills.
func TestMain(m *testing.M) {
	if kind, dsn := os.Getenv("HOLDFAST_SCRIBBLE"), os.Getenv("HOLDFAST_SCRIBBLE_DSN"); kind != "" {
		if err := scribble(kind, dsn); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(closing{m})
}

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

// database is a kind of database, and a way to reach it.
type database struct {
	name    string
	driver  string
	dialect sqlstore.Dialect
	query   url.Values // of the DSN
	pooler  bool
}

func databases() []database {
	return []database{
		{name: "sqlite", driver: "sqlite", dialect: sqlstore.SQLite},
		{name: "sqlite-wal", driver: "sqlite", dialect: sqlstore.SQLite, query: url.Values{"_pragma": {"journal_mode(WAL)"}}},
		{name: "postgresql", driver: "pgx", dialect: sqlstore.PostgreSQL},
		{name: "postgresql-exec", driver: "pgx", dialect: sqlstore.PostgreSQL, query: url.Values{"default_query_exec_mode": {"exec"}}},
		{name: "postgresql-simple", driver: "pgx", dialect: sqlstore.PostgreSQL, query: url.Values{"default_query_exec_mode": {"simple_protocol"}}},
		{name: "pgbouncer", driver: "pgx", dialect: sqlstore.PostgreSQL, query: url.Values{"default_query_exec_mode": {"exec"}}, pooler: true},
	}
}

// each runs f with every kind of database, or with the two that differ most.
func each(t *testing.T, f func(t *testing.T, d database)) {
	for _, d := range databases() {
		t.Run(d.name, func(t *testing.T) {
			if testing.Short() && d.query != nil {
				t.Skip("-short")
			}
			f(t, d)
		})
	}
}

// make returns the data source names of a new database: past the pooler, if any, and through it.
func (d database) make(t testing.TB) (direct, dsn string) {
	t.Helper()
	if d.dialect == sqlstore.SQLite {
		dsn = "file:" + filepath.Join(t.TempDir(), "keys.db") + "?" + d.query.Encode()
		return dsn, dsn
	}
	server, err := postgres()
	pgtest.Need(t, err)
	direct = server.Database(t)
	dsn = direct
	if d.pooler {
		dsn = server.Bouncer(t, direct)
	}
	return direct, dsn + "&" + d.query.Encode()
}

// open returns a pool for dsn, closed at the end of the test.
func (d database) open(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.driver, dsn)
	require.NoError(t, err)
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func (d database) options() *sqlstore.Options { return &sqlstore.Options{Dialect: d.dialect} }

// client returns a Store of db. Whoever calls closes it, or does not: it holds nothing.
func (d database) client(t testing.TB, db *sql.DB) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.New(db, d.options())
	require.NoError(t, err)
	return s
}

// store returns a Store with a table in a new database, and a pool past the Store and the pooler.
func (d database) store(t testing.TB) (*sqlstore.Store, *sql.DB) {
	t.Helper()
	direct, dsn := d.make(t)
	db := d.open(t, dsn)
	require.NoError(t, sqlstore.Migrate(t.Context(), db, d.options()))
	return d.client(t, db), d.open(t, direct)
}

// scribble is the process that is killed.
func scribble(kind, dsn string) error {
	for _, d := range databases() {
		if d.name != kind {
			continue
		}
		db, err := sql.Open(d.driver, dsn)
		if err != nil {
			return err
		}
		defer db.Close()
		s, err := sqlstore.New(db, d.options())
		if err != nil {
			return err
		}
		return storetest.Scribble(context.Background(), s, os.Stdout)
	}
	return fmt.Errorf("no database %q", kind)
}
