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
	err     error // sticky
}

// newSealer starts a stream and returns its header.
func newSealer(k *Key, additionalData []byte, o *StreamOptions) (sealer, [floe.HeaderSize]byte, error) {
	opts, err := o.resolve()
	if err != nil {
		return sealer{}, [floe.HeaderSize]byte{}, err
	}
	s := k.secret()
	defer s.use()()
	stream, header := floe.Seal(&s.bytes, additionalData, opts.SegmentSize)
	return sealer{pipeline: pipeline{stream: stream, workers: opts.Workers}}, header, nil
}

// plain is the plaintext of a full segment, in bytes.
func (s *sealer) plain() int { return s.stream.SegmentSize - floe.Overhead }

// seal is the work step.
func (s *sealer) seal(seg *segment) error {
	out := room(&seg.outBuf, len(seg.in)+floe.Overhead)
	seg.out = seg.cursor.Seal(out[:0], seg.in, seg.index, seg.last)
	return nil
}

// fetch is the next step on a source: a full segment that is not the last. At the source's end it returns io.EOF and
// leaves the rest in pending.
func (s *sealer) fetch(src io.Reader) func(*segment) error {
	return func(seg *segment) error {
		b := room(&seg.inBuf, s.plain()+1) // the one byte more tells that another segment follows
		n := copy(b, s.pending)
		m, err := readFull(src, b[n:])
		if err != nil {
			s.hold(b[:n+m])
			return err
		}
		seg.in = b[:s.plain()]
		s.hold(b[s.plain():])
		return s.checkLength()
	}
}

// checkLength refuses the segment about to be numbered when a stream can't hold it.
func (s *sealer) checkLength() error {
	if s.index >= floe.MaxSegments {
		return ErrTooLarge
	}
	return nil
}

// hold makes b all that is pending.
func (s *sealer) hold(b []byte) {
	s.pending = s.pending[:0]
	s.add(b)
}

// add appends b, which fits in a segment with what is pending. It grows the buffer step by step, so
// that a short stream stays small, and leaves no copy behind.
func (s *sealer) add(b []byte) {
	const smallest = 4 << 10 // bytes
	if need := len(s.pending) + len(b); need > cap(s.pending) {
		old := s.pending
		s.pending = append(make([]byte, 0, min(s.plain(), max(2*cap(old), need, smallest))), old...)
		clear(old)
	}
	s.pending = append(s.pending, b...)
}

// wipe clears the buffers that held plaintext.
func (s *sealer) wipe() {
	clear(s.pending[:cap(s.pending)])
	for _, seg := range s.ring {
		clear(seg.inBuf)
	}
	s.pending, s.ring = nil, nil
}
