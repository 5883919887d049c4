package http

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// Traps 30, 31 and 36.
func transports(c *tls.Config, dial func(context.Context, string, string) (net.Conn, error)) []http.RoundTripper {
	late := &http.Transport{TLSClientConfig: c}
	late.ForceAttemptHTTP2 = true
	late.TLSHandshakeTimeout = time.Second
	cloned := http.DefaultTransport.(*http.Transport).Clone()
	cloned.TLSClientConfig = c
	return []http.RoundTripper{
		late, cloned,
		&http.Transport{TLSClientConfig: c, TLSHandshakeTimeout: time.Second},              // want `trap30: `
		&http.Transport{MaxIdleConns: 4},                                                   // want `trap31: `
		&http.Transport{DialTLSContext: dial, TLSClientConfig: c, ForceAttemptHTTP2: true}, // want `trap36: `
		&http.Transport{DialTLSContext: dial, ForceAttemptHTTP2: true},
		&http.Transport{TLSHandshakeTimeout: time.Second},
	}
}

func hurried() []*http.Client {
	return []*http.Client{
		{Transport: &http.Transport{MaxIdleConns: 4}, Timeout: time.Second},
		{Transport: &http.Transport{MaxIdleConns: 4}}, // want `trap31: `
	}
}

func finished(c *tls.Config) []*http.Transport {
	t := &http.Transport{TLSClientConfig: c}
	return []*http.Transport{
		utilnet.SetTransportDefaults(&http.Transport{TLSClientConfig: c}),
		utilnet.SetTransportDefaults(t),
		same(&http.Transport{MaxIdleConns: 4}), // want `trap31: `
	}
}

func same(t *http.Transport) *http.Transport { return t }

type answer struct{ net.TCPConn }

type timed struct{ net.Conn }

func pretended(dial func(string, string) (net.Conn, error)) []*http.Transport {
	return []*http.Transport{
		{Dial: func(string, string) (net.Conn, error) { return &answer{}, nil }},
		{Dial: dial}, // want `trap30: ` `trap31: `
		{Dial: func(network, addr string) (net.Conn, error) { // want `trap30: ` `trap31: `
			conn, err := dial(network, addr)
			return &timed{conn}, err
		}},
	}
}

// Trap 32.
func servers(l net.Listener, h http.Handler) []*http.Server {
	go http.ServeTLS(l, h, "cert.pem", "key.pem") // want `trap32: `
	late := &http.Server{Handler: h}
	late.ReadTimeout = time.Second
	return []*http.Server{
		late,
		{Handler: h}, // want `trap32: `
		{Handler: h, ReadHeaderTimeout: time.Second},
	}
}

// Trap 33.
func accept(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		if conn.(*tls.Conn).Handshake() != nil { // want `trap33: `
			continue
		}
		go func() { _ = conn.(*tls.Conn).Handshake() }()
	}
}

func one(conn *tls.Conn) error { return conn.Handshake() }

// Trap 34.
func rpc(c *tls.Config) {
	grpc.NewServer(grpc.Creds(credentials.NewTLS(c))) // want `trap34: `
	grpc.NewServer(grpc.Creds(credentials.NewTLS(c)), grpc.ConnectionTimeout(time.Second))
	grpc.NewServer()
}
