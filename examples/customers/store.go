package main

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/field"
)

var (
	errNone  = errors.New("no such customer")
	errTaken = errors.New("the address is another customer's")
)

// store is the table of customers.
type store struct {
	db     *sql.DB
	table  *field.Table[customer]
	tenant envelope.Tenant
}

// insert does nothing where the address is another customer's. It says neither: see service.signUp.
func (s *store) insert(ctx context.Context, c *customer) error {
	if err := s.table.Seal(ctx, s.tenant, c); err != nil {
		return err
	}
	_, err := s.exec(ctx, "INSERT INTO customers (id, name, email, email_eq, phone, password) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (email_eq) DO NOTHING", c.ID, c.Name, c.Email, c.EmailEq, c.Phone, c.Password)
	return err
}

// query returns rows that are not opened yet: that may take keys out of the same database, which should not wait for this query's connection.
func (s *store) query(ctx context.Context, where string, args ...any) (found []*customer, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT id, name, email, email_eq, phone, password FROM customers "+where, args...)
	if err != nil {
		return nil, outage(err)
	}
	defer rows.Close()
	for rows.Next() {
		c := new(customer)
		if err := rows.Scan(&c.ID, &c.Name, &c.Email, &c.EmailEq, &c.Phone, &c.Password); err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, outage(rows.Err())
}

func (s *store) exec(ctx context.Context, statement string, args ...any) (sql.Result, error) {
	result, err := s.db.ExecContext(ctx, statement, args...)
	return result, outage(err)
}

// outage has an error of a database that can't be reached, or is busy, be one to try again after.
func outage(err error) error {
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	pg, ok := errors.AsType[*pgconn.PgError](err)
	refused := ok && slices.Contains([]string{"08", "40", "53", "57"}, pg.Code[:min(2, len(pg.Code))]) // connection, serialization, resources, shutdown: PostgreSQL, appendix A
	lite, ok := errors.AsType[*sqlite.Error](err)
	busy := ok && lite.Code()&0xff == sqlite3.SQLITE_BUSY
	if connecting || refused || busy || errors.Is(err, driver.ErrBadConn) {
		return fmt.Errorf("%w: %w", envelope.ErrUnavailable, err)
	}
	return err
}

// open opens what it can of a row, and says what it can't.
func (s *store) open(ctx context.Context, c *customer) error {
	return s.table.Open(ctx, s.tenant, c)
}

// byID returns a row that is not opened yet.
func (s *store) byID(ctx context.Context, id string) (*customer, error) {
	if !ids.MatchString(id) {
		return nil, errNone
	}
	found, err := s.query(ctx, "WHERE id = $1", id)
	if err == nil && len(found) == 0 {
		err = errNone
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// byEmail returns a row that is not opened yet, and what tells, once it is, whether it has the address: whoever writes the table can exchange tokens.
func (s *store) byEmail(ctx context.Context, email string) (*customer, *field.Query[customer], error) {
	q, err := s.table.Find(ctx, s.tenant, "email_eq", email)
	if err != nil {
		return nil, nil, err
	}
	terms := q.Terms() // one: email_eq has no older normalizer. With one, two rows could have two of the tokens
	found, err := s.query(ctx, "WHERE email_eq = $1", terms[0])
	if err == nil && len(found) == 0 {
		err = errNone
	}
	if err != nil {
		return nil, nil, err
	}
	return found[0], q, nil
}

// update writes the values that c has, and leaves alone what is NULL in it. What was sealed before the person was erased and comes here after it is not written, or its token would stay.
func (s *store) update(ctx context.Context, c *customer) error {
	if _, err := s.byID(ctx, c.ID); err != nil { // sealing would make a key for nobody
		return err
	}
	if err := s.table.Seal(ctx, s.tenant, c); err != nil {
		return err
	}
	done, err := s.exec(ctx, `UPDATE customers SET name = COALESCE($2, name), email = COALESCE($3, email), email_eq = COALESCE($4, email_eq), phone = COALESCE($5, phone)
		WHERE id = $1 AND password IS NOT NULL`, c.ID, c.Name, c.Email, c.EmailEq, c.Phone)
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "23505" {
		return errTaken
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok && lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE {
		return errTaken
	}
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return cmp.Or(err, envelope.ErrErased)
	}
	return nil
}

// rehash replaces a password's hash, unless it has changed meanwhile.
func (s *store) rehash(ctx context.Context, id string, was, is []byte) error {
	_, err := s.exec(ctx, "UPDATE customers SET password = $3 WHERE id = $1 AND password = $2", id, was, is)
	return err
}

// clear removes what would outlive the person's key: tokens, which are the tenant's, and the hash, which is the pepper's. PostgreSQL has old versions of the row until VACUUM, and both databases in logs and backups.
func (s *store) clear(ctx context.Context, id string) error {
	_, err := s.exec(ctx, "UPDATE customers SET "+strings.Join(append(s.table.IndexColumns(), "password"), " = NULL, ")+" = NULL WHERE id = $1", id)
	return err
}
