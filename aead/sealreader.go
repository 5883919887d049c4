package aead

import (
	"io"
	"math"
	"slices"

	"github.com/holdfast-go/holdfast/internal/prefixed"
)

// SealReader is the pull side of a [Writer]: it reads plaintext from a source and gives the sealed stream
// to whoever reads it, for uploads that want an io.Reader. [SealReader.Size] tells the length beforehand. A
// SealReader is for one goroutine.
type SealReader struct {
	sealer
	full   func(*batch) error // the next step for full segments
	last   bool               // the last segment was fetched
	prefix int                // bytes put before the stream
	rest   []byte             // sealed and not yet read
}

// NewSealReader starts a stream of src's bytes under k. Readers need the same additionalData. It
// reads nothing yet. An error of src other than io.EOF ends the stream unfinished.
func NewSealReader(src io.Reader, k *Key, additionalData []byte, o *StreamOptions) (*SealReader, error) {
	s, header, err := newSealer(k, additionalData, o)
	if err != nil {
		return nil, err
	}
	r := &SealReader{sealer: s, rest: header[:]}
	if p, ok := src.(*prefixed.Source); ok {
		src, r.rest, r.prefix = p.Reader, slices.Concat(p.Prefix, r.rest), len(p.Prefix)
	}
	r.full = r.from(src)
	return r, nil
}

// Size returns how many bytes all of Read gives for a source of so many.
// Errors are those of [SealedSize].
func (r *SealReader) Size(plaintext int64) (int64, error) {
	if r.stream == nil {
		return 0, r.failed("SealReader")
	}
	n, err := SealedSize(plaintext, r.stream.SegmentSize)
	if err != nil {
		return 0, err
	}
	if n > math.MaxInt64-int64(r.prefix) {
		return 0, ErrTooLarge
	}
	return n + int64(r.prefix), nil
}

// Read reads the next bytes of the sealed stream, sealing a segment when it has none
// left. It returns io.EOF after the last, or the source's error; both are sticky.
func (r *SealReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.rest) == 0 {
		if r.failed("SealReader") == nil {
			r.fail(r.do(func() error {
				return r.one(steps{
					next: r.next,
					work: r.seal,
					emit: func(b []byte) error { r.rest = b; return nil },
				})
			}))
		}
		if len(r.rest) == 0 {
			return 0, r.failed("SealReader")
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// WriteTo writes the rest of the sealed stream to w and returns how many bytes that was. It
// uses all workers; the source and w are called on the caller's goroutine only. An error is
// sticky: what was taken from the source is lost with it.
func (r *SealReader) WriteTo(w io.Writer) (n int64, err error) {
	if r.failed("SealReader") == nil {
		rest := r.rest
		r.rest = nil
		n, err = r.copyTo(w, rest, steps{next: r.next, work: r.seal})
		r.fail(err)
	}
	if r.err == io.EOF {
		return n, nil
	}
	return n, r.failed("SealReader")
}

// next is the step that fetches segments, the last one included.
func (r *SealReader) next(b *batch) error {
	if r.last {
		return io.EOF
	}
	err := r.full(b)
	if err == io.EOF {
		r.last = true
		return r.take(b, r.pending, true)
	}
	return err
}
