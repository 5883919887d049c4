package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"

	"github.com/holdfast-go/holdfast/internal/durable"
	"github.com/holdfast-go/holdfast/internal/keyfile"
	"github.com/holdfast-go/holdfast/kms"
)

const (
	fileMode  = 0o600
	lockRetry = 10 * time.Millisecond
)

// readFile reads and checks the key file at path. Clear what it returns.
func readFile(path string) (*contents, error) {
	c, info, err := readOnce(path)
	if err != nil && info != nil {
		// A file that was destroyed while it was read is zeros, and another is in its place.
		if now, statErr := os.Lstat(path); statErr == nil && !os.SameFile(info, now) {
			c, _, err = readOnce(path)
		}
	}
	return c, err
}

// readOnce also returns which file it read.
func readOnce(path string) (*contents, fs.FileInfo, error) {
	f, info, err := openRegular(path, os.O_RDONLY)
	if err != nil {
		return nil, nil, keyfile.Error(err)
	}
	defer f.Close()
	c, err := readOpen(f, path, info)
	return c, info, err
}

// openRegular opens the regular file at path: no pipe, which would wait for a writer, and no link, also
// not one that takes its place meanwhile.
func openRegular(path string, flag int) (*os.File, fs.FileInfo, error) {
	was, err := os.Lstat(path)
	if err == nil && !was.Mode().IsRegular() {
		err = fmt.Errorf("%w: %q is not a regular file", kms.ErrInvalid, path)
	}
	if err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(was, info) {
		err = fmt.Errorf("%w: %q changed while it was opened", kms.ErrUnavailable, path)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

func readOpen(f *os.File, path string, info fs.FileInfo) (*contents, error) {
	if err := checkFile(path, info); err != nil {
		return nil, keyfile.Error(err)
	}
	b := make([]byte, info.Size())
	defer clear(b)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, keyfile.Error(err)
	}
	return parse(b)
}

func checkFile(path string, info fs.FileInfo) error {
	switch {
	case runtime.GOOS != "windows" && info.Mode().Perm()&^fileMode != 0:
		return fmt.Errorf("%w: the key file's mode is %04o: run chmod 600 %q", kms.ErrInvalid, info.Mode().Perm(), path)
	case info.Size() > maxFile:
		return fmt.Errorf("%w: over 1 MiB, which no key file is", kms.ErrInvalid)
	}
	return nil
}

// lockFile takes the lock that all writers of path take. They are other processes, or other
// Files of this one.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	name := path + ".lock"
	if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %q is not a regular file", kms.ErrInvalid, name)
	}
	l := flock.New(name, flock.SetPermissions(fileMode))
	ok, err := l.TryLockContext(ctx, lockRetry)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("%w: the lock is taken: %w", kms.ErrUnavailable, err)
	}
	if err != nil {
		return nil, keyfile.Error(fmt.Errorf("lock: %w", err))
	}
	if !ok {
		return nil, fmt.Errorf("%w: the lock is taken", kms.ErrUnavailable)
	}
	return func() { l.Close() }, nil
}

// writeFile replaces the key file at path, durably. Call it under the lock. When it fails the
// old or the new file is there. With shred it then overwrites the old one's bytes.
func writeFile(path string, c *contents, shred bool) (err error) {
	b, err := c.encode()
	if err != nil {
		return err
	}
	defer clear(b)
	dir, name := filepath.Split(path)
	fresh := filepath.Join(dir, "."+name+".holdfast-new")
	discard(fresh) // of a writer that was killed
	defer func() {
		if err != nil {
			discard(fresh)
			err = keyfile.Error(err)
		}
	}()
	if err := writeNew(fresh, b); err != nil {
		return err
	}
	// Opened now, since it has no name later, and overwritten later, since until the tombstone is in
	// its place a crash must not cost the key. Windows does not replace open files.
	var old *os.File
	if shred && runtime.GOOS != "windows" {
		if old, _, err = openRegular(path, os.O_WRONLY); err == nil {
			defer old.Close()
		}
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	if err := durable.SyncDir(dir); err != nil {
		return err
	}
	if old != nil {
		overwrite(old)
	}
	return nil
}

func writeNew(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// discard removes a file that may hold keys and overwrites it first, as well
// as that can be done.
func discard(path string) {
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return
	}
	if f, _, err := openRegular(path, os.O_WRONLY); err == nil {
		overwrite(f)
		f.Close()
	}
	os.Remove(path)
}

func overwrite(f *os.File) {
	if info, err := f.Stat(); err == nil && info.Size() <= maxFile {
		f.WriteAt(make([]byte, info.Size()), 0)
		f.Sync()
	}
}
