package tlsconfig_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// TestGuard: what accepts its connections.
func TestGuard(t *testing.T) {
	s := newServed(t)
	for name, serve := range map[string]func(*tlsconfig.Server, *http.Server, net.Listener) error{
		"Server.Serve":      func(server *tlsconfig.Server, h *http.Server, l net.Listener) error { return server.Serve(h, l) },
		"http.Server.Serve": func(_ *tlsconfig.Server, h *http.Server, l net.Listener) error { return h.Serve(l) },
	} {
		t.Run(name, func(t *testing.T) {
			server := s.newServer(t, nil)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			guarded, err := server.Guard(l, &tlsconfig.GuardOptions{Allow: allow(t, "127.0.0.1")})
			require.NoError(t, err)
			require.Equal(t, l.Addr(), guarded.Addr())
			h := &http.Server{Handler: hostSays}
			done := make(chan error, 1)
			go func() { done <- serve(server, h, guarded) }()
			rt, err := s.newClient(t, nil).Transport(to(l.Addr().String()))
			require.NoError(t, err)
			_, body, err := get(t, rt, "https://"+servedHost+"/")
			require.NoError(t, err)
			require.Equal(t, "HTTP/2.0 false []", body)
			require.Equal(t, "http/1.1", ask(t, l.Addr().String(), &tls.Config{RootCAs: s.ca.Pool(), ServerName: servedHost, NextProtos: []string{"http/1.1"}}).NegotiatedProtocol)
			require.NoError(t, h.Close())
			require.ErrorIs(t, <-done, http.ErrServerClosed)
			_, err = net.Dial("tcp", l.Addr().String())
			require.Error(t, err)
		})
	}
	t.Run("Accept", func(t *testing.T) {
		seen := &events{}
		server, f := s.newServer(t, &tlsconfig.ServerOptions{Observer: seen, Protocols: []string{"raw"}}), newFar(t)
		guarded, err := server.Guard(f, nil)
		require.NoError(t, err)
		defer guarded.Close()
		go f.hear("192.0.2.1", &tls.Config{RootCAs: s.ca.Pool(), ServerName: servedHost, NextProtos: []string{"raw"}})
		conn, err := guarded.Accept()
		require.NoError(t, err)
		defer conn.Close()
		require.Equal(t, "192.0.2.1:50000", conn.RemoteAddr().String())
		cs := conn.(*tls.Conn).ConnectionState()
		require.True(t, cs.HandshakeComplete)
		require.Equal(t, "raw", cs.NegotiatedProtocol)
		require.Len(t, seen.of(tlsconfig.KindHandshake), 1)
	})
}

// TestGuardRefuses what is no option, and listeners that are guarded.
func TestGuardRefuses(t *testing.T) {
	s := newServed(t)
	server, f := s.newServer(t, nil), newFar(t)
	for name, o := range map[string]tlsconfig.GuardOptions{
		"short":            {Handshake: time.Millisecond},
		"long":             {Handshake: time.Hour},
		"negative time":    {Handshake: -time.Second},
		"few":              {Concurrent: -1},
		"many":             {Concurrent: 1 << 20},
		"few of a source":  {PerSource: -1},
		"many of a source": {PerSource: 1 << 20},
		"slow":             {SourceRate: -1},
		"fast":             {SourceRate: 1_000_001},
		"few signatures":   {Signatures: -1},
		"many signatures":  {Signatures: 1_000_001},
	} {
		_, err := server.Guard(f, &o)
		require.ErrorIs(t, err, tlsconfig.ErrInvalid, name)
	}
	_, err := server.Guard(nil, nil)
	require.ErrorIs(t, err, tlsconfig.ErrInvalid)
	guarded, err := server.Guard(f, nil)
	require.NoError(t, err)
	_, err = server.Guard(guarded, nil)
	require.ErrorIs(t, err, tlsconfig.ErrInvalid)
	other := s.newServer(t, nil)
	require.ErrorIs(t, other.Serve(&http.Server{}, guarded), tlsconfig.ErrInvalid)
	require.NoError(t, other.Close())
	_, err = other.Guard(f, nil)
	require.ErrorIs(t, err, tlsconfig.ErrClosed)
}

