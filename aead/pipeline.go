package aead

import (
	"sync"

	"github.com/holdfast-go/holdfast/internal/floe"
)

// segment is one segment on its way through a pipeline.
type segment struct {
	cursor *floe.Cursor
	index  uint64
	last   bool
	in     []byte // what work reads
	out    []byte // what work made
	err    error
	done   chan struct{} // holds a value when work is done

	inBuf, outBuf []byte // what next and work may use for them
}

// pipeline moves segments from a source to a sink and keeps their order. Only
// the caller's goroutine calls next and emit; work runs on the workers too.
type pipeline struct {
	stream  *floe.Stream
	workers int
	index   uint64     // of the next segment
	ring    []*segment // reused; its length is how many may be in flight
}

// steps are what a pipeline does with each segment.
type steps struct {
	next func(*segment) error // fills in and last; io.EOF: no more
	work func(*segment) error // fills out
	emit func(*segment) error
}

// run takes segments through the steps until next returns io.EOF, or a step
// fails. Everything before the first error is emitted. It leaves no goroutine behind.
// Segments before number alone are the caller's: a second core pays from serialBytes up.
func (p *pipeline) run(s steps, alone uint64) error {
	for p.workers == 1 || p.index < alone {
		seg := p.segment(0)
		if err := p.step(s.next, seg); err != nil {
			return err
		}
		if err := s.work(seg); err != nil {
			return err
		}
		if err := s.emit(seg); err != nil {
			return err
		}
	}
	return p.parallel(s)
}

// alone is what to give run where the length is not known.
func (p *pipeline) alone() uint64 { return serialBytes / uint64(p.stream.SegmentSize) }

// step fetches the next segment.
func (p *pipeline) step(next func(*segment) error, seg *segment) error {
	seg.index, seg.last = p.index, false
	if err := next(seg); err != nil {
		return err
	}
	p.index++
	return nil
}

// parallel is run on several cores. The caller reads and writes, and works itself
// whenever there is neither to do.
func (p *pipeline) parallel(s steps) (err error) {
	depth := 2 * p.workers // in flight: enough that no worker waits while the caller reads and writes
	queue := make(chan *segment, depth)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer close(queue)
	do := func(seg *segment) {
		seg.err = s.work(seg)
		seg.done <- struct{}{}
	}
	for range p.workers - 1 {
		workers.Go(func() {
			for seg := range queue {
				do(seg)
			}
		})
	}
	var read, written int // how many segments were fetched and emitted here
	for end := error(nil); ; {
		for ; end == nil && read-written < depth; read++ {
			seg := p.segment(read % depth)
			if end = p.step(s.next, seg); end != nil {
				break
			}
			queue <- seg
		}
		if read == written {
			return end
		}
		oldest := p.segment(written % depth)
		select {
		case <-oldest.done:
		default:
			select {
			case seg := <-queue:
				do(seg)
				continue
			case <-oldest.done:
			}
		}
		if oldest.err != nil {
			return oldest.err
		}
		if err := s.emit(oldest); err != nil {
			return err
		}
		written++
	}
}

// segment returns the i-th of the ring, with what it holds.
func (p *pipeline) segment(i int) *segment {
	for len(p.ring) <= i {
		p.ring = append(p.ring, &segment{cursor: p.stream.Cursor(), done: make(chan struct{}, 1)})
	}
	return p.ring[i]
}

// room returns b with length n, allocated anew when it has no room for that.
func room(b *[]byte, n int) []byte {
	if cap(*b) < n {
		*b = make([]byte, n)
	}
	return (*b)[:n]
}
