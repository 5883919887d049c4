package aead

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/holdfast-go/holdfast/internal/floe"
	"github.com/holdfast-go/holdfast/internal/whole"
)

// batch is a run of segments on its way through a pipeline.
type batch struct {
	cursor *floe.Cursor
	index  uint64 // of the first segment
	last   bool   // its last segment is the stream's
	in     []byte // what work reads
	out    []byte // what work made, also of the segments before an error
	err    error
	done   chan struct{} // holds a value when work is done

	inBuf, outBuf []byte // what next and work may use for them
}

// pipeline moves segments from a source to a sink and keeps their order. Only
// the caller's goroutine calls next and emit; work runs on the workers too.
type pipeline struct {
	stream  *floe.Stream
	workers int
	index   uint64   // of the next segment
	group   int      // how many segments next may put in a batch
	ring    []*batch // reused
	err     error    // sticky
	running bool     // a call is under way
}

// failed returns the sticky error, or the zero value's.
func (p *pipeline) failed(name string) error {
	if p.stream == nil {
		return fmt.Errorf("aead: zero %[1]s: use New%[1]s", name)
	}
	return p.err
}

// Format prints no more than that this is a stream, for every verb: there is plaintext in the buffers.
func (p pipeline) Format(f fmt.State, _ rune) { io.WriteString(f, "aead stream") }

// do runs f. Should a source or sink panic in it, the stream ends there, also for a caller that recovers. An error that is
// set from within, by an Abort, is f's.
func (p *pipeline) do(f func() error) error {
	p.err, p.running = errUnfinished, true
	defer func() { p.running = false }()
	err := f()
	if p.err != errUnfinished {
		err = p.err
	}
	p.err = nil
	return err
}

var errUnfinished = errors.New("aead: an earlier call on this stream has not returned: its source or sink panicked, or makes this call")

func newPipeline(s *floe.Stream, workers int) pipeline {
	return pipeline{stream: s, workers: workers, group: 1}
}

// steps are what a pipeline does with each batch.
type steps struct {
	next func(*batch) error // fills in and last, and counts index on; io.EOF: no more
	work func(*batch) error // fills out
	emit func([]byte) error
}

const (
	serialBytes = 4 << 20   // where a second core begins to pay for itself
	smallBuffer = 4 << 10   // where a buffer that grows begins, in bytes
	maxInFlight = 64 << 20  // bytes of batches, beyond two
	batchBytes  = 256 << 10 // what a worker takes at once: waking one costs as much as sealing some 30 KiB
)

// copyTo writes rest to w and then what the steps make, until next returns io.EOF or something fails. It returns
// how many bytes w took.
func (p *pipeline) copyTo(w io.Writer, rest []byte, s steps) (n int64, err error) {
	s.emit = func(b []byte) error {
		m, err := whole.Write(w, b)
		n += int64(m)
		return err
	}
	err = p.do(func() error {
		if len(rest) > 0 {
			if err := s.emit(rest); err != nil {
				return err
			}
		}
		return p.run(s, p.alone())
	})
	return n, err
}

// alone is what to give run where the length is not known.
func (p *pipeline) alone() uint64 { return serialBytes / uint64(p.stream.SegmentSize) }

// run takes batches through the steps until next returns io.EOF, or a step
// fails. Everything before the first error is emitted. It leaves no goroutine behind.
// Segments before number alone are the caller's: a second core pays from serialBytes up.
func (p *pipeline) run(s steps, alone uint64) error {
	for p.workers == 1 || p.index < alone {
		if err := p.one(s); err != nil {
			return err
		}
	}
	p.group = max(1, batchBytes/p.stream.SegmentSize)
	defer func() { p.group = 1 }()
	return p.parallel(s)
}

// one takes one batch through the steps.
func (p *pipeline) one(s steps) error {
	b := p.batch(0)
	if err := p.fetch(s.next, b); err != nil {
		return err
	}
	b.err = s.work(b)
	return p.finish(s.emit, b)
}

func (p *pipeline) fetch(next func(*batch) error, b *batch) error {
	b.index, b.last = p.index, false
	return next(b)
}

// finish emits what there is of a batch and returns its error.
func (p *pipeline) finish(emit func([]byte) error, b *batch) error {
	if len(b.out) > 0 {
		if err := emit(b.out); err != nil {
			return err
		}
	}
	return b.err
}

// parallel is run on several cores. The caller reads and writes, and works itself
// whenever there is neither to do.
func (p *pipeline) parallel(s steps) error {
	// In flight: enough that no worker waits while the caller reads and writes, in bounded memory.
	depth := max(2, min(2*p.workers, maxInFlight/(p.group*p.stream.SegmentSize)))
	queue := make(chan *batch, depth)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer close(queue)
	do := func(b *batch) {
		b.err = s.work(b)
		b.done <- struct{}{}
	}
	for range p.workers - 1 {
		workers.Go(func() {
			for b := range queue {
				do(b)
			}
		})
	}
	var end error
	for fetched, finished := 0, 0; ; {
		for end == nil && fetched-finished < depth {
			b := p.batch(fetched % depth)
			if end = p.fetch(s.next, b); end == nil {
				queue <- b
				fetched++
			}
		}
		if fetched == finished {
			return end
		}
		oldest := p.batch(finished % depth)
		select {
		case <-oldest.done:
		default:
			select {
			case b := <-queue:
				do(b)
				continue
			case <-oldest.done:
			}
		}
		if err := p.finish(s.emit, oldest); err != nil {
			return err
		}
		finished++
	}
}

// batch returns the i-th of the ring, with the buffers it holds.
func (p *pipeline) batch(i int) *batch {
	for len(p.ring) <= i {
		p.ring = append(p.ring, &batch{cursor: p.stream.Cursor(), done: make(chan struct{}, 1)})
	}
	return p.ring[i]
}

// wipe clears the buffers that held plaintext.
func (p *pipeline) wipe(plain func(*batch) []byte) {
	for _, b := range p.ring {
		clear(plain(b))
	}
	p.ring = nil
}

// fill returns have and what r then gives, want bytes in all or up to r's end, in the batch's buffer. That grows with what
// comes: a short stream stays small, and a header alone takes no memory, whatever segments it claims.
func (b *batch) fill(r io.Reader, have []byte, want int) (in []byte, err error) {
	n := copy(room(&b.inBuf, max(len(have), min(want, smallBuffer))), have) // have lies elsewhere
	for {
		m, err := whole.Read(r, b.inBuf[n:min(want, len(b.inBuf))])
		if n += m; err != nil || n == want {
			return b.inBuf[:n], err
		}
		grown := make([]byte, min(want, 2*n))
		copy(grown, b.inBuf)
		clear(b.inBuf)
		b.inBuf = grown
	}
}

// room returns b with length n, cleared and allocated anew when it has no room for that.
func room(b *[]byte, n int) []byte {
	if cap(*b) < n {
		clear(*b)
		*b = make([]byte, n)
	}
	return (*b)[:n]
}
