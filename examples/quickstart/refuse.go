package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

// refuse shows what does not open, and that what was released before is authentic.
func (w *walk) refuse(ctx context.Context) error {
	w.title("What does not open")
	f, err := os.OpenFile(w.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	size, middle := info.Size(), info.Size()/2
	part := func(n int64) io.Reader { return io.NewSectionReader(f, 0, n) }

	if err := flipBit(f, middle); err != nil {
		return err
	}
	if err := w.refused(ctx, "a bit flipped midway", part(size), w.about, envelope.ErrOpen); err != nil {
		return err
	}
	if err := flipBit(f, middle); err != nil { // back
		return err
	}
	if err := w.refused(ctx, "the second half cut off", part(middle), w.about, envelope.ErrTruncated); err != nil {
		return err
	}
	longer := io.MultiReader(part(size), bytes.NewReader([]byte{0}))
	if err := w.refused(ctx, "a byte added at the end", longer, w.about, envelope.ErrFormat); err != nil {
		return err
	}
	other := kms.Context{"file": "export.csv", "tenant": "globex"}
	return w.refused(ctx, "another tenant's context", part(size), other, envelope.ErrOpen)
}

// refused opens src and expects the error want.
func (w *walk) refused(ctx context.Context, what string, src io.Reader, about kms.Context, want error) error {
	var released bytes.Buffer
	err := open(ctx, w.sealer, &released, src, about)
	switch {
	case err == nil:
		return fmt.Errorf("%s: it opened", what)
	case !errors.Is(err, want):
		return fmt.Errorf("%s: another error than expected: %w", what, err)
	}
	if !bytes.HasPrefix(w.export, released.Bytes()) {
		return fmt.Errorf("%s: bytes were released that are not authentic", what)
	}
	w.row(what, "%v", err)
	w.row("", "after %s authentic bytes", digits(released.Len()))
	return nil
}

func flipBit(f *os.File, at int64) error {
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		return err
	}
	b[0] ^= 1
	_, err := f.WriteAt(b[:], at)
	return err
}
