package columns

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"
)

// recording is what a program sent to its database. It is safe for concurrent use.
type recording struct {
	mu   sync.Mutex
	sent []byte
}

func (r *recording) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, b...)
	return len(b), nil
}

func (r *recording) all() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]byte(nil), r.sent...)
}

// statement records a statement with its arguments.
func (r *recording) statement(query string, args []driver.NamedValue) {
	fmt.Fprintln(r, query)
	for _, arg := range args {
		switch v := arg.Value.(type) {
		case []byte:
			r.Write(v)
		default:
			fmt.Fprint(r, v)
		}
		fmt.Fprintln(r)
	}
}

// dial connects as pgx does, and records what is written.
func (r *recording) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return tapped{c, r}, nil
}

type tapped struct {
	net.Conn
	r *recording
}

func (t tapped) Write(b []byte) (int, error) {
	t.r.Write(b)
	return t.Conn.Write(b)
}

// openRecorded opens an SQLite database through a driver that records what it is called with.
func openRecorded(t *testing.T, dsn string) (sqlClient, *recording) {
	t.Helper()
	r := &recording{}
	db := sql.OpenDB(&recorder{dsn, r})
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return sqlClient{db, "sqlite"}, r
}

// recorder is a driver.Connector.
type recorder struct {
	dsn string
	r   *recording
}

func (c *recorder) Driver() driver.Driver { return &sqlite.Driver{} }

func (c *recorder) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.Driver().Open(c.dsn)
	if err != nil {
		return nil, err
	}
	return &recordedConn{conn, c.r}, nil
}

// recordedConn has no way to prepare a statement that would not be recorded: database/sql takes those that it has.
type recordedConn struct {
	driver.Conn
	r *recording
}

func (c *recordedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.r.statement(query, args)
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c *recordedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.r.statement(query, args)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}
