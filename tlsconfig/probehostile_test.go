package tlsconfig_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// hostile is an endpoint on loopback that does this with every connection, which is closed when it returns.
func hostile(t testing.TB, handle func(net.Conn)) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var work sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			work.Go(func() {
				defer conn.Close()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for conn := range open {
			conn.Close()
		}
		mu.Unlock()
		work.Wait()
	})
	return l.Addr().String()
}

// hear1 reads a ClientHello.
func hear1(c net.Conn) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(c, head); err == nil {
		_, _ = io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint16(head[3:])))
	}
}

// flight is a handshake message in a record.
func flight(kind byte, body []byte) []byte {
	message := append([]byte{kind, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
	return append([]byte{22, 3, 3, byte(len(message) >> 8), byte(len(message))}, message...)
}

// serverHello agrees to TLS 1.2 with a suite, by the book or not.
func serverHello(suite uint16) []byte {
	body := append([]byte{3, 3}, make([]byte, 32)...)
	return flight(2, append(body, 0, byte(suite>>8), byte(suite), 0))
}

// One of SSL 3.0 alone, which no server that is still built has: it takes RC4, if that is offered.
func TestProbeOfSSL30(t *testing.T) {
	s := newServed(t)
	old := slices.Concat(serverHello(tls.TLS_RSA_WITH_RC4_128_SHA), flight(14, nil))
	for _, at := range []int{2, 10} { // of the version, in record and message
		old[at] = 0
	}
	r, _ := tlsconfig.Probe(t.Context(), tlsconfig.Policy{}, s.endpoint(hostile(t, func(c net.Conn) {
		head := make([]byte, 5)
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		hello := make([]byte, binary.BigEndian.Uint16(head[3:]))
		if _, err := io.ReadFull(c, hello); err != nil {
			return
		}
		if bytes.Contains(hello, []byte{0x00, 0x05, 0x00, 0x0a}) { // among the suites of crypto/tls
			_, _ = c.Write(old)
			return
		}
		_, _ = c.Write([]byte{21, 3, 0, 0, 2, 2, 40})
	})))
	require.Equal(t, []string{"SSLv3"}, r.Facts[0].Versions)
	require.Equal(t, []string{"TLS_RSA_WITH_RC4_128_SHA"}, r.Facts[0].Suites)
	require.Contains(t, violations(r), "it agrees to SSLv3")
	require.NotEmpty(t, r.Facts[0].NotSeen, "crypto/tls makes no handshake with it")
}

// Nothing that an endpoint says makes a report that tells of what is not there, and each ends in time.
func TestProbeOfHostile(t *testing.T) {
	s := newServed(t)
	for name, handle := range map[string]func(net.Conn){
		"hangs up":  func(net.Conn) {},
		"resets":    func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0); _, _ = c.Read(make([]byte, 1)) },
		"garbage":   func(c net.Conn) { hear1(c); _, _ = c.Write([]byte(strings.Repeat("\x16\x03\x03\xff", 5000))) },
		"HTTP":      func(c net.Conn) { hear1(c); _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") },
		"SSH first": func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-x\r\n"); hear1(c) },
		"huge flight": func(c net.Conn) {
			hear1(c)
			_, _ = c.Write(serverHello(tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256))
			for range 1000 {
				if _, err := c.Write(flight(11, make([]byte, 16000))); err != nil {
					return
				}
			}
		},
		"alerts without end": func(c net.Conn) {
			hear1(c)
			for range 100000 {
				if _, err := c.Write([]byte{21, 3, 3, 0, 2, 1, 112}); err != nil {
					return
				}
			}
		},
		"refuses all":   func(c net.Conn) { hear1(c); _, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, 40}) },
		"not offered":   func(c net.Conn) { hear1(c); _, _ = c.Write(slices.Concat(serverHello(0xfefe), flight(14, nil))) },
		"no hello":      func(c net.Conn) { hear1(c); _, _ = c.Write([]byte{22, 3, 3, 0, 4, 14, 0, 0, 0}) },
		"first and end": func(c net.Conn) { hear1(c); _, _ = c.Write([]byte{22, 3}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := tlsconfig.Probe(t.Context(), tlsconfig.Policy{}, s.endpoint(hostile(t, handle)))
			require.ErrorIs(t, err, tlsconfig.ErrUnanswered)
			require.NotContains(t, err.Error(), "->")
			require.Len(t, r.Facts, 1)
			require.Empty(t, r.Facts[0].Versions)
			require.Len(t, r.Facts[0].NotSeen, 1)
			require.LessOrEqual(t, r.Facts[0].Connections, 12)
		})
	}
}

