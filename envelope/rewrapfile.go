package envelope

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/durable"
	"github.com/holdfast-go/holdfast/kms"
)

// RewrapFile rewraps the message in the file at path in place, as [Sealer.RewrapHeader] does: it writes the header and leaves the body alone, however large.
//
// The old header is first copied to path+".header", and the copy removed at the end. After a crash or an error at any
// point the file opens, or RewrapFile, called again with the same context, puts the copy back and goes on. One process at a time may rewrap a file: on Unix a second one is
// refused, elsewhere it is the caller's to see to. Who reads the header at the
// very moment may have to read it again.
func (s *Sealer) RewrapFile(ctx context.Context, path string, ec kms.Context) error {
	if err := s.rewrapFile(ctx, disk{}, path, ec); err != nil {
		return fmt.Errorf("envelope: rewrap file %q: %w", path, err)
	}
	return nil
}

func (s *Sealer) rewrapFile(ctx context.Context, d disk, path string, ec kms.Context) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := lockExclusive(f); err != nil {
		return fmt.Errorf("another process rewraps it: %w", err)
	}
	old, err := s.recover(ctx, d, f, path, ec)
	if err != nil {
		return err
	}
	fresh, err := s.RewrapHeader(ctx, old, ec)
	if err != nil {
		return err
	}
	// Opened before it is written, so that no outage of the KMS comes between the write and its check.
	if err := s.fits(ctx, fresh, f, ec); err != nil {
		return fmt.Errorf("the new header does not open: %w", err)
	}
	if err := d.saveCopy(path, old); err != nil {
		return fmt.Errorf("save the old header: %w", err)
	}
	if err := d.replaceHeader(f, fresh); err != nil {
		if backErr := d.replaceHeader(f, old); backErr != nil {
			return fmt.Errorf("%w; the old header is in %q: %w", err, copyPath(path), backErr)
		}
		return errors.Join(err, d.removeCopy(path))
	}
	return d.removeCopy(path)
}

// recover returns the file's header, which opens. When a copy was left behind and the header does not open, it
// puts the copy back first.
func (s *Sealer) recover(ctx context.Context, d disk, f *os.File, path string, ec kms.Context) ([]byte, error) {
	header, err := readHeader(io.NewSectionReader(f, 0, maxHeader))
	if err == nil {
		err = s.fits(ctx, header, f, ec)
	}
	if err == nil {
		return header, nil
	}
	if !errors.Is(err, ErrOpen) && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTruncated) && !errors.Is(err, kms.ErrNotFound) {
		return nil, err // the KMS does not answer: that says nothing about the header
	}
	saved, copyErr := os.ReadFile(copyPath(path))
	if errors.Is(copyErr, fs.ErrNotExist) {
		return nil, err
	}
	if copyErr == nil {
		copyErr = s.fits(ctx, saved, f, ec)
	}
	if copyErr == nil {
		copyErr = d.replaceHeader(f, saved)
	}
	if copyErr != nil {
		return nil, fmt.Errorf("%w; putting back %q: %w", err, copyPath(path), copyErr)
	}
	return saved, nil
}

// fits opens a header and the start of the body in f with it.
func (s *Sealer) fits(ctx context.Context, header []byte, f *os.File, ec kms.Context) error {
	body := io.NewSectionReader(f, int64(len(header)), math.MaxInt64-int64(len(header)))
	_, err := s.NewReader(ctx, io.MultiReader(bytes.NewReader(header), body), ec, &aead.StreamOptions{MaxSegmentSize: 1 << 30})
	return err
}

func copyPath(path string) string { return path + ".header" }

// disk does the writing. before, which tests set, is called ahead of each step and may fail it.
type disk struct{ before func(step string) error }

func (d disk) do(step string, f func() error) error {
	if d.before != nil {
		if err := d.before(step); err != nil {
			return err
		}
	}
	return f()
}

// saveCopy writes the copy and makes it durable, its name included.
func (d disk) saveCopy(path string, header []byte) (err error) {
	var f *os.File
	if err := d.do("create copy", func() (err error) {
		f, err = os.OpenFile(copyPath(path), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		return err
	}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := d.do("write copy", func() error { _, err := f.Write(header); return err }); err != nil {
		return err
	}
	if err := d.do("sync copy", f.Sync); err != nil {
		return err
	}
	return d.do("sync directory", func() error { return durable.SyncDir(filepath.Dir(path)) })
}

// replaceHeader writes a header over one of the same length and reads it back.
func (d disk) replaceHeader(f *os.File, header []byte) error {
	if err := d.do("write header", func() error { _, err := f.WriteAt(header, 0); return err }); err != nil {
		return err
	}
	if err := d.do("sync header", f.Sync); err != nil {
		return err
	}
	back := make([]byte, len(header))
	if _, err := f.ReadAt(back, 0); err != nil {
		return err
	}
	if !bytes.Equal(back, header) {
		return errors.New("the header read back is not the one written")
	}
	return nil
}

func (d disk) removeCopy(path string) error {
	if err := d.do("remove copy", func() error { return os.Remove(copyPath(path)) }); err != nil {
		return err
	}
	return d.do("sync directory again", func() error { return durable.SyncDir(filepath.Dir(path)) })
}
