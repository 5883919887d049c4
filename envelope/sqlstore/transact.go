package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
)

// transact runs f in a transaction and commits it if f succeeds.
func (s *Store) transact(ctx context.Context, f func(querier) error) error {
	if s.dialect == SQLite {
		return s.alone(ctx, f)
	}
	return retry(ctx, func() error { return s.readCommitted(ctx, f) })
}

// readCommitted is transact for PostgreSQL. The weakest isolation suffices: every condition on a row is part of a statement that locks the row, which waits for who writes it and then
// looks at the row as it is, not as it was when the transaction began, and the lock lasts until the commit. Rows are taken in
// the order of their keys, so two that want the same ones do not wait for each other.
func (s *Store) readCommitted(ctx context.Context, f func(querier) error) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// alone is transact for SQLite: with the only right to write from the start, since a transaction that asks for it later can be refused at once. database/sql has no
// word for that, so the connection is held and told.
func (s *Store) alone(ctx context.Context, f func(querier) error) error {
	select { // rather than on the file's lock, for which SQLite has no queue
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() // back into the pool
	done := false
	defer func() {
		if !done {
			rollBack(ctx, conn)
		}
	}()
	// It can't be set within a transaction, and stays set for whoever has the connection next: that does no harm.
	if _, err := conn.ExecContext(ctx, "PRAGMA secure_delete = ON"); err != nil {
		return err
	}
	if err := retry(ctx, func() error { return execute(ctx, conn, "BEGIN IMMEDIATE") }); err != nil {
		return err
	}
	if err := f(conn); err != nil {
		return err
	}
	// Tried again when readers are in the way: new ones have to wait meanwhile. It is local and short, and left to end, so that it is known how.
	err = retry(ctx, func() error { return execute(context.WithoutCancel(ctx), conn, "COMMIT") })
	done = err == nil
	return err
}

// rollBack ends the transaction of conn, if any, or else conn, also when ctx has ended: the pool must not get it back within a transaction.
func rollBack(ctx context.Context, conn *sql.Conn) {
	err := execute(context.WithoutCancel(ctx), conn, "ROLLBACK")
	if err != nil && !strings.Contains(err.Error(), "no transaction is active") { // SQLite's words
		conn.Raw(func(any) error { return driver.ErrBadConn }) // closes it
	}
}

func execute(ctx context.Context, q querier, statement string, args ...any) error {
	_, err := q.ExecContext(ctx, statement, args...)
	return err
}
