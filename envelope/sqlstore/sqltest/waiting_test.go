package sqltest

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/internal/bubble"
)

// first is the row that the tests here lock.
func first(t *testing.T, s *sqlstore.Store) envelope.Change {
	t.Helper()
	require.NoError(t, s.Apply(t.Context(), created("a", "one"), created("b", "one")))
	return envelope.Change{Row: envelope.Row{Key: "a", Value: []byte("two"), Revision: 1}}
}

// waiting returns the process of the only session that waits for a lock.
func waiting(t *testing.T, db *sql.DB) (pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		return db.QueryRowContext(t.Context(), `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&pid) == nil
	}, time.Minute, 5*time.Millisecond)
	return pid
}

// onPostgreSQL runs f with every way to PostgreSQL.
func onPostgreSQL(t *testing.T, f func(t *testing.T, s *sqlstore.Store, db *sql.DB)) {
	each(t, func(t *testing.T, d database) {
		if d.dialect == sqlstore.PostgreSQL {
			s, db := d.store(t)
			f(t, s, db)
		}
	})
}

// lock locks a row in a transaction that lasts until the test ends it.
func lock(t *testing.T, db *sql.DB, key string) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), `SELECT 1 FROM holdfast_keys WHERE key = $1::bytea FOR UPDATE`, []byte(key))
	require.NoError(t, err)
	return tx
}

// TestCancelled: an Apply whose context ends while it waits for a row leaves neither changes nor a transaction.
func TestCancelled(t *testing.T) {
	onPostgreSQL(t, func(t *testing.T, s *sqlstore.Store, db *sql.DB) {
		change := first(t, s)
		tx := lock(t, db, "b")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		second := envelope.Change{Row: envelope.Row{Key: "b", Revision: 1}, Check: true}
		go func() { done <- s.Apply(ctx, change, created("aa", ""), second) }()
		waiting(t, db)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		require.NoError(t, tx.Rollback())
		lacks(t, s, "aa")
		require.NoError(t, s.Apply(t.Context(), change, second))
	})
}

// TestTerminated: a session that the server ends in the middle of an Apply is an outage, and leaves nothing.
func TestTerminated(t *testing.T) {
	onPostgreSQL(t, func(t *testing.T, s *sqlstore.Store, db *sql.DB) {
		change := first(t, s)
		tx := lock(t, db, "b")
		done := make(chan error, 1)
		go func() {
			done <- s.Apply(t.Context(), change, created("aa", ""), envelope.Change{Row: envelope.Row{Key: "b", Revision: 1}})
		}()
		run(t, db, `SELECT pg_terminate_backend($1)`, waiting(t, db))
		require.ErrorIs(t, <-done, envelope.ErrUnavailable)
		require.NoError(t, tx.Rollback())
		lacks(t, s, "aa")
		require.NoError(t, s.Apply(t.Context(), change))
	})
}

// TestDeadlock: an Apply that PostgreSQL picks as the victim of a deadlock is made all the same.
func TestDeadlock(t *testing.T) {
	onPostgreSQL(t, func(t *testing.T, s *sqlstore.Store, db *sql.DB) {
		change := first(t, s)
		tx := lock(t, db, "b") // a stranger, who does not keep to the order of keys
		_, err := tx.ExecContext(t.Context(), `SET LOCAL deadlock_timeout = '1h'`)
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() {
			done <- s.Apply(t.Context(), change, envelope.Change{Row: envelope.Row{Key: "b", Value: []byte("two"), Revision: 1}})
		}()
		victim := waiting(t, db)
		_, err = tx.ExecContext(t.Context(), `SELECT 1 FROM holdfast_keys WHERE key = $1::bytea FOR UPDATE`, []byte("a"))
		require.NoError(t, err, "process %d was the victim", victim)
		require.NoError(t, tx.Commit())
		require.NoError(t, <-done)
		r, err := s.Get(t.Context(), "b")
		require.NoError(t, err)
		require.EqualValues(t, 2, r.Revision)
	})
}

// TestOrder: rows are taken in the order of their keys whatever the order of the changes, so that two Applies can't wait for each other.
func TestOrder(t *testing.T) {
	onPostgreSQL(t, func(t *testing.T, s *sqlstore.Store, db *sql.DB) {
		change := first(t, s)
		tx := lock(t, db, "a")
		done := make(chan error, 1)
		go func() {
			done <- s.Apply(t.Context(), envelope.Change{Row: envelope.Row{Key: "b", Value: []byte("two"), Revision: 1}}, change)
		}()
		waiting(t, db)
		var one int
		err := db.QueryRowContext(t.Context(), `SELECT 1 FROM holdfast_keys WHERE key = $1::bytea FOR UPDATE NOWAIT`, []byte("b")).Scan(&one)
		require.NoError(t, err, "it holds the second row while it waits for the first")
		require.NoError(t, tx.Rollback())
		require.NoError(t, <-done)
	})
}

// TestLockedFile: a lock that lasts is an outage, after some seconds, and a writer who waits in the same Store honours its context.
func TestLockedFile(t *testing.T) {
	for _, d := range databases() {
		if d.dialect != sqlstore.SQLite {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			_, dsn := d.make(t)
			bubble.Test(t, func(t *testing.T) {
				db, other := d.open(t, dsn), d.open(t, dsn)
				require.NoError(t, sqlstore.Migrate(t.Context(), db, d.options()))
				s := d.client(t, db)
				change := first(t, s)
				release := hold(t, d, other)
				done := make(chan error, 1)
				go func() { done <- s.Apply(t.Context(), change) }()
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				require.ErrorIs(t, s.Apply(ctx, change), context.DeadlineExceeded)
				require.ErrorIs(t, <-done, envelope.ErrUnavailable)
				r, err := s.Get(t.Context(), "a")
				require.NoError(t, err, "readers go on")
				require.EqualValues(t, 1, r.Revision)

				go func() { done <- s.Apply(t.Context(), change) }()
				time.Sleep(5 * time.Second)
				release()
				require.NoError(t, <-done)
			})
		})
	}
}

// TestReaderInTheWay: without a write-ahead log a commit waits for readers to end, and is not lost.
func TestReaderInTheWay(t *testing.T) {
	d := databases()[0]
	s, other := d.store(t)
	change := first(t, s)
	reader, err := other.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	var n int
	require.NoError(t, reader.QueryRowContext(t.Context(), `SELECT count(*) FROM holdfast_keys`).Scan(&n))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Apply(ctx, change), context.DeadlineExceeded)
	done := make(chan error, 1)
	go func() { done <- s.Apply(t.Context(), change) }()
	require.Eventually(t, func() bool { // the writer is at its commit: it lets no new reader in
		var n int
		return other.QueryRowContext(t.Context(), `SELECT count(*) FROM holdfast_keys`).Scan(&n) != nil
	}, time.Minute, time.Millisecond)
	require.NoError(t, reader.Rollback())
	require.NoError(t, <-done)
}

// TestCleanConnection: whatever an Apply ends with, its connection comes back without a transaction.
func TestCleanConnection(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		_, dsn := d.make(t)
		db := d.open(t, dsn)
		db.SetMaxOpenConns(1)
		require.NoError(t, sqlstore.Migrate(t.Context(), db, d.options()))
		s := d.client(t, db)
		change := first(t, s)
		clean := func() {
			t.Helper()
			conn, err := db.Conn(t.Context())
			require.NoError(t, err)
			defer conn.Close()
			_, err = conn.ExecContext(t.Context(), "BEGIN")
			require.NoError(t, err)
			_, err = conn.ExecContext(t.Context(), "ROLLBACK")
			require.NoError(t, err)
		}
		require.ErrorIs(t, s.Apply(t.Context(), change, created("b", "")), envelope.ErrConflict)
		clean()
		for i := range 50 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*100*time.Microsecond)
			err := s.Apply(ctx, change, created("b", ""))
			cancel()
			if err == nil || !isOne(err, context.DeadlineExceeded, envelope.ErrConflict) {
				require.NoError(t, err)
				require.Fail(t, "an Apply that conflicts succeeds")
			}
			clean()
		}
		r, err := s.Get(t.Context(), "a")
		require.NoError(t, err)
		require.EqualValues(t, 1, r.Revision)
	})
}

// TestInMemory: the one connection that holds the rows outlives calls that are cancelled at any point.
func TestInMemory(t *testing.T) {
	d := databases()[0]
	db := d.open(t, ":memory:")
	db.SetMaxOpenConns(1)
	require.NoError(t, sqlstore.Migrate(t.Context(), db, d.options()))
	s := d.client(t, db)
	works(t, s, "a")
	var changes []envelope.Change
	for i := range envelope.MaxChanges - 1 {
		changes = append(changes, created(fmt.Sprintf("0%03d", i), ""))
	}
	changes = append(changes, created("a", "")) // the last in order: it conflicts
	for i := range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*10*time.Microsecond)
		require.Error(t, s.Apply(ctx, changes...))
		cancel()
	}
	rows, err := s.List(t.Context(), "", "", 10)
	require.NoError(t, err)
	require.Len(t, rows, 1)
}
