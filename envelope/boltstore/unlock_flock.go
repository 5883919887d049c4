//go:build (darwin || dragonfly || freebsd || linux || netbsd || openbsd) && !android

package boltstore

import (
	"os"
	"syscall"
)

// unlock gives back the lock that bbolt took. Closing the file is not enough: its mapping holds on to the lock, and so does a child that
// this process forks at that moment.
func unlock(f *os.File) {
	if conn, err := f.SyscallConn(); err == nil {
		conn.Control(func(fd uintptr) { syscall.Flock(int(fd), syscall.LOCK_UN) })
	}
}
