package sqltest

import (
	"context"
	"crypto/rand"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/kms"
)

// fails requires that each method fails with want.
func fails(ctx context.Context, t *testing.T, s *sqlstore.Store, want error) {
	t.Helper()
	_, err := s.Get(ctx, "a")
	require.ErrorIs(t, err, want)
	_, err = s.List(ctx, "", "", 10)
	require.ErrorIs(t, err, want)
	require.ErrorIs(t, s.Apply(ctx, created("a", "one")), want)
}

func created(key, value string) envelope.Change {
	return envelope.Change{Row: envelope.Row{Key: key, Value: []byte(value)}}
}

// lacks requires that there is no row under key.
func lacks(t *testing.T, s *sqlstore.Store, key string) {
	t.Helper()
	r, err := s.Get(t.Context(), key)
	require.NoError(t, err)
	require.Zero(t, r.Revision)
}

// works requires that s can write, read and list.
func works(t *testing.T, s *sqlstore.Store, key string) {
	t.Helper()
	require.NoError(t, s.Apply(t.Context(), created(key, "one")))
	r, err := s.Get(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, "one", string(r.Value))
	rows, err := s.List(t.Context(), key, "", 10)
	require.NoError(t, err)
	require.Equal(t, []envelope.Row{r}, rows)
}

// TestMigrateAtOnce: of many processes one makes the table, and none fails.
func TestMigrateAtOnce(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		_, dsn := d.make(t)
		var all errgroup.Group
		for range 8 {
			db := d.open(t, dsn)
			all.Go(func() error { return sqlstore.Migrate(t.Context(), db, d.options()) })
		}
		require.NoError(t, all.Wait())
		s := d.client(t, d.open(t, dsn))
		rows, err := s.List(t.Context(), "", "", 10)
		require.NoError(t, err)
		require.Empty(t, rows, "the version is no row")
		works(t, s, "a")
	})
}

// TestMigrateAgain: a later Migrate leaves rows alone.
func TestMigrateAgain(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s, db := d.store(t)
		works(t, s, "a")
		require.NoError(t, sqlstore.Migrate(t.Context(), db, d.options()))
		r, err := s.Get(t.Context(), "a")
		require.NoError(t, err)
		require.EqualValues(t, 1, r.Revision)
	})
}

// TestNotMigrated: a Store says so, and works as soon as the table is there.
func TestNotMigrated(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		_, dsn := d.make(t)
		db := d.open(t, dsn)
		s := d.client(t, db)
		fails(t.Context(), t, s, kms.ErrInvalid)
		_, err := s.Get(t.Context(), "a")
		require.ErrorContains(t, err, "sqlstore.Migrate")
		require.NoError(t, sqlstore.Migrate(t.Context(), db, d.options()))
		works(t, s, "a")
	})
}

// TestTableLost: a Store that has worked says so too.
func TestTableLost(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		s, db := d.store(t)
		works(t, s, "a")
		run(t, db, "DROP TABLE holdfast_keys")
		_, err := s.Get(t.Context(), "a")
		require.ErrorIs(t, err, envelope.ErrUnavailable)
		fails(t.Context(), t, s, kms.ErrInvalid)
		require.NoError(t, sqlstore.Migrate(t.Context(), db, d.options()))
		works(t, s, "a")
	})
}

// TestOtherTables: what is newer, or not ours, is neither used nor changed.
func TestOtherTables(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		_, db := d.store(t)
		for _, statement := range []string{ // a newer one, one that counts otherwise, and one without a version
			`UPDATE holdfast_keys SET value = '2'`,
			`UPDATE holdfast_keys SET value = 'one'`,
			`DELETE FROM holdfast_keys`,
		} {
			if d.dialect == sqlstore.SQLite { // where the column is strict
				statement = replaceAll(statement, "'2'", "x'32'", "'one'", "x'6f6e65'")
			}
			run(t, db, statement)
			fails(t.Context(), t, d.client(t, db), kms.ErrInvalid)
			require.ErrorIs(t, sqlstore.Migrate(t.Context(), db, d.options()), kms.ErrInvalid, statement)
		}
		var n int
		require.NoError(t, db.QueryRowContext(t.Context(), `SELECT count(*) FROM holdfast_keys`).Scan(&n))
		require.Zero(t, n, "something was written")
	})
}

