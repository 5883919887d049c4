package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

const canary = "canary-5f1c"

// offline is a database that can't be reached.
type offline struct{}

func (offline) Connect(context.Context) (driver.Conn, error) {
	return nil, &net.OpError{Op: canary, Err: &os.SyscallError{Syscall: "connect", Err: syscall.ECONNREFUSED}}
}
func (offline) Driver() driver.Driver { return nil }

func pool(t *testing.T) *sql.DB {
	db := sql.OpenDB(offline{})
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestNew(t *testing.T) {
	db := pool(t)
	long := strings.Repeat("a", 63)
	for _, test := range []struct {
		name string
		db   *sql.DB
		o    *Options
		want string // the table, quoted; empty where New refuses
	}{
		{"default", db, &Options{Dialect: PostgreSQL}, `"holdfast_keys"`},
		{"sqlite", db, &Options{Dialect: SQLite, Table: "keys"}, `"keys"`},
		{"schema", db, &Options{Dialect: PostgreSQL, Table: "vault.keys_2"}, `"vault"."keys_2"`},
		{"word of SQL", db, &Options{Dialect: PostgreSQL, Table: "select"}, `"select"`},
		{"longest", db, &Options{Dialect: PostgreSQL, Table: long + "." + long}, `"` + long + `"."` + long + `"`},
		{"no database", nil, &Options{Dialect: PostgreSQL}, ""},
		{"no options", db, nil, ""},
		{"no dialect", db, &Options{}, ""},
		{"unknown dialect", db, &Options{Dialect: 3}, ""},
		{"quote", db, &Options{Dialect: SQLite, Table: `a"b`}, ""},
		{"space", db, &Options{Dialect: SQLite, Table: "a b"}, ""},
		{"line", db, &Options{Dialect: SQLite, Table: "a\n"}, ""},
		{"upper case", db, &Options{Dialect: SQLite, Table: "Keys"}, ""},
		{"digit first", db, &Options{Dialect: SQLite, Table: "1a"}, ""},
		{"not ASCII", db, &Options{Dialect: SQLite, Table: "schlüssel"}, ""},
		{"too long", db, &Options{Dialect: SQLite, Table: long + "a"}, ""},
		{"two points", db, &Options{Dialect: SQLite, Table: "a.b.c"}, ""},
		{"empty schema", db, &Options{Dialect: SQLite, Table: ".a"}, ""},
		{"SQLite's own", db, &Options{Dialect: SQLite, Table: "main.sqlite_keys"}, ""},
		{"not PostgreSQL's own", db, &Options{Dialect: PostgreSQL, Table: "sqlite_keys"}, `"sqlite_keys"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := New(test.db, test.o)
			if test.want == "" {
				require.ErrorIs(t, err, kms.ErrInvalid)
				require.ErrorIs(t, Migrate(t.Context(), test.db, test.o), kms.ErrInvalid)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, s.table)
			require.Contains(t, s.sql.update, "UPDATE "+test.want+" SET")
		})
	}
}

func TestStatements(t *testing.T) {
	p, l := PostgreSQL.statements("s.t"), SQLite.statements("s.t")
	require.Equal(t, statements{
		get:     `SELECT value, revision FROM "s"."t" WHERE key = $1::bytea`,
		list:    `SELECT key, value, revision FROM "s"."t" WHERE key >= $1::bytea AND key < $2::bytea AND key > $3::bytea ORDER BY key LIMIT $4::bigint`,
		check:   `SELECT 1 FROM "s"."t" WHERE key = $1::bytea AND revision = $2::bigint FOR SHARE`,
		update:  `UPDATE "s"."t" SET value = $2::bytea, revision = revision + 1 WHERE key = $1::bytea AND revision = $3::bigint`,
		create:  `INSERT INTO "s"."t" (key, value, revision) VALUES ($1::bytea, $2::bytea, 1) ON CONFLICT (key) DO NOTHING`,
		exists:  `SELECT to_regclass('"s"."t"') IS NOT NULL`,
		isOther: `SELECT sqlite_version()`,
	}, p)
	require.Equal(t, statements{
		get:     `SELECT value, revision FROM "s"."t" WHERE key = ?1`,
		list:    `SELECT key, value, revision FROM "s"."t" WHERE key >= ?1 AND key < ?2 AND key > ?3 ORDER BY key LIMIT ?4`,
		check:   `SELECT 1 FROM "s"."t" WHERE key = ?1 AND revision = ?2`,
		update:  `UPDATE "s"."t" SET value = ?2, revision = revision + 1 WHERE key = ?1 AND revision = ?3`,
		create:  `INSERT INTO "s"."t" (key, value, revision) VALUES (?1, ?2, 1) ON CONFLICT (key) DO NOTHING`,
		exists:  `SELECT EXISTS (SELECT 1 FROM "s".sqlite_schema WHERE type = 'table' AND name = 't')`,
		isOther: `SELECT pg_backend_pid()`,
	}, l)
	require.Equal(t, `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 't')`, SQLite.statements("t").exists)
}

// TestSuccessor: a range from the prefix to its successor holds the keys with the prefix and no others.
func TestSuccessor(t *testing.T) {
	part := rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 0x7f, 0x80, 0xfe, 0xff}), 0, 5), func(b []byte) string { return string(b) })
	rapid.Check(t, func(t *rapid.T) {
		prefix, key := part.Draw(t, "prefix"), part.Draw(t, "key")
		if rapid.Bool().Draw(t, "related") {
			key = prefix + key
		}
		require.Equal(t, strings.HasPrefix(key, prefix), key >= prefix && key < successor(prefix))
	})
	greatest := strings.Repeat("\xff", envelope.MaxRowKey)
	for _, prefix := range []string{"", "\xff", greatest} {
		require.Greater(t, successor(prefix), greatest)
	}
}

func TestOffline(t *testing.T) {
	for _, d := range []Dialect{PostgreSQL, SQLite} {
		t.Run(d.String(), func(t *testing.T) {
			db := pool(t)
			s, err := New(db, &Options{Dialect: d})
			require.NoError(t, err)
			calls := func(ctx context.Context, want error) {
				_, err := s.Get(ctx, "a")
				require.ErrorIs(t, err, want)
				_, err = s.List(ctx, "", "", 1)
				require.ErrorIs(t, err, want)
				err = s.Apply(ctx, envelope.Change{Row: envelope.Row{Key: "a"}})
				require.ErrorIs(t, err, want)
				require.NotContains(t, err.Error(), canary)
			}
			calls(t.Context(), envelope.ErrUnavailable)
			require.ErrorIs(t, Migrate(t.Context(), db, &Options{Dialect: d}), envelope.ErrUnavailable)
			cancelled, cancel := context.WithCancel(t.Context())
			cancel()
			calls(cancelled, context.Canceled)
			require.ErrorIs(t, Migrate(cancelled, db, &Options{Dialect: d}), context.Canceled)
			require.NoError(t, s.Close())
			require.NoError(t, s.Close())
			calls(t.Context(), envelope.ErrClosed)
		})
	}
}

type stateError string

func (e stateError) Error() string    { return canary }
func (e stateError) SQLState() string { return string(e) }

type codeError int

func (e codeError) Error() string { return canary }
func (e codeError) Code() int     { return int(e) }

// TestSeen: of a driver's error callers see its class and its code, and not its text.
func TestSeen(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: canary, Err: &os.SyscallError{Syscall: "connect", Err: syscall.ECONNREFUSED}}
	for name, test := range map[string]struct {
		err  error
		text string
	}{
		"state":       {fmt.Errorf("%s: %w", canary, stateError("57P01")), "SQLSTATE 57P01"},
		"odd state":   {stateError(canary), "sqlstore.stateError"},
		"code":        {fmt.Errorf("%s: %w", canary, codeError(14)), "SQLite error 14"},
		"system":      {refused, "connect: " + syscall.ECONNREFUSED.Error()},
		"closed pool": {errors.New("sql: database is closed"), "the *sql.DB is closed"},
		"any":         {errors.New(canary), "*errors.errorString"},
	} {
		t.Run(name, func(t *testing.T) {
			err := seen(t.Context(), "Get", test.err)
			require.ErrorIs(t, err, envelope.ErrUnavailable)
			require.NotErrorIs(t, err, test.err, "it can't be unwrapped to the driver's")
			require.Contains(t, err.Error(), test.text)
			require.NotContains(t, err.Error(), canary)
		})
	}
}

// slow is a context whose deadline is over and whose timer has not fired yet.
type slow struct{ context.Context }

func (slow) Deadline() (time.Time, bool) { return time.Now(), true }

// TestDeadline: a connection that gives up at the deadline, before the context does, is no outage.
func TestDeadline(t *testing.T) {
	err := seen(slow{t.Context()}, "Get", os.ErrDeadlineExceeded)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, envelope.ErrUnavailable)
	later, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	require.ErrorIs(t, seen(later, "Get", os.ErrDeadlineExceeded), envelope.ErrUnavailable, "the driver's own patience")
}
