package tlsconfig

import (
	"crypto/tls"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Connections that nobody has any more are forgotten.
func TestHandshakenForgets(t *testing.T) {
	var h handshaken
	kept := tls.Server(&net.TCPConn{}, &tls.Config{})
	h.add(kept)
	for range 100 {
		h.add(tls.Server(&net.TCPConn{}, &tls.Config{}))
	}
	require.True(t, h.has(kept))
	require.False(t, h.has(tls.Server(&net.TCPConn{}, &tls.Config{})))
	require.Eventually(t, func() bool {
		runtime.GC()
		n := 0
		h.all.Range(func(any, any) bool { n++; return true })
		return n == 1
	}, time.Minute, time.Millisecond)
	require.True(t, h.has(kept))
	runtime.KeepAlive(kept)
}
