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

// rawStream is what raw GCM makes of a stream, segment by segment.
type rawStream struct {
	*streamBench
	stream []byte
	size   int // of a segment of stream
	crypt  func(dst, segment, ad []byte) []byte
	ad     [9]byte
}

func (s *streamBench) rawSeal() *rawStream {
	return &rawStream{streamBench: s, stream: s.plaintext, size: s.segment - framing, crypt: func(dst, segment, ad []byte) []byte {
		return s.raw.Seal(dst, nil, segment, ad)
	}}
}

func (s *streamBench) rawOpen() *rawStream {
	return &rawStream{streamBench: s, stream: s.rawOut, size: s.segment - framing + nonceTag, crypt: func(dst, segment, ad []byte) []byte {
		return take(s.raw.Open(dst, nil, segment, ad))
	}}
}

// append adds to dst what becomes of the segments in src, of which the first has this number.
func (s *rawStream) append(dst, src []byte, number uint64) []byte {
	for segment := range slices.Chunk(src, s.size) {
		binary.BigEndian.PutUint64(s.ad[:], number)
		dst = s.crypt(dst, segment, s.ad[:])
		number++
	}
	return dst
}

// alone does so on one core, with one read and one write a segment.
func (s *rawStream) alone() {
	s.out.n = 0
	src := source{bytes.NewReader(s.stream)}
	in, out := make([]byte, s.size), make([]byte, 0, s.segment)
	for i := uint64(0); ; i++ {
		n, _ := io.ReadFull(src, in)
		if n == 0 {
			return
		}
		take(s.out.Write(s.append(out, in[:n], i)))
	}
}

// batch is what one core hands to the other.
type batch struct {
	in, out []byte
	done    chan struct{} // holds a value when out is made
}

// handed does so on two cores, of which one reads and writes. What it costs to wake a core and to move data between two caches
// is in it, as it is in a stream with two workers.
func (s *rawStream) handed() {
	s.out.n = 0
	src := source{bytes.NewReader(s.stream)}
	queue := make(chan *batch, handedAhead)
	defer close(queue)
	go func() {
		for number := uint64(0); ; number += handedAtOnce {
			b, ok := <-queue
			if !ok {
				return
			}
			b.out = s.append(b.out, b.in, number)
			b.done <- struct{}{}
		}
	}()
	var ring []*batch
	for range handedAhead {
		b := &batch{in: make([]byte, handedAtOnce*s.size), out: make([]byte, 0, handedAtOnce*s.segment), done: make(chan struct{}, 1)}
		b.done <- struct{}{}
		ring = append(ring, b)
	}
	for i, ended := 0, 0; ended < handedAhead; i++ {
		b := ring[i%handedAhead]
		<-b.done
		take(s.out.Write(b.out))
		n, _ := io.ReadFull(src, b.in)
		if n == 0 {
			ended++
			continue
		}
		b.in, b.out = b.in[:n], b.out[:0]
		queue <- b
	}
}
