package tlsconfig

import (
	"net"
	"syscall"
)

// hungUp says whether the peer of a TCP connection has closed it, as far as the kernel knows, whatever it has sent before, without waiting and without reading.
func hungUp(c net.Conn) bool {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return true // closed on our side
	}
	poll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return false // out of file descriptors
	}
	defer syscall.Close(poll)
	gone := false
	err = raw.Control(func(fd uintptr) {
		events := []syscall.EpollEvent{{Events: syscall.EPOLLRDHUP}}
		if syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, int(fd), &events[0]) != nil {
			return
		}
		n, _ := syscall.EpollWait(poll, events, 0)
		gone = n > 0 // what is always told, of a reset, is the same here
	})
	return gone || err != nil
}
