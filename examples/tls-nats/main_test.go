package main

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/examples/internal/tlsdrill"
	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

const login = "user-canary:correct-horse"

// start runs a server on loopback whose certificate is what certificate returns, and returns its address.
func start(t *testing.T, certificate func() *tls.Certificate) string {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, Username: "user-canary", Password: "correct-horse",
		TLS: true, TLSHandshakeFirst: true, TLSTimeout: tlsdrill.Patience.Seconds(), AuthTimeout: tlsdrill.Patience.Seconds(),
		TLSConfig: &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate(), nil }},
	})
	require.NoError(t, err)
	go s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	require.True(t, s.ReadyForConnections(tlsdrill.Patience))
	return s.Addr().String()
}

func TestMove(t *testing.T) {
	d := tlsdrill.New(t)
	var now atomic.Pointer[tls.Certificate]
	serve := func(c tls.Certificate) { now.Store(&c) }
	serve(d.Old)
	url := "nats://" + login + "@" + start(t, now.Load)
	d.Move(t, serve, func(ctx context.Context) error {
		conn, err := open(ctx, d.Client, url)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := conn.Publish("orders", []byte("12 roses")); err != nil {
			return err
		}
		return conn.FlushTimeout(tlsdrill.Patience)
	})
}

// TestPlain: no URL sends anything in the clear, whatever the server says there.
func TestPlain(t *testing.T) {
	d := tlsdrill.New(t)
	const info = `INFO {"server_id":"x","version":"2.15.2","proto":1,"max_payload":1048576,"tls_available":true}` + "\r\n"
	for _, scheme := range []string{"nats", "tls"} {
		p := tlsdrill.NewPlain(t, info)
		_, err := open(t.Context(), d.Client, scheme+"://"+login+"@"+p.Addr)
		require.Error(t, err)
		require.True(t, p.Asked())
		require.False(t, p.Holds("user-canary", "correct-horse", "CONNECT"))
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	ca := tlsconfigtest.NewCA(t, nil)
	leaf := ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"localhost"}, Server: true})
	file := filepath.Join(dir, "ca.pem")
	require.NoError(t, os.WriteFile(file, ca.PEM(), 0o600))
	addr := start(t, func() *tls.Certificate { return &leaf })
	local := "localhost" + addr[len("127.0.0.1"):]
	require.NoError(t, run(t.Context(), file, "nats://"+login+"@"+local))
	require.ErrorIs(t, run(t.Context(), file, "nats://user-canary:wrong@"+local), nats.ErrAuthorization)
	require.Equal(t, tlsconfig.ReasonName, tlsconfig.ReasonOf(run(t.Context(), file, "nats://"+login+"@"+addr)))
	require.Error(t, run(t.Context(), filepath.Join(dir, "none.pem"), "nats://"+local))
	require.Error(t, run(t.Context(), file, "nats://127.0.0.1:1"))
}

// TestSecret: no error says the password, of a URL that is none either, or of a server that is not there.
func TestSecret(t *testing.T) {
	d := tlsdrill.New(t)
	for _, at := range []string{"@127.0.0.1:1", "%zz@127.0.0.1:1", "@127.0.0.1:port"} {
		_, err := open(t.Context(), d.Client, "nats://"+login+at)
		require.Error(t, err, at)
		require.NotContains(t, err.Error(), "correct-horse")
	}
}
