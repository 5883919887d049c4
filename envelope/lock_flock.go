//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package envelope

import (
	"errors"
	"os"
	"syscall"
)

// lockExclusive takes the file's advisory lock, or fails when another process has it.
func lockExclusive(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	if err := conn.Control(func(fd uintptr) { lockErr = flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB) }); err != nil {
		return err
	}
	switch {
	case errors.Is(lockErr, syscall.EWOULDBLOCK):
		return errors.New("it is being rewrapped by another RewrapFile")
	case errors.Is(lockErr, errors.ErrUnsupported):
		return nil // a file system without locks
	}
	return lockErr
}

// unlock gives the lock back. Closing the file is not enough: a child that this process forks at that moment holds
// the lock too, until it runs its own program.
func unlock(f *os.File) {
	if conn, err := f.SyscallConn(); err == nil {
		conn.Control(func(fd uintptr) { flock(int(fd), syscall.LOCK_UN) })
	}
}

func flock(fd, how int) error {
	for {
		if err := syscall.Flock(fd, how); err != syscall.EINTR {
			return err
		}
	}
}
