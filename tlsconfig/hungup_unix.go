//go:build unix && !linux && !aix

package tlsconfig

import (
	"net"
	"syscall"
)

// hungUp says whether the peer of a TCP connection has closed it and sent nothing that was not read, as far as the kernel knows, without waiting and without taking anything that it sent. Nobody else may read at the same time.
func hungUp(c net.Conn) bool {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return true // closed on our side
	}
	gone := false
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		gone = n <= 0 && err != syscall.EAGAIN && err != syscall.EWOULDBLOCK && err != syscall.EINTR
		return true
	})
	return gone || err != nil
}
