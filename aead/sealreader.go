package aead

import (
	"io"
)

// SealReader is the pull side of a [Writer]: it reads plaintext from a source and gives the sealed stream
// to whoever reads it, for uploads that want an io.Reader. [SealedSize] tells the length beforehand. A
// SealReader is for one goroutine.
type SealReader struct {
	sealer
	src  io.Reader
	rest []byte // sealed and not yet read
	last bool   // the last segment is sealed
}

// NewSealReader starts a stream of src's bytes under k. Readers need the same additionalData. It
// reads nothing yet. An error of src other than io.EOF ends the stream unfinished.
func NewSealReader(src io.Reader, k *Key, additionalData []byte, o *StreamOptions) (*SealReader, error) {
	s, header, err := newSealer(k, additionalData, o)
	if err != nil {
		return nil, err
	}
	return &SealReader{sealer: s, src: src, rest: header[:]}, nil
}

// Read reads the next bytes of the sealed stream, sealing a segment when it has none
// left. It returns io.EOF after the last, or the source's error; both are sticky.
func (r *SealReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.rest) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		seg := r.segment(0)
		err := r.step(r.next(), seg)
		if err == nil {
			err = r.seal(seg)
		}
		if err != nil {
			return 0, r.end(err)
		}
		r.rest = seg.out
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// WriteTo writes the rest of the sealed stream to w and returns how many bytes that was. It
// uses all workers; the source and w are called on the caller's goroutine only. An error is
// sticky: what was taken from the source is lost with it.
func (r *SealReader) WriteTo(w io.Writer) (n int64, err error) {
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
			next: r.next(),
			work: r.seal,
			emit: func(seg *segment) error { return emit(seg.out) },
		}, r.alone()))
	}
	if r.err == io.EOF {
		return n, nil
	}
	return n, r.err
}

// next is the step that fetches a segment, the last one included.
func (r *SealReader) next() func(*segment) error {
	fetch := r.fetch(r.src)
	return func(seg *segment) error {
		if r.last {
			return io.EOF
		}
		err := fetch(seg)
		if err == io.EOF {
			seg.in, seg.last, r.last = r.pending, true, true
			return r.checkLength()
		}
		return err
	}
}

// end makes err sticky and wipes what is left of the plaintext.
func (r *SealReader) end(err error) error {
	if r.err == nil {
		r.err = err
		r.wipe()
	}
	return r.err
}