// One that always answers the same, whatever it is offered, is not asked without end.
func TestProbeOfStubborn(t *testing.T) {
	s := newServed(t)
	r, err := tlsconfig.Probe(t.Context(), tlsconfig.Policy{}, s.endpoint(hostile(t, func(c net.Conn) {
		hear1(c)
		_, _ = c.Write(slices.Concat(serverHello(tls.TLS_RSA_WITH_AES_128_CBC_SHA), flight(14, nil)))
	})))
	if err != nil { // of its handshakes nothing comes
		require.ErrorIs(t, err, tlsconfig.ErrUnanswered)
	}
	facts := r.Facts[0]
	require.Equal(t, []string{"TLS 1.2"}, facts.Versions)
	require.Equal(t, []string{"TLS_RSA_WITH_AES_128_CBC_SHA"}, facts.Suites)
	require.Less(t, facts.Connections, 200)
	require.Contains(t, r.String(), "was not offered")
	require.Error(t, r.Err())
}

// One that says nothing, or a byte now and then, is left when its time is over, or that of the caller.
func TestProbeOfSlow(t *testing.T) {
	s := newServed(t)
	for name, handle := range map[string]func(context.Context, net.Conn){
		"silence": func(ctx context.Context, c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"drip": func(ctx context.Context, c net.Conn) {
			hear1(c)
			_, _ = c.Write([]byte{22, 3, 3, 1, 0})
			_, _ = io.Copy(io.Discard, c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			heard := make(chan struct{}, 1000)
			addr := hostile(t, func(c net.Conn) {
				heard <- struct{}{}
				handle(ctx, c)
			})
			go func() {
				<-heard
				cancel()
			}()
			r, err := tlsconfig.Probe(ctx, tlsconfig.Policy{}, s.endpoint(addr))
			require.ErrorIs(t, err, tlsconfig.ErrUnanswered)
			require.NotEmpty(t, r.Facts[0].Unanswered)
		})
	}
	t.Run("until its own time is over", func(t *testing.T) {
		if testing.Short() {
			t.Skip("takes 3 times 5 seconds")
		}
		r, err := tlsconfig.Probe(t.Context(), tlsconfig.Policy{}, s.endpoint(hostile(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })))
		require.ErrorIs(t, err, tlsconfig.ErrUnanswered)
		require.Equal(t, 3, r.Facts[0].Connections)
		require.Contains(t, r.Facts[0].NotSeen[0], "no answer")
	})
}

// One that goes silent after a while, or hangs up on all, is said not to have been seen in full: what it did not answer is no refusal.
func TestProbeOfFading(t *testing.T) {
	s := newServed(t)
	addr := quietHTTP(t, s.modern(), withHSTS("max-age=1"))
	var mu sync.Mutex
	n := 0
	relay := hostile(t, func(c net.Conn) {
		mu.Lock()
		n++
		over := n > 12
		mu.Unlock()
		if over {
			hear1(c)
			return
		}
		to, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		defer to.Close()
		go func() { _, _ = io.Copy(to, c); to.Close() }()
		_, _ = io.Copy(c, to)
	})
	r, err := tlsconfig.Probe(t.Context(), tlsconfig.Policy{}, s.endpoint(relay))
	require.ErrorIs(t, err, tlsconfig.ErrUnanswered)
	require.NotEmpty(t, r.Facts[0].NotSeen)
	require.Contains(t, strings.Join(r.Facts[0].NotSeen, "\n"), "hangs up without a word")
}
