package tlsdrill

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Plain is a server that takes whatever it is told, answers nothing but reply, and speaks no TLS.
type Plain struct {
	Addr string

	mu   sync.Mutex
	seen bytes.Buffer
}

// NewPlain starts one. It answers the first bytes of a connection with reply and ends it.
func NewPlain(t *testing.T, reply string) *Plain {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return NewPlainOn(t, l, reply)
}

// NewPlainOn is NewPlain on a listener of the caller's.
func NewPlainOn(t *testing.T, l net.Listener, reply string) *Plain {
	t.Helper()
	p := &Plain{Addr: l.Addr().String()}
	var work sync.WaitGroup
	t.Cleanup(func() { l.Close(); work.Wait() })
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() { p.serve(c, reply) })
		}
	})
	return p
}

func (p *Plain) serve(c net.Conn, reply string) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	b := make([]byte, 4096)
	for {
		n, err := c.Read(b)
		p.mu.Lock()
		p.seen.Write(b[:n])
		p.mu.Unlock()
		if err != nil {
			return
		}
		if _, err := io.WriteString(c, reply); err != nil {
			return
		}
	}
}

// Holds says whether it was told any of these.
func (p *Plain) Holds(texts ...string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, text := range texts {
		if bytes.Contains(p.seen.Bytes(), []byte(text)) {
			return true
		}
	}
	return false
}

// Asked says whether anybody has said anything.
func (p *Plain) Asked() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen.Len() > 0
}

// Shows says whether the server at the other end of conn shows this certificate. It trusts that one alone.
func Shows(conn net.Conn, want tls.Certificate) bool {
	_ = conn.SetDeadline(time.Now().Add(Patience))
	shown, enough := false, errors.New("seen")
	_ = tls.Client(conn, &tls.Config{ServerName: "localhost", RootCAs: pool(want), VerifyConnection: func(cs tls.ConnectionState) error {
		shown = cs.PeerCertificates[0].Equal(want.Leaf)
		return enough
	}}).Handshake()
	return shown
}

func pool(c tls.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(c.Leaf)
	return p
}
