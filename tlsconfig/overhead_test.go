package tlsconfig_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// handWritten is what a careful person writes by hand for the same mutual TLS.
func (s *served) handWritten() (server, client *tls.Config) {
	groups := []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384}
	server = &tls.Config{
		Certificates: []tls.Certificate{s.server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: s.ca.Pool(), MinVersion: tls.VersionTLS12,
		CurvePreferences: groups, NextProtos: []string{"h2", "http/1.1"},
	}
	client = &tls.Config{RootCAs: s.ca.Pool(), ServerName: servedHost, Certificates: []tls.Certificate{s.client}, MinVersion: tls.VersionTLS12, CurvePreferences: groups}
	return server, client
}

// handshaker does handshakes over loopback, one after the other.
type handshaker struct {
	listener net.Listener
	server   *tls.Config
	client   func() *tls.Config
}

func newHandshaker(b *testing.B, server *tls.Config, client func() *tls.Config) *handshaker {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	b.Cleanup(func() { l.Close() })
	return &handshaker{l, server, client}
}

func (h *handshaker) shake(b *testing.B, resumed bool) {
	done := make(chan error, 1)
	go func() {
		raw, err := h.listener.Accept()
		if err == nil {
			conn := tls.Server(raw, h.server)
			if _, err = conn.Write([]byte("x")); err == nil {
				_, err = conn.Read(make([]byte, 1))
			}
			conn.Close()
		}
		done <- err
	}()
	conn, err := tls.Dial("tcp", h.listener.Addr().String(), h.client())
	require.NoError(b, err)
	_, err = conn.Read(make([]byte, 1))
	require.NoError(b, err)
	require.Equal(b, resumed, conn.ConnectionState().DidResume)
	conn.Close()
	require.ErrorIs(b, <-done, io.EOF)
}

// BenchmarkHandshake pairs the configs of a Server and a Client with hand-written ones, in turn, so that the ratio holds where the machine is busy. ratio is the median over pairs.
func BenchmarkHandshake(b *testing.B) {
	s := newServed(b)
	server := s.newServer(b, &tlsconfig.ServerOptions{Clients: s.clients()})
	client := s.newClient(b, &tlsconfig.ClientOptions{Identity: tlsconfig.Static(s.client)})
	byHandServer, byHandClient := s.handWritten()
	for _, resumed := range []bool{false, true} {
		b.Run(fmt.Sprintf("resumed=%v", resumed), func(b *testing.B) {
			hand := byHandClient.Clone()
			own := func() *tls.Config { return client.Snapshot(servedHost) }
			if resumed {
				hand.ClientSessionCache = tls.NewLRUClientSessionCache(8)
			} else {
				own = func() *tls.Config {
					c := client.Snapshot(servedHost)
					c.ClientSessionCache = nil
					return c
				}
			}
			ours := newHandshaker(b, server.Config(), own)
			theirs := newHandshaker(b, byHandServer, func() *tls.Config { return hand })
			if resumed {
				ours.shake(b, false)
				theirs.shake(b, false)
			}
			var ratios []float64
			for b.Loop() {
				var took [2]time.Duration
				for i, h := range []*handshaker{ours, theirs} {
					start := time.Now()
					h.shake(b, resumed)
					took[i] = time.Since(start)
				}
				ratios = append(ratios, float64(took[0])/float64(took[1]))
			}
			b.ReportMetric(median(ratios), "ratio")
		})
	}
}

// TestRecordsAllocateNoMore: what a connection allocates once its handshake is done is what crypto/tls does.
func TestRecordsAllocateNoMore(t *testing.T) {
	s := newServed(t)
	handServer, handClient := s.handWritten()
	server := s.newServer(t, &tlsconfig.ServerOptions{Clients: s.clients()}).Config()
	client := s.newClient(t, &tlsconfig.ClientOptions{Identity: tlsconfig.Static(s.client)}).Snapshot(servedHost)
	allocates := func(server, client *tls.Config) float64 {
		l, err := tls.Listen("tcp", "127.0.0.1:0", server)
		require.NoError(t, err)
		defer l.Close()
		go func() {
			conn, err := l.Accept()
			if err == nil {
				io.Copy(conn, conn)
				conn.Close()
			}
		}()
		conn, err := tls.Dial("tcp", l.Addr().String(), client)
		require.NoError(t, err)
		defer conn.Close()
		buf := make([]byte, 1000)
		round := func() {
			_, err := conn.Write(buf)
			require.NoError(t, err)
			_, err = io.ReadFull(conn, buf)
			require.NoError(t, err)
		}
		for range 100 {
			round()
		}
		return testing.AllocsPerRun(1000, round)
	}
	require.InDelta(t, allocates(handServer, handClient), allocates(server, client), 1)
}
