package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strconv"

	"github.com/holdfast-go/holdfast/kms"
)

// tableVersion is that of the table below. It stands in the value under the empty key, which is no key of a keyring's, in decimal. A later version must leave
// that row readable for programs that know an earlier one.
const tableVersion = 1

const (
	postgreSQLTable = `(key bytea PRIMARY KEY, value bytea NOT NULL, revision bigint NOT NULL)`
	sqliteTable     = `(key BLOB NOT NULL PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID`
	// Held until the end of the transaction, so that of several processes one creates the table. The number is "holdfast" in ASCII, and for all tables.
	migrationLock = `SELECT pg_advisory_xact_lock(7525352680829580148)`
)

// Migrate makes the table, or brings it to the version that this package knows. It changes nothing when there is nothing to do. It is one transaction,
// and any number of processes may call it at the same time. The schema that Options.Table may name must be there. A table that is newer is [kms.ErrInvalid].
func Migrate(ctx context.Context, db *sql.DB, o *Options) error {
	s, err := New(db, o)
	if err != nil {
		return err
	}
	version, err := s.inspect(ctx)
	if err != nil || version == tableVersion {
		return seen(ctx, "Migrate", err)
	}
	return seen(ctx, "Migrate", s.transact(ctx, func(q querier) error {
		table := sqliteTable
		if s.dialect == PostgreSQL {
			table = postgreSQLTable
			if err := execute(ctx, q, migrationLock); err != nil {
				return err
			}
		}
		// Another process may have been faster. To ask here would not help: PostgreSQL may answer from what this session knew before the lock.
		if err := execute(ctx, q, "CREATE TABLE IF NOT EXISTS "+s.table+table); err != nil {
			return err
		}
		return execute(ctx, q, s.sql.create, []byte{}, []byte(strconv.Itoa(tableVersion)))
	}))
}

// look makes sure that the table can be used. Once it has seen that, it asks again only after an outage.
func (s *Store) look(ctx context.Context) error {
	if s.known.Load() {
		return nil
	}
	version, err := s.inspect(ctx)
	if err != nil {
		return err
	}
	if version == 0 {
		return invalid("there is no table %s: make it with sqlstore.Migrate", s.table)
	}
	s.known.Store(true)
	return nil
}

// inspect returns the version of the table, and of a failure whether the reason is the wrong dialect.
func (s *Store) inspect(ctx context.Context) (version int, err error) {
	err = retry(ctx, func() (err error) {
		version, err = s.version(ctx, s.db)
		return err
	})
	if err != nil && !errors.Is(err, kms.ErrInvalid) && execute(ctx, s.db, s.sql.isOther) == nil {
		err = invalid("the database is not %s: set another Options.Dialect", s.dialect)
	}
	return version, err
}

// version returns the version of the table, 0 where there is none.
func (s *Store) version(ctx context.Context, q querier) (int, error) {
	var there bool
	if err := q.QueryRowContext(ctx, s.sql.exists).Scan(&there); err != nil || !there {
		return 0, err
	}
	r, err := s.get(ctx, q, "")
	if err != nil {
		return 0, err
	}
	version, err := strconv.Atoi(string(r.Value))
	switch {
	case err != nil || version < 1:
		return 0, invalid("the table %s was not made by sqlstore.Migrate: set another Options.Table", s.table)
	case version > tableVersion:
		return 0, invalid("the table %s is of version %d, and this program knows %d: update it", s.table, version, tableVersion)
	}
	return version, nil
}