// TestGuardAllow: who is not in the list gets no byte, and who is gets in.
func TestGuardAllow(t *testing.T) {
	s := newServed(t)
	seen := &events{}
	server, f := s.newServer(t, &tlsconfig.ServerOptions{Observer: seen}), newFar(t)
	list := allow(t, "192.0.2.0/24", "2001:db8::/32")
	guard(t, server, f, &tlsconfig.GuardOptions{Allow: list})
	for _, from := range []string{"192.0.2.1", "::ffff:192.0.2.2", "2001:db8::1"} {
		_, err := f.hear(from, s.plain())
		require.NoError(t, err, from)
	}
	for _, from := range []string{"192.0.3.1", "::ffff:192.0.3.2", "2001:db9::1", "::192.0.2.1"} {
		_, err := f.hear(from, s.plain())
		require.Error(t, err, from)
	}
	refusals(t, server, tlsconfig.ReasonAddress, 4)
	told := seen.of(tlsconfig.KindRefused)
	require.NotEmpty(t, told)
	require.Equal(t, tlsconfig.ReasonAddress, told[0].Reason)
	require.True(t, told[0].Server)

	require.NoError(t, list.Replace(prefixes(t, "192.0.3.1")))
	_, err := f.hear("192.0.3.1", s.plain())
	require.NoError(t, err)
	_, err = f.hear("192.0.2.1", s.plain())
	require.Error(t, err)
	require.NoError(t, list.Replace(nil))
	_, err = f.hear("192.0.3.1", s.plain())
	require.Error(t, err)
	refusals(t, server, tlsconfig.ReasonAddress, 6)
}

// TestGuardNoAddress: connections without an IP address are in no list, whatever they call themselves.
func TestGuardNoAddress(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a client of a Unix socket has no name there")
	}
	s := newServed(t)
	for name, c := range map[string]struct {
		list *tlsconfig.AllowList
		in   bool
	}{"no list": {nil, true}, "a list of all": {allow(t, "0.0.0.0/0", "::/0"), false}} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			l, err := net.Listen("unix", "socket")
			require.NoError(t, err)
			server := s.newServer(t, nil)
			guard(t, server, l, &tlsconfig.GuardOptions{Allow: c.list})
			raw, err := (&net.Dialer{LocalAddr: &net.UnixAddr{Name: "127.0.0.1:50000", Net: "unix"}}).DialContext(t.Context(), "unix", l.Addr().String())
			require.NoError(t, err)
			_, err = hearOn(raw, s.plain())
			if c.in {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			refusals(t, server, tlsconfig.ReasonAddress, 1)
		})
	}
}

// TestGuardPerSource: one source has so many handshakes and no more, which others don't notice.
func TestGuardPerSource(t *testing.T) {
	s := newServed(t)
	server, f := s.newServer(t, nil), newFar(t)
	guard(t, server, f, &tlsconfig.GuardOptions{PerSource: 3, SourceRate: 1000})
	var silent []net.Conn
	for _, from := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::3"} {
		c, err := f.dial(from)
		require.NoError(t, err)
		defer c.Close()
		silent = append(silent, c)
	}
	_, err := f.hear("2001:db8::4", s.plain())
	require.Error(t, err)
	refusals(t, server, tlsconfig.ReasonBusy, 1)
	_, err = f.hear("2001:db8:0:1::1", s.plain())
	require.NoError(t, err)
	silent[0].Close()
	require.Eventually(t, func() bool { _, err := f.hear("2001:db8::4", s.plain()); return err == nil }, time.Minute, 10*time.Millisecond)
}

// TestGuardSourceRate: one source opens so many connections a second, which others don't notice.
func TestGuardSourceRate(t *testing.T) {
	s := newServed(t)
	server, f := s.newServer(t, nil), newFar(t)
	guard(t, server, f, &tlsconfig.GuardOptions{SourceRate: 2})
	begun, in := time.Now(), 0
	for range 20 {
		if _, err := f.hear("192.0.2.1", s.plain()); err == nil {
			in++
		}
	}
	require.GreaterOrEqual(t, in, 2)
	require.LessOrEqual(t, float64(in), 2+2*time.Since(begun).Seconds())
	if in < 20 {
		require.Eventually(t, func() bool { return server.Inventory().Refused[tlsconfig.ReasonRate] == uint64(20-in) }, time.Minute, time.Millisecond)
	}
	_, err := f.hear("192.0.2.2", s.plain())
	require.NoError(t, err)
}
