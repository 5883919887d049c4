//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package envelope

import (
	"errors"
	"os"
	"syscall"
)

// lockExclusive takes the file's advisory lock until it is closed, or fails when another process has it.
func lockExclusive(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	if err := conn.Control(func(fd uintptr) { lockErr = flock(int(fd)) }); err != nil {
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

func flock(fd int) error {
	for {
		if err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); err != syscall.EINTR {
			return err
		}
	}
}
