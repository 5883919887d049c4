package clienthello_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// needClassic skips where FIPS 140-3 mode takes away what a test is about.
func needClassic(t *testing.T) {
	t.Helper()
	if fips140.Enabled() {
		t.Skip("FIPS 140-3 mode has not got it")
	}
}

// certificates are an ECDSA and an RSA certificate, so that a server can take any suite.
var certificates = sync.OnceValue(func() []tls.Certificate {
	var all []tls.Certificate
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"server.example"}}
	for _, pair := range []struct{ public, private any }{{ec.Public(), ec}, {rs.Public(), rs}} {
		der, err := x509.CreateCertificate(rand.Reader, template, template, pair.public, pair.private)
		if err != nil {
			panic(err)
		}
		all = append(all, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: pair.private})
	}
	return all
})

// serve has accept answer every connection until the test ends, and returns where.
func serve(t testing.TB, answer func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wait.Go(func() {
				defer conn.Close()
				answer(conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wait.Wait()
	})
	return l.Addr().String()
}

// serveTLS serves handshakes by config until the test ends, and returns where.
func serveTLS(t testing.TB, config *tls.Config) string {
	t.Helper()
	if config.Certificates == nil {
		config.Certificates = certificates()
	}
	return serve(t, func(conn net.Conn) {
		_ = tls.Server(conn, config).Handshake() // the prober never ends it
		_, _ = io.Copy(io.Discard, conn)         // until it hangs up: a reset may overtake the answer
	})
}

// dial returns a connection that is closed when the test ends.
func dial(t testing.TB, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}
