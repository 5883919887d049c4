package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
)

const (
	handedAtOnce = 4 // segments
	handedAhead  = 4 // batches
)

// batch is what one core hands to the other.
type batch struct {
	in, out []byte
	done    chan struct{} // holds a value when out is made
}

// handed is raw GCM over a stream on two cores: one reads, and writes what the other makes of each segment of size bytes. What
// it costs to wake a core and to move data between two caches is in it, as it is in a stream with two workers.
func (s *streamBench) handed(stream []byte, size int, crypt func(dst, segment, ad []byte) []byte) func() {
	return func() {
		s.out.n = 0
		src := source{bytes.NewReader(stream)}
		queue := make(chan *batch, handedAhead)
		defer close(queue)
		go func() {
			ad, segments := make([]byte, 9), uint64(0)
			for b := range queue {
				for segment := range slices.Chunk(b.in, size) {
					binary.BigEndian.PutUint64(ad, segments)
					b.out = crypt(b.out, segment, ad)
					segments++
				}
				b.done <- struct{}{}
			}
		}()
		var ring []*batch
		for range handedAhead {
			b := &batch{in: make([]byte, handedAtOnce*size), out: make([]byte, 0, handedAtOnce*s.segment), done: make(chan struct{}, 1)}
			b.done <- struct{}{}
			ring = append(ring, b)
		}
		for i, ended := 0, 0; ended < handedAhead; i++ {
			b := ring[i%handedAhead]
			<-b.done
			_, err := s.out.Write(b.out)
			must(err)
			n, _ := io.ReadFull(src, b.in[:cap(b.in)])
			if n == 0 {
				ended++
				continue
			}
			b.in, b.out = b.in[:n], b.out[:0]
			queue <- b
		}
	}
}
