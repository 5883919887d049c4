package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

const (
	patience   = 10 * time.Second // with what passes: locks of others in SQLite, deadlocks in PostgreSQL
	firstPause = time.Millisecond
	lastPause  = 50 * time.Millisecond
)

// retry runs f until it succeeds or fails with what does not pass, ctx ends, or patience does.
func retry(ctx context.Context, f func() error) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = firstPause, lastPause
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := f()
		if err != nil && !passes(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(patience))
	return err
}

// passes reports whether a driver's error says that nothing was done because others were in the way.
func passes(err error) bool {
	switch sqlState(err) {
	case "40001", "40P01": // serialization failure, deadlock
		return true
	case "": // SQLite has no such code that every driver shows; these are its words for SQLITE_BUSY and SQLITE_LOCKED
		return strings.Contains(err.Error(), "database is locked") || strings.Contains(err.Error(), "database table is locked")
	}
	return false
}

// seen returns what callers may see of an error.
func seen(ctx context.Context, op string, err error) error {
	switch {
	case err == nil, errors.Is(err, kms.ErrInvalid):
		return err
	case errors.Is(err, envelope.ErrConflict):
		return fmt.Errorf("sqlstore: %w", envelope.ErrConflict)
	case ended(ctx) != nil:
		return fmt.Errorf("sqlstore: %s: %w", op, ended(ctx))
	}
	return fmt.Errorf("sqlstore: %s: %w: %s", op, envelope.ErrUnavailable, cause(err))
}

// ended returns why ctx has ended, or nil. A connection has timers of its own for the deadline of ctx, which may fire a moment before that of ctx.
func ended(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

func unavailable(err error) bool { return errors.Is(err, envelope.ErrUnavailable) }

// invalid is a mistake of the program's, or of who has set up the database.
func invalid(format string, args ...any) error {
	return fmt.Errorf("sqlstore: %w: %s", kms.ErrInvalid, fmt.Sprintf(format, args...))
}

// cause says what a driver's error is without its text, which may hold keys and values.
func cause(err error) string {
	if state := sqlState(err); state != "" {
		return "SQLSTATE " + state
	}
	var lite interface{ Code() int }
	if errors.As(err, &lite) {
		return fmt.Sprint("SQLite error ", lite.Code())
	}
	var system *os.SyscallError
	if errors.As(err, &system) {
		return system.Error() // a call and its error number: "connect: connection refused"
	}
	if err.Error() == "sql: database is closed" {
		return "the *sql.DB is closed"
	}
	return fmt.Sprintf("%T", err)
}

var sqlStates = regexp.MustCompile(`^[0-9A-Z]{5}$`)

// sqlState returns the SQLSTATE of a PostgreSQL driver's error, or nothing.
func sqlState(err error) string {
	var e interface{ SQLState() string }
	if !errors.As(err, &e) || !sqlStates.MatchString(e.SQLState()) {
		return ""
	}
	return e.SQLState()
}
