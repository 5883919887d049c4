package aead

import (
	"fmt"
	"io"

	"github.com/holdfast-go/holdfast/internal/floe"
	"github.com/holdfast-go/holdfast/internal/whole"
)

// Reader opens a stream. It releases authenticated bytes only, in order, and reports at the end
// whether the stream was whole: bytes are a prefix of the plaintext until io.EOF says that they are
// all of it. A Reader is for one goroutine; it keeps at most a few segments in memory.
type Reader struct {
	pipeline
	r    io.Reader
	rest []byte // opened and not yet read
	last bool   // the last segment was fetched
	held error  // what comes after the segments fetched so far, once that is known
}

// NewReader reads a stream's header from r and checks k and additionalData against it. Errors: [ErrOpen] for
// another key or other additional data, [ErrTruncated] and [ErrFormat] for bytes that are no stream,
// [ErrTooLarge] for segments over the options' bound, and those of r.
func NewReader(r io.Reader, k *Key, additionalData []byte, o *StreamOptions) (*Reader, error) {
	opts, err := o.resolve()
	if err != nil {
		return nil, err
	}
	var header [floe.HeaderSize]byte
	if _, err := whole.Read(r, header[:]); err == io.EOF {
		return nil, ErrTruncated
	} else if err != nil {
		return nil, err
	}
	stream, err := openStream(k, additionalData, &header, opts)
	if err != nil {
		return nil, err
	}
	return &Reader{pipeline: newPipeline(stream, opts.Workers), r: r}, nil
}

// openStream checks a header.
func openStream(k *Key, additionalData []byte, header *[floe.HeaderSize]byte, o StreamOptions) (*floe.Stream, error) {
	b, done := k.made().Use()
	defer done()
	return floe.Open(b, additionalData, header, o.MaxSegmentSize)
}

// Read reads the next bytes of plaintext, opening a segment when it has none left. It returns
// io.EOF after the last, [ErrTruncated] when the stream ends before it, [ErrFormat] when bytes follow it,
// [ErrOpen] for a segment that is not authentic, or the source's error. All are sticky.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.rest) == 0 {
		if err := r.failed("Reader"); err != nil {
			return 0, err
		}
		n := 0
		r.end(r.do(func() (err error) {
			n, err = r.readSegment(p)
			return err
		}))
		if n > 0 {
			return n, nil
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// readSegment opens the next segment, into p if it has room for it, or else into rest.
func (r *Reader) readSegment(p []byte) (int, error) {
	b := r.batch(0)
	if err := r.fetch(r.next, b); err != nil {
		return 0, err
	}
	if len(b.in)-floe.Overhead > len(p) {
		err := r.open(b)
		r.rest = b.out
		return 0, err
	}
	out, err := r.openInto(p[:0], b)
	return len(out), err
}

// WriteTo writes the rest of the plaintext to w and returns how many bytes that was. It uses all workers;
// the source and w are called on the caller's goroutine only. Errors are those of Read and
// of w, and sticky: what was opened and not written is lost with them.
func (r *Reader) WriteTo(w io.Writer) (n int64, err error) {
	if r.failed("Reader") == nil {
		rest := r.rest
		r.rest = nil
		n, err = r.copyTo(w, rest, steps{next: r.next, work: r.open})
		r.end(err)
	}
	if r.err == io.EOF {
		return n, nil
	}
	return n, r.failed("Reader")
}

// next is the step that reads segments.
func (r *Reader) next(b *batch) error {
	if r.held == nil && r.last {
		r.held = r.checkEnd()
	}
	if r.held != nil {
		return r.held
	}
	in, err := b.fill(r.r, nil, r.group*r.stream.SegmentSize)
	n := len(in)
	size := 0
	for r.held == nil && (size < n || n == 0) {
		segment, last, frameErr := r.stream.Frame(in[size:])
		if frameErr != nil {
			r.held = frameErr
			break
		}
		size += segment
		r.index++
		if r.last = last; last {
			break
		}
	}
	switch {
	case r.last && size < n:
		r.held = errTrailing
	case err != nil && (r.last || err != io.EOF):
		r.held = err
	case err == io.EOF && r.held == nil:
		r.held = ErrTruncated
	}
	if size == 0 {
		return r.held
	}
	b.in, b.last = in[:size], r.last
	return nil
}

var errTrailing = fmt.Errorf("%w: bytes after the end", ErrFormat)

// checkEnd returns io.EOF when nothing follows the last segment.
func (r *Reader) checkEnd() error {
	_, err := whole.Read(r.r, make([]byte, 1))
	if err == nil {
		return errTrailing
	}
	return err
}

// open is the work step.
func (r *Reader) open(b *batch) (err error) {
	b.out, err = r.openInto(room(&b.outBuf, len(b.in))[:0], b)
	return err
}

// openInto appends the plaintext of a batch to dst, up to the first segment that is not authentic.
func (r *Reader) openInto(dst []byte, b *batch) ([]byte, error) {
	for in, index := b.in, b.index; len(in) > 0; index++ {
		n := min(len(in), r.stream.SegmentSize)
		out, err := b.cursor.Open(dst, in[:n], index, b.last && n == len(in))
		if err != nil {
			return dst, err
		}
		dst, in = out, in[n:]
	}
	return dst, nil
}

// end makes an error sticky and wipes what is left of the plaintext.
func (r *Reader) end(err error) error {
	if r.err == nil && err != nil {
		r.err = err // and rest is empty: what it held came before
		r.wipe(func(b *batch) []byte { return b.outBuf })
	}
	return r.err
}
