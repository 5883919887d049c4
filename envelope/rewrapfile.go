package envelope

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

// RewrapFile rewraps the message in the file at path in place, as [Sealer.RewrapHeader] does: it writes the header and leaves the body alone, however large. It makes three calls to the KMS.
//
// The old header is first copied to path+".header", and the copy removed at the end. After a crash or an error at any
// point the file opens, or RewrapFile, called again with the same context, puts the copy back and goes on. It refuses to
// begin while anything else has the name of the copy; a small file called path+".header.new" is taken for a leftover of its own. One process at a time may rewrap a file: on Linux, macOS and the BSDs a second one is
// refused, elsewhere it is the caller's to see to. Who reads the header at the
// very moment may have to read it again.
func (s *Sealer) RewrapFile(ctx context.Context, path string, ec kms.Context) error {
	if err := s.rewrapFile(ctx, disk{}, path, ec); err != nil {
		return fmt.Errorf("envelope: rewrap file %q: %w", path, err)
	}
	return nil
}

func (s *Sealer) rewrapFile(ctx context.Context, d disk, path string, ec kms.Context) error {
	path, err := filepath.EvalSymlinks(path) // the copy lies beside the file itself, whichever way a run comes to it
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := lockExclusive(f); err != nil {
		return err
	}
	defer unlock(f)
	old, key, err := s.recover(ctx, d, f, path, ec)
	if err != nil {
		return err
	}
	defer key.clear()
	fresh, err := s.wrapAnew(ctx, &key, len(old), ec)
	if err != nil {
		return err
	}
	// Opened before it is written, so that no outage of the KMS comes between the write and its check.
	check, err := s.openFile(ctx, fresh, f, ec)
	check.clear()
	if err != nil {
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

// recover returns the file's header, durable, and the data key in it. When the header is torn and a copy of it was
// left behind, it puts the copy back first.
func (s *Sealer) recover(ctx context.Context, d disk, f *os.File, path string, ec kms.Context) ([]byte, dataKey, error) {
	saved, err := readCopy(path)
	if err != nil {
		return nil, dataKey{}, err
	}
	var key dataKey
	live, err := readHeader(io.NewSectionReader(f, 0, maxHeader))
	if err == nil {
		key, err = s.openFile(ctx, live, f, ec)
	}
	if err == nil {
		// A run that was killed may not have come to this, and the copy is about to go.
		if err := d.do("sync file", f.Sync); err != nil {
			key.clear()
			return nil, dataKey{}, err
		}
		return live, key, nil
	}
	if saved == nil {
		return nil, dataKey{}, err
	}
	key, copyErr := s.openFile(ctx, saved, f, ec)
	if copyErr != nil {
		return nil, dataKey{}, fmt.Errorf("%w; nor does the copy in %q: %w", err, copyPath(path), copyErr)
	}
	// All headers of a file have one data key, so the copy's tells whether the live one is whole, whatever the KMS says of that.
	h, parseErr := parseHeader(live)
	if parseErr == nil && h.size == len(saved) && h.verify(&key.key, live) == nil {
		key.clear()
		return nil, dataKey{}, err // whole, but this Sealer can't open it
	}
	if err := d.replaceHeader(f, saved); err != nil {
		key.clear()
		return nil, dataKey{}, fmt.Errorf("put back %q: %w", copyPath(path), err)
	}
	return saved, key, nil
}

// openFile opens a whole header, and the start of the body in f with it.
func (s *Sealer) openFile(ctx context.Context, header []byte, f *os.File, ec kms.Context) (dataKey, error) {
	h, d, err := openHeader(ctx, s.key, header, ec)
	if err != nil {
		return dataKey{}, err
	}
	body := d.body()
	defer body.Destroy()
	start := int64(h.size)
	_, err = aead.NewReader(io.NewSectionReader(f, start, math.MaxInt64-start), body, bodyContext(h.canonical), &aead.StreamOptions{MaxSegmentSize: largestSegment})
	if err != nil {
		d.clear()
		return dataKey{}, err
	}
	return d, nil
}

const largestSegment = 1 << 30 // that aead reads at all: nothing of one is read here

func copyPath(path string) string { return path + ".header" }

// readCopy returns the copy that an earlier run left behind; nil for none. It refuses what RewrapFile did not write.
func readCopy(path string) ([]byte, error) {
	name := copyPath(path)
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() && info.Size() <= maxHeader {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if size, err := headerSize(b); err == nil && size == len(b) {
			return b, nil
		}
	}
	return nil, fmt.Errorf("%q is in the way, and is no header that RewrapFile left there: move it", name)
}
