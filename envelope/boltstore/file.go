package boltstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/internal/durable"
	"github.com/holdfast-go/holdfast/kms"
)

const (
	fileMode = 0o600
	noWait   = time.Nanosecond    // bbolt sleeps while it waits for the lock, and looks once in any case
	bucket   = "holdfast rows v1" // has all rows; another format would have another
)

// open opens the file. Call it before s is used, or in its turn.
func (s *Store) open(timeout time.Duration) error {
	err := s.guard(func() (err error) {
		o := &bbolt.Options{Timeout: timeout, FreelistType: bbolt.FreelistMapType, OpenFile: s.openFile}
		if s.db, err = bbolt.Open(s.path, fileMode, o); err != nil {
			return refusal(err)
		}
		// Even when nothing is new, this commit has all that can be read be on the disk first. The last process may have been
		// killed, or a write have failed, after its changes could be seen and before they were durable.
		if err := s.db.Update(prepare); err != nil {
			return err
		}
		return durable.SyncDir(filepath.Dir(s.path))
	})
	if err == nil {
		return nil
	}
	s.abandon()
	if errors.Is(err, kms.ErrInvalid) {
		return err
	}
	return fmt.Errorf("%w: %w", envelope.ErrUnavailable, err)
}

// refusal sorts why bbolt does not open a file. What does not come from the operating system is about what is in it.
func refusal(err error) error {
	var errno syscall.Errno
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return errors.New("another process has the file open, or another Store of this one")
	case errors.Is(err, kms.ErrInvalid), errors.As(err, &errno):
		return err
	}
	return errDamaged
}

// openFile refuses what can't be trusted before bbolt reads it.
func (s *Store) openFile(path string, flag int, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag, mode)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%w: not a regular file", kms.ErrInvalid)
	case runtime.GOOS != "windows" && info.Mode().Perm()&^fileMode != 0:
		err = fmt.Errorf("%w: the file's mode is %04o: run chmod 600 on it", kms.ErrInvalid, info.Mode().Perm())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	s.file = f
	return f, nil
}

// prepare makes the bucket in a new file.
func prepare(tx *bbolt.Tx) error {
	if tx.Bucket([]byte(bucket)) != nil {
		return nil
	}
	if k, _ := tx.Cursor().First(); k != nil {
		return fmt.Errorf("%w: the file is another program's, or of a later release", kms.ErrInvalid)
	}
	_, err := tx.CreateBucket([]byte(bucket))
	return err
}

// do runs f on the rows, in a transaction of the kind of View or Update, when its turn comes. Reads take turns with writes as well: bbolt shows
// changes before they are on the disk, and what was sealed with a key that was read then would be lost with it.
func (s *Store) do(ctx context.Context, transact func(*bbolt.DB, func(*bbolt.Tx) error) error, f func(*bbolt.Bucket) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	switch {
	case s.closed:
		return envelope.ErrClosed
	case s.damaged:
		return errDamaged
	case s.db == nil: // a write has failed
		if err := s.open(noWait); err != nil {
			return err
		}
	}
	var refused error
	err := s.guard(func() error {
		return transact(s.db, func(tx *bbolt.Tx) error {
			refused = errDamaged
			if b := tx.Bucket([]byte(bucket)); b != nil {
				refused = f(b)
			}
			return refused
		})
	})
	if err == nil || err == refused || s.damaged {
		return err
	}
	s.abandon() // what bbolt has in memory may not be what is on the disk: the next call opens the file anew
	return fmt.Errorf("%w: %w", envelope.ErrUnavailable, err)
}

// guard runs f, and has a panic of bbolt's, or a fault in the mapped file, be an error. It then lets go of the file and its lock, and not of the
// mapping: bbolt may hold its own locks for ever.
func (s *Store) guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil { // its text may have what is in the file
			s.damaged = true
			s.db = nil
			s.abandon()
			err = errDamaged
		}
	}()
	return f()
}

// abandon closes what a failure has left open.
func (s *Store) abandon() {
	if s.db != nil {
		s.db.Close()
	}
	if s.file != nil { // which bbolt has closed, if it could
		unlock(s.file)
		s.file.Close()
	}
	s.db, s.file = nil, nil
}
