package tlsconfig_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// before is an endpoint that passes on what comes to another, unless handle, which is given the hello and how many came before, has dealt with it.
func before(t testing.TB, addr string, handle func(c net.Conn, hello []byte, n int64) bool) string {
	var count atomic.Int64
	return hostile(t, func(c net.Conn) {
		hello := make([]byte, 5)
		if _, err := io.ReadFull(c, hello); err != nil {
			return
		}
		hello = append(hello, make([]byte, binary.BigEndian.Uint16(hello[3:]))...)
		if _, err := io.ReadFull(c, hello[5:]); err != nil || handle(c, hello, count.Add(1)-1) {
			return
		}
		to, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		defer to.Close()
		_, _ = to.Write(hello)
		go func() { _, _ = io.Copy(to, c); to.Close() }()
		_, _ = io.Copy(c, to)
	})
}

// lax is a server whose TLS 1.0 no policy allows.
func (s *served) lax(t testing.TB) string {
	return quietHTTP(t, &tls.Config{Certificates: []tls.Certificate{s.server}, MinVersion: tls.VersionTLS10}, withHSTS("max-age=1"))
}

// wholeOrNot requires that an endpoint which has TLS 1.0 is found out, or said not to have been seen.
func wholeOrNot(t *testing.T, s *served, front string) {
	t.Helper()
	r, err := tlsconfig.Probe(t.Context(), tlsconfig.MozillaIntermediate(), s.endpoint(front))
	if err != nil {
		require.ErrorIs(t, err, tlsconfig.ErrUnanswered)
		return
	}
	require.Contains(t, r.Facts[0].Versions, "TLS 1.0", "%s", r)
	require.Error(t, r.Err())
}

// What an endpoint that has too much to do does not answer, or answers with an alert, is no refusal.
func TestProbeOfBusy(t *testing.T) {
	if fips140.Enabled() {
		t.Skip("FIPS 140-3 mode serves no TLS 1.0")
	}
	s := newServed(t)
	addr := s.lax(t)
	for _, every := range []int64{2, 3, 5} {
		t.Run(fmt.Sprint("hangs up on one of ", every), func(t *testing.T) {
			wholeOrNot(t, s, before(t, addr, func(_ net.Conn, _ []byte, n int64) bool { return n > 0 && n%every == 0 }))
		})
	}
	for _, alert := range []byte{0, 80, 90} {
		for _, good := range []int64{1, 4, 10} {
			t.Run(fmt.Sprintf("alert %d after %d", alert, good), func(t *testing.T) {
				wholeOrNot(t, s, before(t, addr, func(c net.Conn, _ []byte, n int64) bool {
					if n >= good {
						_, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, alert})
					}
					return n >= good
				}))
			})
		}
	}
	t.Run("refuses all in the end", func(t *testing.T) {
		r, err := tlsconfig.Probe(t.Context(), tlsconfig.Policy{}, s.endpoint(before(t, addr, func(c net.Conn, _ []byte, n int64) bool {
			if n >= 5 {
				_, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, 40})
			}
			return n >= 5
		})))
		require.ErrorIs(t, err, tlsconfig.ErrUnanswered)
		require.Contains(t, r.Facts[0].Unanswered, "agreed to before")
	})
}

// What a policy judges and was not seen is not within it.
func TestProbeOfUnseen(t *testing.T) {
	s := newServed(t)
	t.Run("certificate", func(t *testing.T) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		leaf, err := x509.ParseCertificate(s.server.Certificate[0])
		require.NoError(t, err)
		c := s.modern()
		c.Certificates = []tls.Certificate{{Certificate: [][]byte{[]byte("junk")}, PrivateKey: key, Leaf: leaf}}
		r, err := tlsconfig.Probe(t.Context(), tlsconfig.Policy{}, s.endpoint(quietHTTP(t, c, withHSTS("max-age=1"))))
		require.ErrorIs(t, err, tlsconfig.ErrUnanswered)
		require.Contains(t, r.Facts[0].Unanswered, "certificate")
	})
	t.Run("clients", func(t *testing.T) {
		c := s.modern()
		c.ClientAuth = tls.RequestClientCert
		addr := hostile(t, func(conn net.Conn) { // it ends all connections, whoever comes
			if tls.Server(conn, c).Handshake() == nil {
				_ = conn.(*net.TCPConn).SetLinger(0)
			}
		})
		r, err := tlsconfig.Probe(t.Context(), tlsconfig.InternalMTLS(), s.endpoint(addr))
		if r.Err() == nil {
			require.ErrorIs(t, err, tlsconfig.ErrUnanswered)
		}
	})
}

