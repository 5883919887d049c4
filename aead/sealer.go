package aead

import (
	"io"

	"github.com/holdfast-go/holdfast/internal/floe"
)

// sealer is what Writer and SealReader share: plaintext in, encrypted segments out.
type sealer struct {
	pipeline
	// pending is plaintext that is not sealed yet, at most a segment's: whether
	// a segment is the last one shows only when more follows.
	pending []byte
}

// newSealer starts a stream and returns its header.
func newSealer(k *Key, additionalData []byte, o *StreamOptions) (sealer, [floe.HeaderSize]byte, error) {
	opts, err := o.resolve()
	if err != nil {
		return sealer{}, [floe.HeaderSize]byte{}, err
	}
	b, done := k.made().Use()
	defer done()
	stream, header := floe.Seal(b, additionalData, opts.SegmentSize)
	return sealer{pipeline: newPipeline(stream, opts.Workers)}, header, nil
}

// plain is the plaintext of a full segment, in bytes.
func (s *sealer) plain() int { return s.stream.SegmentSize - floe.Overhead }

// segments is how many segments n bytes of plaintext take; none still takes one.
func (s *sealer) segments(n int) int { return max(1, (n+s.plain()-1)/s.plain()) }

// take makes in the batch's input: full segments, or what is left of the stream.
func (s *sealer) take(b *batch, in []byte, last bool) error {
	n := uint64(s.segments(len(in)))
	if s.index+n > floe.MaxSegments {
		return ErrTooLarge
	}
	b.in, b.last = in, last
	s.index += n
	return nil
}

// seal is the work step.
func (s *sealer) seal(b *batch) error {
	in, index := b.in, b.index
	b.out = room(&b.outBuf, len(in)+floe.Overhead*s.segments(len(in)))[:0]
	for {
		n := min(len(in), s.plain())
		b.out = b.cursor.Seal(b.out, in[:n], index, b.last && n == len(in))
		if in = in[n:]; len(in) == 0 {
			return nil
		}
		index++
	}
}

// from returns the next step on a source: full segments that others follow. At the
// source's end it returns io.EOF and leaves the rest in pending.
func (s *sealer) from(src io.Reader) func(*batch) error {
	ended := false
	return func(b *batch) error {
		if ended {
			return io.EOF
		}
		in, err := b.fill(src, s.pending, s.group*s.plain()+1) // the one byte more tells that another segment follows
		if err != nil && err != io.EOF {
			return err
		}
		ended = err == io.EOF
		full := max(0, len(in)-1) / s.plain() * s.plain()
		s.hold(in[full:])
		if full == 0 {
			return io.EOF
		}
		return s.take(b, in[:full], false)
	}
}

// hold makes b all that is pending.
func (s *sealer) hold(b []byte) {
	s.pending = s.pending[:0]
	s.add(b)
}

// add appends b, which fits in a segment with what is pending. It grows the buffer step by step, so
// that a short stream stays small, and leaves no copy behind.
func (s *sealer) add(b []byte) {
	if need := len(s.pending) + len(b); need > cap(s.pending) {
		old := s.pending
		s.pending = append(make([]byte, 0, min(s.plain(), max(2*cap(old), need, smallBuffer))), old...)
		clear(old)
	}
	s.pending = append(s.pending, b...)
}

// fail keeps the first error and then wipes what is left of the plaintext.
func (s *sealer) fail(err error) {
	if err == nil || s.err != nil && s.err != errUnfinished {
		return
	}
	if s.err == nil {
		s.err = err
	}
	clear(s.pending[:cap(s.pending)])
	s.pending = nil
	s.wipe(func(b *batch) []byte { return b.inBuf })
}
