package tlsconfig

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/holdfast-go/holdfast/internal/mempipe"
)

// noListener is a listener that is closed.
type noListener struct{}

func (noListener) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (noListener) Close() error              { return nil }
func (noListener) Addr() net.Addr            { return &net.UnixAddr{Name: "memory", Net: "memory"} }

// oneConn is a listener with one connection. It is closed when that was taken and close was called.
type oneConn struct {
	noListener
	conns chan net.Conn
	once  sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c, ok := <-l.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.conns) })
	return nil
}

// request asks a server for HEAD / of host, in memory.
func request(ctx context.Context, h *http.Server, config *tls.Config, host string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, shakeTimeout)
	defer cancel()
	serverPipe, clientPipe := mempipe.New()
	defer serverPipe.Close()
	defer clientPipe.Close()
	l := &oneConn{conns: make(chan net.Conn, 1)}
	l.conns <- serverPipe
	served := make(chan struct{})
	go func() {
		defer close(served)
		defer serverPipe.Close() // it does not serve, or we are done
		_ = h.ServeTLS(l, "", "")
	}()
	defer func() {
		_ = l.Close()
		_ = h.Close()
		<-served
	}()
	stop := context.AfterFunc(ctx, func() { _ = clientPipe.Close() }) // ends reads
	defer stop()

	conn := tls.Client(clientPipe, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return head(ctx, conn, host, "holdfast-audit")
}

// maxHead is how much of an answer is read, in bytes.
const maxHead = 64 << 10

// head asks for HEAD / of host over conn, by HTTP/1.1.
func head(ctx context.Context, conn net.Conn, host, agent string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, "https://"+host+"/", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", agent)
	req.Close = true
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	answers := bufio.NewReader(io.LimitReader(conn, maxHead))
	for {
		resp, err := http.ReadResponse(answers, req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode/100 != 1 || resp.StatusCode == http.StatusSwitchingProtocols { // those before the answer: RFC 9110 section 15.2
			return resp, resp.Body.Close()
		}
	}
}
