package aead

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/holdfast-go/holdfast/internal/floe"
)

// ReaderAt opens a stream at any place, at the cost of one segment each. The segment read last stays at
// hand, so that small reads in a row open it once. A ReaderAt is safe for concurrent use if its source is.
type ReaderAt struct {
	stream  *floe.Stream
	r       io.ReaderAt
	sealed  int64 // size of the stream
	size    int64 // size of the plaintext
	scratch sync.Pool

	mu     sync.Mutex
	recent *opened // the segment opened last
}

// opened is what it takes to open a segment, and then the segment.
type opened struct {
	cursor *floe.Cursor
	index  int64
	in     []byte
	out    []byte
}

// NewReaderAt opens the stream of size bytes in r. It checks k and additionalData against the header as
// [NewReader] does, and authenticates the last segment, so that size and [ReaderAt.Size] are true. A wrong size fails
// with [ErrTruncated] or [ErrFormat].
func NewReaderAt(r io.ReaderAt, size int64, k *Key, additionalData []byte, o *StreamOptions) (*ReaderAt, error) {
	opts, err := o.resolve()
	if err != nil {
		return nil, err
	}
	var header [floe.HeaderSize]byte
	if size < floe.HeaderSize {
		return nil, ErrTruncated
	}
	if err := readFullAt(r, header[:], 0); err != nil {
		return nil, err
	}
	stream, err := openStream(k, additionalData, &header, opts)
	if err != nil {
		return nil, err
	}
	segments, err := countSegments(size, stream.SegmentSize)
	if err != nil {
		return nil, err
	}
	a := &ReaderAt{stream: stream, r: r, sealed: size, size: size - floe.HeaderSize - floe.Overhead*segments}
	a.scratch.New = func() any { return &opened{cursor: stream.Cursor()} }
	last := a.scratch.Get().(*opened)
	if err := a.open(last, segments-1); err != nil {
		return nil, err
	}
	a.recent = last
	return a, nil
}

// Format prints no more than that this is a stream, for every verb: there is plaintext in the buffers.
func (a *ReaderAt) Format(f fmt.State, _ rune) { io.WriteString(f, "aead stream") }

// Size returns the size of the plaintext in bytes. It is authenticated.
func (a *ReaderAt) Size() int64 { return a.size }

// ReadAt reads plaintext from offset on, as io.ReaderAt has it: fewer bytes than len(p) come with an
// error, io.EOF at the end. Errors: [ErrOpen] for a segment that is not authentic, and those of the source.
func (a *ReaderAt) ReadAt(p []byte, offset int64) (n int, err error) {
	if a.stream == nil {
		return 0, errors.New("aead: zero ReaderAt: use NewReaderAt")
	}
	if offset < 0 {
		return 0, errors.New("aead: negative offset")
	}
	each := int64(a.stream.SegmentSize - floe.Overhead)
	for n < len(p) {
		if offset >= a.size {
			return n, io.EOF
		}
		m, err := a.readSegment(p[n:], offset/each, int(offset%each))
		n += m
		offset += int64(m)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// readSegment copies a segment's plaintext from byte skip on.
func (a *ReaderAt) readSegment(p []byte, index int64, skip int) (int, error) {
	if n, ok := a.copyRecent(p, index, skip); ok {
		return n, nil
	}
	seg := a.scratch.Get().(*opened)
	if err := a.open(seg, index); err != nil {
		return 0, err
	}
	n := copy(p, seg.out[skip:])
	a.mu.Lock()
	a.recent, seg = seg, a.recent
	a.mu.Unlock()
	clear(seg.out)
	a.scratch.Put(seg)
	return n, nil
}

func (a *ReaderAt) copyRecent(p []byte, index int64, skip int) (int, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.recent.index != index {
		return 0, false
	}
	return copy(p, a.recent.out[skip:]), true
}

// open reads and opens the segment of that number.
func (a *ReaderAt) open(seg *opened, index int64) error {
	start := floe.HeaderSize + index*int64(a.stream.SegmentSize)
	last := a.sealed-start <= int64(a.stream.SegmentSize)
	in := room(&seg.in, int(min(a.sealed-start, int64(a.stream.SegmentSize))))
	if err := readFullAt(a.r, in, start); err != nil {
		return err
	}
	n, claimsLast, err := a.stream.Frame(in)
	switch {
	case err != nil:
		return err
	case last && !claimsLast:
		return ErrTruncated
	case !last && claimsLast:
		return ErrOpen
	case n < len(in):
		return errTrailing
	}
	seg.index = index
	seg.out, err = seg.cursor.Open(room(&seg.out, len(in)-floe.Overhead)[:0], in, uint64(index), last)
	return err
}

// readFullAt fills b; a source that ends before is ErrTruncated.
func readFullAt(r io.ReaderAt, b []byte, offset int64) error {
	n, err := r.ReadAt(b, offset)
	switch {
	case n == len(b):
		return nil
	case err == nil || err == io.EOF:
		return ErrTruncated
	}
	return err
}
