package tlsconfig_test

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// TestGuardSlowHandshakes: clients that say nothing, or a byte at a time, are closed when their time is over, and give way to others before.
func TestGuardSlowHandshakes(t *testing.T) {
	s := newServed(t)
	hello := helloOf(t, s.plain())
	slow := func(t *testing.T, f *far, n int) (all []net.Conn) {
		var work sync.WaitGroup
		done := make(chan struct{})
		t.Cleanup(func() {
			close(done)
			for _, c := range all {
				c.Close()
			}
			work.Wait()
		})
		for i := range n {
			c, err := f.dial("192.0.2.1")
			require.NoError(t, err)
			all = append(all, c)
			if i%2 == 0 {
				continue
			}
			work.Go(func() {
				for _, b := range hello {
					if _, err := c.Write([]byte{b}); err != nil {
						return
					}
					select {
					case <-done:
						return
					case <-time.After(20 * time.Millisecond):
					}
				}
			})
		}
		return all
	}
	t.Run("closed", func(t *testing.T) {
		server, f := s.newServer(t, nil), newFar(t)
		guard(t, server, f, &tlsconfig.GuardOptions{Handshake: 500 * time.Millisecond})
		for _, c := range slow(t, f, 40) {
			closedOn(t, c)
		}
		refusals(t, server, tlsconfig.ReasonTimeout, 40)
	})
	t.Run("give way", func(t *testing.T) {
		server, f := s.newServer(t, nil), newFar(t)
		guard(t, server, f, &tlsconfig.GuardOptions{Handshake: 5 * time.Minute, Concurrent: 16})
		all := slow(t, f, 20)
		for _, c := range all[:4] { // of the source with most, those that took longest
			closedOn(t, c)
		}
		refusals(t, server, tlsconfig.ReasonBusy, 4)
		for range 8 {
			_, err := f.hear("192.0.2.2", s.plain())
			require.NoError(t, err)
		}
		require.LessOrEqual(t, server.Inventory().Refused[tlsconfig.ReasonBusy], uint64(12))
	})
	t.Run("Serve", func(t *testing.T) { // where everybody is one source, which gives its oldest
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		server := s.newServer(t, nil)
		guarded, err := server.Guard(l, &tlsconfig.GuardOptions{Handshake: 5 * time.Minute, Concurrent: 8, PerSource: 8})
		require.NoError(t, err)
		h := &http.Server{Handler: hostSays}
		done := make(chan error, 1)
		go func() { done <- server.Serve(h, guarded) }()
		for range 14 {
			c, err := net.Dial("tcp", l.Addr().String())
			require.NoError(t, err)
			defer c.Close()
		}
		ask(t, l.Addr().String(), &tls.Config{RootCAs: s.ca.Pool(), ServerName: servedHost})
		refusals(t, server, tlsconfig.ReasonBusy, 7)
		require.NoError(t, guarded.Close()) // ends what serves it
		require.Error(t, <-done)
		require.NoError(t, h.Close())
	})
}

// TestGuardClose ends handshakes in flight, those that are done and wait for Accept, and Accept.
func TestGuardClose(t *testing.T) {
	s := newServed(t)
	seen := &events{}
	server, f := s.newServer(t, &tlsconfig.ServerOptions{Observer: seen}), newFar(t)
	guarded, err := server.Guard(f, nil)
	require.NoError(t, err)
	first, err := f.dial("192.0.2.1")
	require.NoError(t, err)
	defer first.Close()
	go tls.Client(first, s.plain()).Handshake()
	conn, err := guarded.Accept()
	require.NoError(t, err)
	defer conn.Close()

	silent, err := f.dial("192.0.2.1")
	require.NoError(t, err)
	defer silent.Close()
	waits, err := f.dial("192.0.2.1")
	require.NoError(t, err)
	defer waits.Close()
	client := tls.Client(waits, s.plain())
	require.NoError(t, client.Handshake())
	require.Eventually(t, func() bool { return len(seen.of(tlsconfig.KindHandshake)) == 2 }, time.Minute, time.Millisecond)
	require.NoError(t, guarded.Close())
	closedOn(t, silent)
	client.SetReadDeadline(time.Now().Add(time.Minute))
	_, err = client.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	_, err = guarded.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = conn.Write([]byte("what was accepted goes on"))
	require.NoError(t, err)
}

// angry is an Observer that panics.
type angry struct{}

func (angry) Observe(tlsconfig.Event) { panic("angry") }

// TestGuardRecovers: code of a user that panics ends a connection, not the process.
func TestGuardRecovers(t *testing.T) {
	s := newServed(t)
	said := make(chan struct{}, 100)
	defer log.SetOutput(log.Writer())
	log.SetOutput(writerFunc(func(p []byte) (int, error) {
		said <- struct{}{}
		return len(p), nil
	}))
	server, f := s.newServer(t, &tlsconfig.ServerOptions{Observer: angry{}}), newFar(t)
	list := allow(t)
	guard(t, server, f, &tlsconfig.GuardOptions{Allow: list})
	for range 3 {
		_, err := f.hear("192.0.2.1", s.plain())
		require.Error(t, err)
	}
	<-said // of one of them at least
	require.NoError(t, list.Replace(prefixes(t, "192.0.2.1")))
	_, err := f.hear("192.0.2.1", s.plain())
	require.Error(t, err)
	refusals(t, server, tlsconfig.ReasonAddress, 3)
	<-said
}
