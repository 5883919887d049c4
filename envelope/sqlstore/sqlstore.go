// Package sqlstore keeps the rows of a keyring in a table of PostgreSQL (12 or newer) or SQLite (3.37 or newer), through database/sql and the
// driver that the program brings. [Migrate] makes the table, [New] uses it.
//
// # PostgreSQL
//
// The role of the service needs SELECT, INSERT and UPDATE on the table, no DELETE; only that of Migrate needs more. The *sql.DB must lead to the primary, never to a
// replica that lags, and synchronous_commit must not be off: a key that is lost after it has sealed loses data.
// Nothing is kept in a session, so a pooler in transaction mode, as pgbouncer, may stand between. A driver that prepares statements by itself must then be told not to:
// pgx with default_query_exec_mode=exec in its connection string.
//
// A row that is written over stays in the table's file until VACUUM, and in the log, replicas and backups for longer. That is why destroying a key does not rest
// on its row alone: the wrap key above it is replaced and destroyed too, by the keyring's Compact.
//
// # SQLite
//
// Any number of processes on one host may share the file, by turns for writing. Keep the file on a local disk. The *sql.DB may be in any journal mode; leave synchronous at FULL, for
// with NORMAL in WAL mode a power cut takes back the last writes. A lock that another process holds is waited for here, so a driver's own busy
// timeout is best left at 0: while it lasts it may not see that a context ends. For rows in memory take package memstore.
//
// Writers turn on secure_delete, so that what is written over becomes zeros in the file. The write-ahead log holds old values until it is
// checkpointed and reused, or removed by PRAGMA wal_checkpoint(TRUNCATE); a rollback journal leaves them in the blocks of a file that was removed. The disk may keep what SQLite has overwritten.
//
// # Errors
//
// A database that can't be reached or fails is [envelope.ErrUnavailable]. When that comes from Apply, the changes may or may not have been made. A table that is missing,
// or of another version, is [kms.ErrInvalid], and so is the wrong Dialect. Of what the driver said an error names the SQLSTATE or SQLite's code and nothing else,
// for the rest could hold keys and values: look for it in the server's log.
package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/holdfast-go/holdfast/envelope"
)

const (
	defaultTable = "holdfast_keys"
	maxLimit     = 1000 // rows of one List
)

// Options say where the rows are.
type Options struct {
	Dialect Dialect // required
	Table   string  // [schema.]name of a-z, 0-9 and _, not first a digit, each at most 63 bytes; default: holdfast_keys in the first schema of the search path
}

// Store is an [envelope.Store] in a database. It is safe for concurrent use. Make one with [New].
type Store struct {
	db      *sql.DB
	dialect Dialect
	table   string // quoted
	sql     statements

	known atomic.Bool   // the table was there, of our version, when last looked at
	turn  chan struct{} // whose of the writers of this Store it is; SQLite only

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup
}

var _ envelope.Store = (*Store)(nil)

var tableName = regexp.MustCompile(`^([a-z_][a-z0-9_]{0,62}\.)?[a-z_][a-z0-9_]{0,62}$`)

// New returns a Store of the rows in db, which stays the caller's to close. It does no I/O: that the table is there is seen by the first call.
func New(db *sql.DB, o *Options) (*Store, error) {
	if o == nil {
		o = &Options{}
	}
	table := o.Table
	if table == "" {
		table = defaultTable
	}
	switch {
	case db == nil:
		return nil, invalid("New needs a *sql.DB")
	case o.Dialect != PostgreSQL && o.Dialect != SQLite:
		return nil, invalid("set Options.Dialect to sqlstore.PostgreSQL or sqlstore.SQLite")
	case !tableName.MatchString(table):
		return nil, invalid("the table %.140q must be a name, or schema.name, of a-z, 0-9 and _, each at most 63 bytes", table)
	case o.Dialect == SQLite && strings.HasPrefix(table[strings.Index(table, ".")+1:], "sqlite_"):
		return nil, invalid("SQLite keeps the names that begin with sqlite_, as %q, for itself", table)
	}
	s := &Store{db: db, dialect: o.Dialect, table: quoted(table), turn: make(chan struct{}, 1)}
	s.sql = s.dialect.statements(table)
	return s, nil
}

// Get implements [envelope.Store].
func (s *Store) Get(ctx context.Context, key string) (r envelope.Row, err error) {
	if len(key) == 0 || len(key) > envelope.MaxRowKey {
		return r, invalid("a row's key must be 1 to %d bytes, not %d", envelope.MaxRowKey, len(key))
	}
	err = s.call(ctx, "Get", func() error {
		return retry(ctx, func() (err error) {
			r, err = s.get(ctx, s.db, key)
			return err
		})
	})
	return r, err
}

// List implements [envelope.Store]. It is one statement, so what it returns was there at one moment.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) (rows []envelope.Row, err error) {
	if limit < 1 || limit > maxLimit {
		return nil, invalid("a limit must be 1 to %d rows, not %d", maxLimit, limit)
	}
	err = s.call(ctx, "List", func() error {
		return retry(ctx, func() (err error) {
			rows, err = s.list(ctx, prefix, after, limit)
			return err
		})
	})
	return rows, err
}

// Apply implements [envelope.Store].
func (s *Store) Apply(ctx context.Context, changes ...envelope.Change) error {
	if err := envelope.Validate(changes); err != nil {
		return fmt.Errorf("sqlstore: %w", err)
	}
	changes = slices.SortedFunc(slices.Values(changes), func(a, b envelope.Change) int { return strings.Compare(a.Key, b.Key) })
	return s.call(ctx, "Apply", func() error {
		return s.transact(ctx, func(q querier) error {
			for _, c := range changes {
				if err := s.change(ctx, q, c); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// Close waits for the calls in flight. It does not close the *sql.DB.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.calls.Wait()
	return nil
}

// call runs f if the Store can be used, and returns what callers may see of its error.
func (s *Store) call(ctx context.Context, op string, f func() error) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return fmt.Errorf("sqlstore: %w", envelope.ErrClosed)
	}
	s.calls.Add(1)
	s.mu.Unlock()
	defer s.calls.Done()
	err := s.look(ctx)
	if err == nil {
		err = f()
	}
	if err = seen(ctx, op, err); unavailable(err) {
		s.known.Store(false) // the table may be another one when the database is back
	}
	return err
}