func TestWrongDialect(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		_, db := d.store(t)
		o := &sqlstore.Options{Dialect: sqlstore.PostgreSQL + sqlstore.SQLite - d.dialect}
		s, err := sqlstore.New(db, o)
		require.NoError(t, err)
		fails(t.Context(), t, s, kms.ErrInvalid)
		err = sqlstore.Migrate(t.Context(), db, o)
		require.ErrorIs(t, err, kms.ErrInvalid)
		require.ErrorContains(t, err, "Options.Dialect")
	})
}

// TestTables: several tables in one database do not see each other.
func TestTables(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		_, db := d.store(t)
		schema := "public"
		if d.dialect == sqlstore.SQLite {
			schema = "main"
		}
		for _, table := range []string{schema + ".other", "select", "a234567890123456789012345678901234567890123456789012345678901_3"} {
			o := &sqlstore.Options{Dialect: d.dialect, Table: table}
			require.NoError(t, sqlstore.Migrate(t.Context(), db, o))
			s, err := sqlstore.New(db, o)
			require.NoError(t, err)
			works(t, s, "a")
			run(t, db, `INSERT INTO "`+replaceAll(table, ".", `"."`)+`" SELECT value, value, 1 FROM holdfast_keys`)
		}
		o := &sqlstore.Options{Dialect: d.dialect, Table: "missing.other"}
		require.Error(t, sqlstore.Migrate(t.Context(), db, o))
	})
}

// TestOneConnection: a pool of one is enough.
func TestOneConnection(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		_, dsn := d.make(t)
		db := d.open(t, dsn)
		db.SetMaxOpenConns(1)
		require.NoError(t, sqlstore.Migrate(t.Context(), db, d.options()))
		s := d.client(t, db)
		works(t, s, "a")
		require.ErrorIs(t, s.Apply(t.Context(), created("b", ""), created("a", "")), envelope.ErrConflict)
		works(t, s, "b")
	})
}

// TestRights: a role that may read, insert and update can do everything but make the table.
func TestRights(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		if d.dialect != sqlstore.PostgreSQL || d.pooler { // the pooler has the owner's login
			t.Skip("there are no roles to choose from")
		}
		direct, dsn := d.make(t)
		db := d.open(t, direct)
		role := "r" + strings.ToLower(rand.Text())
		run(t, db, "CREATE ROLE "+role+" LOGIN PASSWORD 'test'")
		t.Cleanup(func() {
			for _, statement := range []string{"DROP OWNED BY ", "DROP ROLE "} {
				_, err := db.ExecContext(context.Background(), statement+role)
				require.NoError(t, err)
			}
		})
		u, err := url.Parse(dsn)
		require.NoError(t, err)
		u.User = url.UserPassword(role, "test")
		service := d.open(t, u.String())
		require.ErrorIs(t, sqlstore.Migrate(t.Context(), service, d.options()), envelope.ErrUnavailable)
		require.NoError(t, sqlstore.Migrate(t.Context(), db, d.options()))
		run(t, db, "GRANT SELECT, INSERT, UPDATE ON holdfast_keys TO "+role)
		require.NoError(t, sqlstore.Migrate(t.Context(), service, d.options()), "there is nothing to do")
		s := d.client(t, service)
		works(t, s, "a")
		require.NoError(t, s.Apply(t.Context(), created("b", ""), envelope.Change{Row: envelope.Row{Key: "a", Revision: 1}, Check: true}))
		require.NoError(t, s.Apply(t.Context(), envelope.Change{Row: envelope.Row{Key: "a", Revision: 1}}))
	})
}
