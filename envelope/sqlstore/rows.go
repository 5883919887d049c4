package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"strings"

	"github.com/holdfast-go/holdfast/envelope"
)

// querier is a *sql.DB, *sql.Conn or *sql.Tx.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// get returns a row; that under the empty key holds the version of the table.
func (s *Store) get(ctx context.Context, q querier, key string) (envelope.Row, error) {
	r := envelope.Row{Key: key}
	err := q.QueryRowContext(ctx, s.sql.get, []byte(key)).Scan(&r.Value, &r.Revision)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	if err != nil {
		return envelope.Row{}, err
	}
	return r, nil
}

func (s *Store) list(ctx context.Context, prefix, after string, limit int) (list []envelope.Row, err error) {
	rows, err := s.db.QueryContext(ctx, s.sql.list, []byte(prefix), []byte(successor(prefix)), []byte(after), int64(limit))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r envelope.Row
		if err := rows.Scan(&r.Key, &r.Value, &r.Revision); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return list, nil
}

// successor returns the least string that is greater than all keys with this prefix.
func successor(prefix string) string {
	for last := len(prefix) - 1; last >= 0; last-- {
		if prefix[last] < 0xff {
			return prefix[:last] + string([]byte{prefix[last] + 1})
		}
	}
	return strings.Repeat("\xff", envelope.MaxRowKey+1) // longer than the greatest key
}

// change makes one change within a transaction, and holds the row from then on against all others.
func (s *Store) change(ctx context.Context, q querier, c envelope.Change) error {
	if c.Revision > math.MaxInt64 {
		return envelope.ErrConflict // greater than any that there is
	}
	key, value, revision := []byte(c.Key), append([]byte{}, c.Value...), int64(c.Revision) // a nil value would be NULL
	var result sql.Result
	var err error
	switch {
	case c.Check:
		var one int
		err = q.QueryRowContext(ctx, s.sql.check, key, revision).Scan(&one)
		if errors.Is(err, sql.ErrNoRows) {
			return envelope.ErrConflict
		}
		return err
	case revision == 0:
		result, err = q.ExecContext(ctx, s.sql.create, key, value)
	default:
		result, err = q.ExecContext(ctx, s.sql.update, key, value, revision)
	}
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		return envelope.ErrConflict
	}
	return err
}
