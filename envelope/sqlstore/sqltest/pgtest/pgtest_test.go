package pgtest_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/sqlstore/sqltest/pgtest"
)

func TestServer(t *testing.T) {
	server := pgtest.Start(t, &pgtest.Options{Own: true})
	open := func() *sql.DB {
		db, err := sql.Open("pgx", server.Database(t))
		require.NoError(t, err)
		t.Cleanup(func() { db.Close() })
		_, err = db.ExecContext(t.Context(), "CREATE TABLE here (n int)")
		require.NoError(t, err)
		return db
	}
	first := open()
	open() // another database: the table does not exist yet

	require.NoError(t, server.Stop())
	require.Error(t, first.PingContext(t.Context()))
	require.NoError(t, server.Stop(), "again")

	require.NoError(t, server.Restart())
	_, err := first.ExecContext(t.Context(), "INSERT INTO here VALUES (1)")
	require.NoError(t, err)
	require.NoError(t, server.Restart())
	first.SetMaxIdleConns(0) // those of before are broken
	var n int
	require.NoError(t, first.QueryRowContext(t.Context(), "SELECT n FROM here").Scan(&n))
	require.Equal(t, 1, n, "what was committed survives")
}

func TestGivenServer(t *testing.T) {
	given := pgtest.Start(t, nil)
	t.Setenv("HOLDFAST_POSTGRES", given.DSN())
	server := pgtest.Start(t, nil)
	require.Equal(t, given.DSN(), server.DSN())
	require.NotEqual(t, server.Database(t), server.Database(t))
	require.Error(t, server.Stop())

	t.Setenv("HOLDFAST_POSTGRES", "host=127.0.0.1")
	_, err := pgtest.Open(nil)
	require.Error(t, err)
}
