package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/sqlstore/sqltest/pgtest"
	"github.com/holdfast-go/holdfast/examples/internal/tlsdrill"
	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// serving returns what gives the server a certificate. PostgreSQL takes it for new connections once it has read its configuration.
func serving(t *testing.T, dsn string) func(tls.Certificate) {
	t.Helper()
	admin, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, admin.Close(context.WithoutCancel(t.Context()))) })
	var data string
	require.NoError(t, admin.QueryRow(t.Context(), "SHOW data_directory").Scan(&data))
	return func(c tls.Certificate) {
		cert, key := tlsconfigtest.WritePair(t, data, c)
		if os.Geteuid() == 0 { // the server is another user's
			u, err := user.Lookup("postgres")
			require.NoError(t, err)
			uid, err := strconv.Atoi(u.Uid)
			require.NoError(t, err)
			require.NoError(t, os.Chown(key, uid, -1))
			require.NoError(t, os.Chown(cert, uid, -1))
		}
		for _, set := range []string{"ssl_cert_file = '" + filepath.Base(cert) + "'", "ssl_key_file = '" + filepath.Base(key) + "'", "ssl = on"} {
			_, err := admin.Exec(t.Context(), "ALTER SYSTEM SET "+set)
			require.NoError(t, err)
		}
		_, err := admin.Exec(t.Context(), "SELECT pg_reload_conf()")
		require.NoError(t, err)
		require.Eventually(t, func() bool { return shows(t, dsn, c) }, tlsdrill.Patience, tlsdrill.Pause)
	}
}

// shows says whether a new connection gets this certificate. It looks at no chain: that is the client's to judge.
func shows(t *testing.T, dsn string, want tls.Certificate) bool {
	t.Helper()
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	conn, err := net.Dial("tcp", u.Host)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte{0, 0, 0, 8, 4, 210, 22, 47}) // SSLRequest
	require.NoError(t, err)
	var answer [1]byte
	if _, err = conn.Read(answer[:]); err != nil || answer[0] != 'S' {
		return false
	}
	return tlsdrill.Shows(conn, want)
}

func TestMove(t *testing.T) {
	d := tlsdrill.New(t)
	dsn := pgtest.Start(t, &pgtest.Options{Own: true}).DSN() // with sslmode=disable
	serve := serving(t, dsn)
	serve(d.Old)
	d.Move(t, serve, func(ctx context.Context) error {
		pool, err := open(ctx, d.Client, dsn)
		if err != nil {
			return err
		}
		defer pool.Close()
		var encrypted bool
		if err := pool.QueryRow(ctx, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").Scan(&encrypted); err != nil {
			return err
		}
		if !encrypted {
			return net.ErrClosed
		}
		return nil
	})
}

func TestRun(t *testing.T) {
	d := tlsdrill.New(t)
	dsn := pgtest.Start(t, &pgtest.Options{Own: true}).DSN()
	require.ErrorContains(t, run(t.Context(), d.Roots, dsn), "server refused TLS connection")
	serving(t, dsn)(d.New)
	require.Equal(t, tlsconfig.ReasonUntrusted, tlsconfig.ReasonOf(run(t.Context(), d.Roots, dsn)))
	serving(t, dsn)(d.Old)
	require.NoError(t, run(t.Context(), d.Roots, dsn))
	require.Error(t, run(t.Context(), d.Roots+".none", dsn))
}

// TestSecret: no error says the password, of a URL that is none either, or of a server that is not there.
func TestSecret(t *testing.T) {
	d := tlsdrill.New(t)
	for _, at := range []string{"@127.0.0.1:1", "%zz@127.0.0.1:1", "@127.0.0.1:port", "@127.0.0.1:1/db?sslmode=none"} {
		err := run(t.Context(), d.Roots, "postgres://user-canary:correct-horse"+at)
		require.Error(t, err, at)
		require.NotContains(t, err.Error(), "correct-horse")
	}
}

// refusal is what a server without TLS says to a request for it, and enough of it for whoever waits for the head of a TLS record.
const refusal = "NNNNN"

// TestPlain: no URL, and nothing in the environment, has the driver speak to a server without TLS.
func TestPlain(t *testing.T) {
	d := tlsdrill.New(t)
	const canaries = "postgres://user-canary:correct-horse@"
	for _, mode := range []string{"", "?sslmode=disable", "?sslmode=allow", "?sslmode=prefer", "?sslmode=require", "?sslmode=verify-ca", "?sslmode=verify-full", "?sslmode=require&sslnegotiation=direct"} {
		p, other := tlsdrill.NewPlain(t, refusal), tlsdrill.NewPlain(t, refusal)
		for _, host := range []string{p.Addr, p.Addr + "," + other.Addr} {
			pool, err := open(t.Context(), d.Client, canaries+host+"/base-canary"+mode)
			require.NoError(t, err)
			require.Error(t, pool.Ping(t.Context()), mode)
			pool.Close()
		}
		require.True(t, p.Asked() && other.Asked(), mode)
		require.Equal(t, strings.Contains(mode, "direct"), p.Holds("postgresql"), mode) // in the ClientHello
		require.False(t, p.Holds("user-canary", "correct-horse", "base-canary") || other.Holds("user-canary", "correct-horse", "base-canary"), mode)
	}
	p := tlsdrill.NewPlain(t, refusal) // the driver without the hook would: the tap works
	pool, err := pgxpool.New(t.Context(), canaries+p.Addr+"/base-canary")
	require.NoError(t, err)
	require.Error(t, pool.Ping(t.Context()))
	pool.Close()
	require.True(t, p.Holds("user-canary"))
}

// TestUnixSocket: it has no name that a certificate could be for.
func TestUnixSocket(t *testing.T) {
	d, dir := tlsdrill.New(t), t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Skip("no unix sockets here: ", err)
	}
	p := tlsdrill.NewPlainOn(t, l, refusal)
	pool, err := open(t.Context(), d.Client, "host="+dir+" port=5432 user=user-canary database=base-canary")
	require.NoError(t, err)
	require.Error(t, pool.Ping(t.Context()))
	pool.Close()
	require.True(t, p.Asked())
	require.False(t, p.Holds("user-canary", "base-canary"))
}
