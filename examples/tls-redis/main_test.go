package main

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/examples/internal/tlsdrill"
	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

const secret = "correct-horse"

// startRedis runs a server that takes TLS alone, and returns its address.
func startRedis(t *testing.T, dir string) string {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("missing component: redis-server (Debian package redis-server)")
	}
	for range 5 {
		if addr := tryRedis(t, program, dir); addr != "" {
			return addr
		}
	}
	require.FailNow(t, "redis-server doesn't start")
	return ""
}

// tryRedis returns no address if the server ends at once: another has taken the port since.
func tryRedis(t *testing.T, program, dir string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	require.NoError(t, l.Close())
	c := exec.Command(program, "--port", "0", "--tls-port", port, "--bind", "127.0.0.1", "--save", "", "--dir", dir, "--requirepass", secret,
		"--tls-auth-clients", "no", "--tls-cert-file", filepath.Join(dir, "tls.crt"), "--tls-key-file", filepath.Join(dir, "tls.key"))
	require.NoError(t, c.Start())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = c.Wait() }()
	t.Cleanup(func() { _ = c.Process.Kill(); <-ended })
	up := false
	require.Eventually(t, func() bool {
		select {
		case <-ended:
			return true
		default:
		}
		conn, err := net.Dial("tcp", addr)
		if up = err == nil; up {
			conn.Close()
		}
		return up
	}, time.Minute, 20*time.Millisecond)
	if !up {
		return ""
	}
	return addr
}

func TestMove(t *testing.T) {
	d, dir := tlsdrill.New(t), t.TempDir()
	tlsconfigtest.WritePair(t, dir, d.Old)
	url := "redis://:" + secret + "@" + startRedis(t, dir)
	admin, err := open(d.Client, url)
	require.NoError(t, err)
	defer admin.Close()
	one := admin.Conn() // stays
	defer one.Close()
	require.NoError(t, one.Ping(t.Context()).Err())
	serve := func(c tls.Certificate) {
		sub, err := os.MkdirTemp(dir, "")
		require.NoError(t, err)
		cert, key := tlsconfigtest.WritePair(t, sub, c)
		require.NoError(t, one.Do(t.Context(), "CONFIG", "SET", "tls-cert-file", cert, "tls-key-file", key).Err())
	}
	d.Move(t, serve, func(ctx context.Context) error {
		db, err := open(d.Client, url)
		if err != nil {
			return err
		}
		defer db.Close()
		return db.Set(ctx, "key", "value", 0).Err()
	})
}

func TestRun(t *testing.T) {
	d, dir := tlsdrill.New(t), t.TempDir()
	tlsconfigtest.WritePair(t, dir, d.Old)
	addr := startRedis(t, dir)
	require.NoError(t, run(t.Context(), d.Roots, "redis://:"+secret+"@"+addr))
	require.ErrorContains(t, run(t.Context(), d.Roots, "redis://:wrong@"+addr), "WRONGPASS")
	require.Error(t, run(t.Context(), d.Roots+".none", "redis://:"+secret+"@"+addr))

	other := t.TempDir()
	tlsconfigtest.WritePair(t, other, d.New)
	require.Equal(t, tlsconfig.ReasonUntrusted, tlsconfig.ReasonOf(run(t.Context(), d.Roots, "redis://:"+secret+"@"+startRedis(t, other))))
}

// TestPlain: no URL sends anything in the clear.
func TestPlain(t *testing.T) {
	d := tlsdrill.New(t)
	for _, scheme := range []string{"redis", "rediss"} {
		p := tlsdrill.NewPlain(t, "+OK\r\n")
		url := scheme + "://user-canary:" + secret + "@" + p.Addr
		db, err := open(d.Client, url)
		require.NoError(t, err)
		require.Error(t, db.Set(t.Context(), "key-canary", "value", 0).Err())
		require.NoError(t, db.Close())
		require.True(t, p.Asked())
		require.False(t, p.Holds("user-canary", secret, "key-canary", "HELLO", "hello", "AUTH"))

		if scheme == "redis" { // the driver without the hook would: the tap works
			o, err := redis.ParseURL(url)
			require.NoError(t, err)
			db := redis.NewClient(o)
			_ = db.Set(t.Context(), "key-canary", "value", 0).Err()
			require.NoError(t, db.Close())
			require.True(t, p.Holds(secret))
		}
	}
	db, err := open(d.Client, "unix:///tmp/no-redis.sock")
	require.NoError(t, err)
	require.ErrorContains(t, db.Ping(t.Context()).Err(), "missing port")
	require.NoError(t, db.Close())
}

// TestSecret: no error says the password, of a URL that is none either, or of a server that is not there.
func TestSecret(t *testing.T) {
	d := tlsdrill.New(t)
	for _, at := range []string{"@127.0.0.1:1", "%zz@127.0.0.1:1", "@127.0.0.1:port"} {
		db, err := open(d.Client, "redis://user-canary:"+secret+at)
		if err == nil {
			err = db.Ping(t.Context()).Err()
			require.NoError(t, db.Close())
		}
		require.Error(t, err, at)
		require.NotContains(t, err.Error(), secret)
	}
}