// What an unknown name gets is not judged as if it were for the name that is probed.
func TestProbeOfDefaultCertificate(t *testing.T) {
	s := newServed(t)
	other := tlsconfigtest.NewCA(t, nil).Issue(&tlsconfigtest.Leaf{DNS: []string{"default.example"}, Server: true})
	c := s.modern()
	c.GetCertificate = func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if h.ServerName == servedHost {
			return &s.server, nil
		}
		return &other, nil
	}
	r, facts := probeOf(t, tlsconfig.Policy{}, s.endpoint(quietHTTP(t, c, withHSTS("max-age=1"))))
	require.NoError(t, r.Err())
	require.Equal(t, "verified", facts.Trust)
	require.NotContains(t, facts.Names, "default.example")
	require.Equal(t, "served", facts.UnknownName)
}

// One that hangs up on protocols which it has not is seen whole, and so are one that takes no hello of many suites, and one without tickets.
func TestProbeOfParticular(t *testing.T) {
	s := newServed(t)
	addr := quietHTTP(t, s.modern(), withHSTS("max-age=1"))
	t.Run("protocols", func(t *testing.T) {
		e := s.endpoint(before(t, addr, func(_ net.Conn, hello []byte, _ int64) bool { return bytes.Contains(hello, []byte("proto-")) }))
		for i := range 16 {
			e.Protocols = append(e.Protocols, fmt.Sprint("proto-", i))
		}
		_, facts := probeOf(t, tlsconfig.Policy{}, e)
		require.Equal(t, []string{"h2", "http/1.1"}, facts.Protocols)
	})
	t.Run("suites", func(t *testing.T) {
		_, facts := probeOf(t, tlsconfig.Policy{}, s.endpoint(before(t, addr, func(_ net.Conn, hello []byte, _ int64) bool {
			session := int(hello[43])
			return binary.BigEndian.Uint16(hello[44+session:]) > 256
		})))
		require.Equal(t, []string{"TLS 1.3"}, facts.Versions)
	})
	t.Run("tickets", func(t *testing.T) {
		c := s.modern()
		c.SessionTicketsDisabled = true
		_, facts := probeOf(t, tlsconfig.Policy{}, s.endpoint(quietHTTP(t, c, withHSTS("max-age=1"))))
		require.Empty(t, facts.Resumes)
		require.NotContains(t, strings.Join(facts.NotSeen, "\n"), "resumed")
	})
	t.Run("early hints", func(t *testing.T) {
		_, facts := probeOf(t, tlsconfig.Policy{}, s.endpoint(quietHTTP(t, s.modern(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Set("Strict-Transport-Security", "max-age=63072000")
		}))))
		require.Equal(t, "max-age=63072000", facts.HSTS)
	})
	t.Run("zone", func(t *testing.T) {
		e := s.endpoint("[::1%lo]:443")
		e.ServerName = ""
		e.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
		r, facts := probeOf(t, tlsconfig.Policy{}, e)
		require.ErrorContains(t, r.Err(), "not ::1\"", "it is for another address")
		require.Equal(t, "max-age=1", facts.HSTS)
	})
}

// What was seen when the time is over is not lost.
func TestProbeOutOfTime(t *testing.T) {
	s := newServed(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	good := quietHTTP(t, s.modern(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { cancel() })) // which comes after the versions
	silent := hostile(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	r, err := tlsconfig.Probe(ctx, tlsconfig.Policy{}, s.endpoint(silent), s.endpoint(good))
	require.ErrorIs(t, err, tlsconfig.ErrUnanswered)
	require.NotEmpty(t, r.Facts[0].Unanswered)
	require.NotEmpty(t, r.Facts[1].Versions)
}
