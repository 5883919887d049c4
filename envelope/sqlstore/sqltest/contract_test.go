package sqltest

import (
	"bufio"
	"database/sql"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/envelope/storetest"
)

func TestContract(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		storetest.Run(t, func(t *testing.T) storetest.Harness {
			direct, dsn := d.make(t)
			db, past := d.open(t, dsn), d.open(t, direct)
			require.NoError(t, sqlstore.Migrate(t.Context(), db, d.options()))
			return storetest.Harness{
				Store:  d.client(t, db),
				Reopen: func() envelope.Store { return d.client(t, d.open(t, dsn)) },
				Hold:   func() func() { return hold(t, d, past) },
				Outage: func() func() { return outage(t, d, direct, db) },
				Crash:  crasher(t, d),
			}
		})
	})
}

// hold locks the table against writing.
func hold(t *testing.T, d database, db *sql.DB) (release func()) {
	t.Helper()
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	lock := "BEGIN; LOCK TABLE holdfast_keys IN SHARE MODE"
	if d.dialect == sqlstore.SQLite {
		lock = "BEGIN IMMEDIATE"
	}
	_, err = conn.ExecContext(t.Context(), lock)
	require.NoError(t, err)
	return func() {
		t.Helper()
		_, err := conn.ExecContext(t.Context(), "ROLLBACK")
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	}
}

// outage makes a database that db can't connect to.
func outage(t *testing.T, d database, direct string, db *sql.DB) (undo func()) {
	t.Helper()
	if d.dialect == sqlstore.SQLite {
		db.SetMaxIdleConns(0) // from now on every call opens the file
		path, _, _ := strings.Cut(strings.TrimPrefix(direct, "file:"), "?")
		require.NoError(t, os.Rename(path, path+".away"))
		require.NoError(t, os.Mkdir(path, 0o700))
		return func() {
			t.Helper()
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Rename(path+".away", path))
		}
	}
	server, err := postgres()
	require.NoError(t, err)
	admin := d.open(t, server.DSN())
	path, _, _ := strings.Cut(direct, "?")
	name := path[strings.LastIndex(path, "/")+1:]
	run(t, admin, `ALTER DATABASE "`+name+`" ALLOW_CONNECTIONS false`)
	run(t, admin, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, name)
	return func() {
		t.Helper()
		run(t, admin, `ALTER DATABASE "`+name+`" ALLOW_CONNECTIONS true`)
		for d.pooler && db.PingContext(t.Context()) != nil { // it has to find out by itself
		}
	}
}

// crasher returns the hook Crash, with a database of its own.
func crasher(t *testing.T, d database) func() (int, envelope.Store) {
	var dsn string
	lines := 0
	return func() (last int, after envelope.Store) {
		t.Helper()
		if dsn == "" {
			_, dsn = d.make(t)
			require.NoError(t, sqlstore.Migrate(t.Context(), d.open(t, dsn), d.options()))
		}
		lines += 7
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "HOLDFAST_SCRIBBLE="+d.name, "HOLDFAST_SCRIBBLE_DSN="+dsn)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		for scanner, n := bufio.NewScanner(out), 0; scanner.Scan(); n++ {
			last, err = strconv.Atoi(scanner.Text())
			require.NoError(t, err)
			if n == lines {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.Error(t, cmd.Wait(), "it was killed")
		return last, d.client(t, d.open(t, dsn))
	}
}

// run executes a statement that must succeed.
func run(t testing.TB, db *sql.DB, statement string, args ...any) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), statement, args...)
	require.NoError(t, err)
}
