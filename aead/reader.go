package aead

import (
	"fmt"
	"io"

	"github.com/holdfast-go/holdfast/internal/floe"
)

// Reader opens a stream. It releases authenticated bytes only, in order, and reports at the end
// whether the stream was whole: bytes are a prefix of the plaintext until io.EOF says that they are
// all of it. A Reader is for one goroutine; it keeps at most a few segments in memory.
type Reader struct {
	pipeline
	r     io.Reader
	rest  []byte // opened and not yet read
	last  bool   // the last segment was fetched
	extra bool   // bytes followed it in the same fetch
	ended bool   // the source ended with that fetch
	err   error  // sticky
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
	if _, err := readFull(r, header[:]); err == io.EOF {
		return nil, ErrTruncated
	} else if err != nil {
		return nil, err
	}
	stream, err := openStream(k, additionalData, &header, opts)
	if err != nil {
		return nil, err
	}
	return &Reader{pipeline: pipeline{stream: stream, workers: opts.Workers}, r: r}, nil
}

// openStream checks a header.
func openStream(k *Key, additionalData []byte, header *[floe.HeaderSize]byte, o StreamOptions) (*floe.Stream, error) {
	s := k.secret()
	defer s.use()()
	return floe.Open(&s.bytes, additionalData, header, o.MaxSegmentSize)
}

// Read reads the next bytes of plaintext, opening a segment when it has none left. It returns
// io.EOF after the last, [ErrTruncated] when the stream ends before it, [ErrFormat] when bytes follow it,
// [ErrOpen] for a segment that is not authentic, or the source's error. All are sticky.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.rest) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		seg := r.segment(0)
		if err := r.step(r.fetch, seg); err != nil {
			return 0, r.end(err)
		}
		if n := len(seg.in) - floe.Overhead; n > 0 && n <= len(p) {
			if _, err := seg.cursor.Open(p[:0], seg.in, seg.index, seg.last); err != nil {
				return 0, r.end(err)
			}
			return n, nil
		}
		if err := r.open(seg); err != nil {
			return 0, r.end(err)
		}
		r.rest = seg.out
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// WriteTo writes the rest of the plaintext to w and returns how many bytes that was. It uses all workers;
// the source and w are called on the caller's goroutine only. Errors are those of Read and
// of w, and sticky: what was opened and not written is lost with them.
func (r *Reader) WriteTo(w io.Writer) (n int64, err error) {
	emit := func(b []byte) error {
		m, err := writeAll(w, b)
		n += int64(m)
		return err
	}
	if len(r.rest) > 0 {
		rest := r.rest
		r.rest = nil
		if err := emit(rest); err != nil {
			return n, r.end(err)
		}
	}
	if r.err == nil {
		r.end(r.run(steps{
			next: r.fetch,
			work: r.open,
			emit: func(seg *segment) error { return emit(seg.out) },
		}, r.alone()))
	}
	if r.err == io.EOF {
		return n, nil
	}
	return n, r.err
}

// fetch is the step that reads the next segment.
func (r *Reader) fetch(seg *segment) error {
	if r.last {
		return r.checkEnd()
	}
	b := room(&seg.inBuf, r.stream.SegmentSize)
	n, err := readFull(r.r, b)
	if err != nil && err != io.EOF {
		return err
	}
	size, last, frameErr := r.stream.Frame(b[:n])
	if frameErr != nil {
		return frameErr
	}
	if last {
		r.last, r.extra, r.ended = true, size < n, err == io.EOF
	}
	seg.in, seg.last = b[:size], last
	return nil
}

// checkEnd returns io.EOF when nothing follows the last segment.
func (r *Reader) checkEnd() error {
	switch {
	case r.extra:
		return fmt.Errorf("%w: bytes after the end", ErrFormat)
	case r.ended:
		return io.EOF
	}
	_, err := readFull(r.r, make([]byte, 1))
	if err == nil {
		return fmt.Errorf("%w: bytes after the end", ErrFormat)
	}
	return err
}

// open is the work step.
func (r *Reader) open(seg *segment) (err error) {
	out := room(&seg.outBuf, max(0, len(seg.in)-floe.Overhead))
	seg.out, err = seg.cursor.Open(out[:0], seg.in, seg.index, seg.last)
	return err
}

// end makes err sticky and wipes what is left of the plaintext.
func (r *Reader) end(err error) error {
	if r.err == nil {
		r.err = err
		for _, seg := range r.ring {
			clear(seg.outBuf)
		}
		r.ring = nil
	}
	return r.err
}
