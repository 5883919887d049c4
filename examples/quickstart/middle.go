package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// readMiddle reads a little from the middle of the sealed export.
func (w *walk) readMiddle(ctx context.Context) error {
	part := make([]byte, 4<<10)
	at := int64(len(w.export) / 2)
	w.title("Read %s bytes at %s", digits(len(part)), digits(at))
	f, err := os.Open(w.path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	disk := &counter{src: f}
	start := time.Now()
	r, err := w.sealer.NewReaderAt(ctx, disk, info.Size(), w.about, nil)
	if err != nil {
		return err
	}
	opened := disk.bytes
	if _, err := r.ReadAt(part, at); err != nil {
		return err
	}
	took := time.Since(start)
	if !bytes.Equal(part, w.export[at:at+int64(len(part))]) {
		return errors.New("the part came back changed")
	}
	w.row("read from disk", "%s bytes of %s, in %d reads and %s", digits(disk.bytes), digits(info.Size()), disk.reads, short(took))
	w.row("of them to open it", "%s: headers, and the last segment, which proves the size", digits(opened))
	w.row("of them for the part", "%s: the segments it lies in", digits(disk.bytes-opened))
	w.row("it begins with", "%.40q", string(part))
	return nil
}

// counter counts what is read from src.
type counter struct {
	src   io.ReaderAt
	bytes int64
	reads int
}

// ReadAt reads from the source.
func (c *counter) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.src.ReadAt(p, off)
	c.bytes += int64(n)
	c.reads++
	return n, err
}
