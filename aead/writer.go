package aead

import (
	"io"
	"math"

	"github.com/holdfast-go/holdfast/internal/whole"
)

// Writer seals a stream: plaintext written to it goes to the underlying writer in
// encrypted segments. A Writer is for one goroutine; it keeps at most a few segments in memory.
//
// Close seals the last segment, without which nothing opens the stream. So that an
// error midway can't leave a stream that looks finished, write
//
//	defer w.Abort()
//	... write ...
//	return w.Close()
//
// ReadFrom remembers an error of its source and Close then fails. But io.Copy
// passes ReadFrom by when the source has a WriteTo method, and then only the idiom above is safe.
type Writer struct {
	sealer
	w      io.Writer
	closed bool
}

// NewWriter starts a stream under k on w and writes its header of 74 bytes. Readers need
// the same additionalData, of any length. Errors are those of w and of the options. Layout: FLOE, FORMAT.md section 3.
func NewWriter(w io.Writer, k *Key, additionalData []byte, o *StreamOptions) (*Writer, error) {
	s, header, err := newSealer(k, additionalData, o)
	if err != nil {
		return nil, err
	}
	if _, err := whole.Write(w, header[:]); err != nil {
		return nil, err
	}
	return &Writer{sealer: s, w: w}, nil
}

// Write seals p. It returns the underlying writer's first error, from then on at every
// call, and keeps nothing of p. A Write of 4 MiB or more uses all workers.
func (w *Writer) Write(p []byte) (int, error) {
	if err := w.failed("Writer"); err != nil {
		return 0, err
	}
	n := len(p)
	for len(p) > 0 {
		if room := w.plain() - len(w.pending); len(w.pending) > 0 || len(p) <= room {
			took := min(len(p), room)
			w.add(p[:took])
			p = p[took:]
			if len(p) > 0 { // and so the pending segment is not the last
				w.end(w.sealPending(false))
			}
		} else {
			p = w.sealMany(p)
		}
		if w.err != nil {
			return n - len(p), w.err
		}
	}
	return n, nil
}

// sealMany seals the full segments of p that others follow, straight from p, and returns the rest.
func (w *Writer) sealMany(p []byte) []byte {
	alone := uint64(math.MaxUint64)
	if len(p) >= serialBytes {
		alone = 0
	}
	all := steps{
		next: func(b *batch) error {
			full := min(w.group, (len(p)-1)/w.plain()) * w.plain()
			if full == 0 {
				return io.EOF
			}
			in := p[:full]
			p = p[full:]
			return w.take(b, in, false)
		},
		work: w.seal,
		emit: w.emit,
	}
	w.end(w.do(func() error { return w.run(all, alone) }))
	return p
}

// ReadFrom seals all that src has and returns how many bytes that was. It ends at io.EOF; any other error of
// src or of the underlying writer is sticky, so that Close can't finish a stream cut short. It uses all
// workers; src and the underlying writer are called on the caller's goroutine only.
func (w *Writer) ReadFrom(src io.Reader) (n int64, err error) {
	if err := w.failed("Writer"); err != nil {
		return 0, err
	}
	counted := &countingReader{r: src}
	all := steps{next: w.from(counted), work: w.seal, emit: w.emit}
	w.end(w.do(func() error { return w.run(all, w.alone()) }))
	return counted.n, w.err
}

// countingReader counts what it reads.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// Close seals the last segment and ends the stream; it does not close the underlying writer. After an
// earlier error or Abort it fails and the stream stays unfinished. Closing again returns nil.
func (w *Writer) Close() error {
	if w.closed {
		return nil
	}
	if err := w.failed("Writer"); err != nil {
		return err
	}
	if w.end(w.sealPending(true)); w.err != nil {
		return w.err
	}
	w.closed = true
	w.fail(ErrClosed)
	return nil
}

// Abort ends the Writer without sealing the last segment: what was written opens
// nowhere. After Close it does nothing.
func (w *Writer) Abort() {
	if w.running { // called by the source or sink: the call under way ends with it
		w.err = ErrClosed
		return
	}
	w.fail(ErrClosed)
}

// sealPending seals what is pending as one segment.
func (w *Writer) sealPending(last bool) error {
	err := w.do(func() error {
		return w.one(steps{
			next: func(b *batch) error { return w.take(b, w.pending, last) },
			work: w.seal,
			emit: w.emit,
		})
	})
	w.pending = w.pending[:0]
	return err
}

func (w *Writer) emit(b []byte) error {
	_, err := whole.Write(w.w, b)
	return err
}

// end makes an error sticky; io.EOF is none.
func (w *Writer) end(err error) {
	if err != io.EOF {
		w.fail(err)
	}
}
