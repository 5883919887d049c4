package mempipe_test

import (
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/internal/mempipe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ net.Conn = (*mempipe.Conn)(nil)

func TestBothWriteFirst(t *testing.T) {
	a, b := mempipe.New()
	for _, ends := range [][2]*mempipe.Conn{{a, b}, {b, a}} {
		n, err := ends[0].Write(make([]byte, 1<<20))
		require.NoError(t, err)
		require.Equal(t, 1<<20, n)
	}
	for _, end := range []*mempipe.Conn{a, b} {
		_, err := io.ReadFull(end, make([]byte, 1<<20))
		require.NoError(t, err)
	}
}

func TestCloseKeepsWhatWasWritten(t *testing.T) {
	for name, end := range map[string]func(*mempipe.Conn) error{"both directions": (*mempipe.Conn).Close, "one": (*mempipe.Conn).CloseWrite} {
		t.Run(name, func(t *testing.T) {
			a, b := mempipe.New()
			_, err := a.Write([]byte("last"))
			require.NoError(t, err)
			require.NoError(t, end(a))
			got, err := io.ReadAll(b)
			require.NoError(t, err)
			require.Equal(t, "last", string(got))
			_, err = a.Write([]byte("later"))
			require.ErrorIs(t, err, io.ErrClosedPipe)
			_, err = b.Write([]byte("back"))
			if name == "one" {
				require.NoError(t, err)
				_, err = io.ReadFull(a, make([]byte, 4))
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, io.ErrClosedPipe)
		})
	}
}

func TestDeadlines(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, b := mempipe.New()
		defer a.Close()
		require.NoError(t, a.SetDeadline(time.Now().Add(time.Second)))
		began := time.Now()
		_, err := a.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Second, time.Since(began))

		require.NoError(t, a.SetDeadline(time.Time{}))
		_, err = b.Write([]byte{1})
		require.NoError(t, err)
		_, err = a.Read(make([]byte, 1))
		require.NoError(t, err)

		woken := make(chan error, 1) // one that is set while a read waits
		go func() {
			_, err := a.Read(make([]byte, 1))
			woken <- err
		}()
		synctest.Wait()
		require.NoError(t, a.SetReadDeadline(time.Unix(1, 0)))
		require.ErrorIs(t, <-woken, os.ErrDeadlineExceeded)
	})
}

func TestAddresses(t *testing.T) {
	a, _ := mempipe.New()
	for _, addr := range []net.Addr{a.LocalAddr(), a.RemoteAddr()} {
		_, err := netip.ParseAddrPort(addr.String())
		require.NoError(t, err)
		require.Equal(t, "tcp", addr.Network())
	}
}
