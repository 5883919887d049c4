package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// counted is a server that counts connections, and can hold a request.
type counted struct {
	addr   string
	opened atomic.Int64
	closed atomic.Int64
	hold   chan struct{} // /held answers after it is closed
}

func (s *served) newCounted(t testing.TB, o *tlsconfig.ServerOptions) *counted {
	c := &counted{hold: make(chan struct{})}
	h := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/held" {
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-c.hold
		}
		fmt.Fprint(w, r.Proto)
	}), ConnState: func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			c.opened.Add(1)
		case http.StateClosed:
			c.closed.Add(1)
		}
	}}
	c.addr = serveHTTP(t, s.newServer(t, o), h)
	return c
}

// TestTransportSwaps roots while requests go on: new requests get connections under the new roots, and old ones are drained as it says.
func TestTransportSwaps(t *testing.T) {
	for name, drain := range map[string]tlsconfig.Drain{"idle": {}, "keep": {Keep: true}, "age": {MaxAge: time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			s := newServed(t)
			server := s.newCounted(t, nil)
			roots := newSwapRoots(s.ca.Pool())
			client, err := tlsconfig.NewClient(t.Context(), roots, &tlsconfig.ClientOptions{Drain: drain})
			require.NoError(t, err)
			defer client.Close()
			rt, err := client.Transport(to(server.addr))
			require.NoError(t, err)
			ask := func() error {
				status, body, err := get(t, rt, "https://"+servedHost+"/")
				if err == nil {
					require.Equal(t, 200, status)
					require.Equal(t, "HTTP/2.0", body)
				}
				return err
			}
			for range 5 {
				require.NoError(t, ask())
			}
			require.EqualValues(t, 1, server.opened.Load(), "they share a connection")
			held := make(chan error, 1)
			began := make(chan struct{})
			go func() {
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+servedHost+"/held", nil)
				resp, err := rt.RoundTrip(req)
				close(began)
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				held <- err
			}()
			<-began
			both := s.ca.Pool()
			both.AddCert(tlsconfigtest.NewCA(t, nil).Certificate())
			roots.swap(both)
			require.Eventually(t, func() bool { return ask() == nil && server.opened.Load() == 2 }, 10*time.Second, time.Millisecond, "a new connection")
			if drain.MaxAge > 0 {
				require.Error(t, <-held, "it is closed, whatever it does")
				close(server.hold)
			} else {
				close(server.hold)
				require.NoError(t, <-held, "a request goes on to its end")
			}
			if !drain.Keep {
				require.Eventually(t, func() bool { return server.closed.Load() == 1 }, 10*time.Second, time.Millisecond, "the old one is closed")
			} else {
				require.NoError(t, ask())
				require.Zero(t, server.closed.Load())
			}
			roots.swap(tlsconfigtest.NewCA(t, nil).Pool())
			require.Eventually(t, func() bool { return tlsconfig.ReasonOf(ask()) == tlsconfig.ReasonUntrusted }, 10*time.Second, time.Millisecond, "no old connection serves a new request")
			require.NoError(t, client.Close())
			require.Eventually(t, func() bool { return server.closed.Load() == server.opened.Load() }, 10*time.Second, time.Millisecond, "Close closes what is idle")
			require.Error(t, ask())
		})
	}
}

// TestTransportRefuses what would go round the Client.
func TestTransportRefuses(t *testing.T) {
	s := newServed(t)
	client := s.newClient(t, nil)
	for name, base := range map[string]*http.Transport{
		"TLS settings":   {TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		"DialTLSContext": {DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return nil, nil }},
		"DialTLS":        {DialTLS: func(string, string) (net.Conn, error) { return nil, nil }},
	} {
		_, err := client.Transport(base)
		require.ErrorIs(t, err, tlsconfig.ErrInvalid, name)
	}
	plain := httptest.NewServer(hostSays)
	defer plain.Close()
	rt, err := client.Transport(nil)
	require.NoError(t, err)
	_, _, err = get(t, rt, plain.URL)
	require.ErrorIs(t, err, tlsconfig.ErrInvalid, "http:// is not encrypted")
}

// TestTransportThroughProxy: a proxy sees nothing, and changes nothing of what is verified.
func TestTransportThroughProxy(t *testing.T) {
	s := newServed(t)
	server := s.newCounted(t, nil)
	var asked atomic.Int64
	var work sync.WaitGroup
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "no", http.StatusMethodNotAllowed)
			return
		}
		work.Add(1) // before the proxy forgets the connection
		defer work.Done()
		asked.Add(1)
		out, err := net.Dial("tcp", server.addr)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		in, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		fmt.Fprint(in, "HTTP/1.1 200 OK\r\n\r\n")
		var both sync.WaitGroup
		both.Go(func() { io.Copy(out, in); out.Close() })
		both.Go(func() { io.Copy(in, out); in.Close() })
		both.Wait()
	}))
	defer work.Wait()
	defer proxy.Close()
	at, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	roots := newSwapRoots(s.ca.Pool())
	client, err := tlsconfig.NewClient(t.Context(), roots, nil)
	require.NoError(t, err)
	defer client.Close()
	rt, err := client.Transport(&http.Transport{Proxy: http.ProxyURL(at)})
	require.NoError(t, err)
	status, _, err := get(t, rt, "https://"+servedHost+"/")
	require.NoError(t, err)
	require.Equal(t, 200, status)
	require.EqualValues(t, 1, asked.Load())
	_, _, err = get(t, rt, "https://evil.example/")
	require.Equal(t, tlsconfig.ReasonName, tlsconfig.ReasonOf(err))
	roots.swap(tlsconfigtest.NewCA(t, nil).Pool())
	require.Eventually(t, func() bool {
		_, _, err := get(t, rt, "https://"+servedHost+"/")
		return tlsconfig.ReasonOf(err) == tlsconfig.ReasonUntrusted
	}, 10*time.Second, time.Millisecond)
}

// TestDialedConnectionsAge: what DialContext returned is closed some time after a change.
func TestDialedConnectionsAge(t *testing.T) {
	s := newServed(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", s.newServer(t, nil).Config())
	require.NoError(t, err)
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			go conn.(*tls.Conn).Handshake()
		}
	}()
	roots := newSwapRoots(s.ca.Pool())
	client, err := tlsconfig.NewClient(t.Context(), roots, &tlsconfig.ClientOptions{Drain: tlsconfig.Drain{MaxAge: 10 * time.Millisecond}})
	require.NoError(t, err)
	defer client.Close()
	conn, err := client.DialContext(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	ended := make(chan error, 1)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		ended <- err
	}()
	both := s.ca.Pool()
	both.AddCert(tlsconfigtest.NewCA(t, nil).Certificate())
	roots.swap(both)
	require.Error(t, <-ended)
}
