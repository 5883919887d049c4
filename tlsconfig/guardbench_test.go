package tlsconfig_test

import (
	"crypto/tls"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// BenchmarkAllowList: a look-up, in lists of several lengths of prefixes.
func BenchmarkAllowList(b *testing.B) {
	for _, c := range []struct {
		name string
		list []string
		n    int
	}{{"one", []string{"10.0.0.0/8"}, 1}, {"65536", []string{"10.0.0.0/8"}, 65_536}} {
		b.Run("prefixes="+c.name, func(b *testing.B) {
			list := prefixes(b, c.list...)
			for i := range c.n - 1 {
				list = append(list, netip.PrefixFrom(netip.AddrFrom4([4]byte{172, byte(i >> 8), byte(i), 0}), 24))
			}
			a, err := tlsconfig.NewAllowList(list)
			require.NoError(b, err)
			addr := netip.MustParseAddr("10.1.2.3")
			b.ReportAllocs()
			for b.Loop() {
				if !a.Contains(addr) {
					b.Fatal("it is in the list")
				}
			}
		})
	}
}

// instant is a listener whose connections are there at once, and cost nothing.
type instant struct {
	conn net.Conn
	left chan struct{}
	done chan struct{}
}

func (i *instant) Accept() (net.Conn, error) {
	if _, ok := <-i.left; !ok {
		close(i.done)
		return nil, net.ErrClosed
	}
	return i.conn, nil
}
func (i *instant) Close() error   { return nil }
func (i *instant) Addr() net.Addr { return &net.TCPAddr{} }

// nobody is a connection from an address that may not come in.
type nobody struct {
	net.Conn
	addr net.Addr
}

func (n nobody) RemoteAddr() net.Addr { return n.addr }
func (nobody) Close() error           { return nil }

// BenchmarkGuardRefused: what a connection costs that gets no handshake, without what the kernel does.
func BenchmarkGuardRefused(b *testing.B) {
	s := newServed(b)
	for name, o := range map[string]*tlsconfig.GuardOptions{"address": {Allow: allow(b, "10.0.0.0/8")}} {
		b.Run("reason="+name, func(b *testing.B) {
			l := &instant{nobody{addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}}, make(chan struct{}, 1024), make(chan struct{})}
			guarded, err := s.newServer(b, nil).Guard(l, o)
			require.NoError(b, err)
			done := make(chan error, 1)
			go func() {
				_, err := guarded.Accept()
				done <- err
			}()
			b.ReportAllocs()
			for b.Loop() {
				l.left <- struct{}{}
			}
			close(l.left)
			<-l.done
			require.ErrorIs(b, <-done, net.ErrClosed)
			guarded.Close()
		})
	}
}

// BenchmarkGuard: a handshake over loopback, plain and guarded.
func BenchmarkGuard(b *testing.B) {
	s := newServed(b)
	server := s.newServer(b, nil)
	run := func(name string, addr func(*testing.B) string) {
		b.Run(name, func(b *testing.B) {
			to, config := addr(b), &tls.Config{RootCAs: s.ca.Pool(), ServerName: servedHost}
			for b.Loop() {
				mustHear(b, to, config)
			}
		})
	}
	run("by=tls.Listen", func(b *testing.B) string { return echo(b, server.Config()) })
	run("by=Guard", func(b *testing.B) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(b, err)
		guard(b, server, l, &tlsconfig.GuardOptions{Allow: allow(b, "127.0.0.1"), SourceRate: 1_000_000, Signatures: 1_000_000})
		return l.Addr().String()
	})
}
