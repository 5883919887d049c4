package main

import (
	"bytes"
	"crypto/cipher"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/holdfast-go/holdfast/aead"
)

const (
	streamSize = 64 << 20
	fileSize   = 1 << 30
	readSize   = 4 << 10
	nonceTag   = 28 // bytes that raw GCM adds to a segment
	framing    = 32 // bytes that a stream adds to a segment
)

// sink is memory that takes a stream again and again.
type sink struct {
	b []byte
	n int
}

func (s *sink) Write(p []byte) (int, error) {
	n := copy(s.b[s.n:], p)
	s.n += n
	return n, nil
}

// source hides bytes.Reader's WriteTo, so that the stream decides how to read.
type source struct{ io.Reader }

// streams are the figures of Writer, Reader and ReaderAt at the default segment size.
func streams() []func() result {
	const segment = aead.DefaultSegmentSize
	return []func() result{
		func() result {
			s := newStreamBench(segment)
			return pair("seal stream, one worker", s.seal(1), s.rawSeal().alone)
		},
		func() result {
			s := newStreamBench(segment)
			return pair("open stream, one worker", s.open(1), s.rawOpen().alone)
		},
		func() result {
			s := newStreamBench(segment)
			return s.workers("seal stream, two workers", s.seal, s.rawSeal().handed)
		},
		func() result {
			s := newStreamBench(segment)
			return s.workers("open stream, two workers", s.open, s.rawOpen().handed)
		},
		func() result { return randomReads(segment) },
	}
}

// streamBench is a stream of streamSize bytes and the same made of raw GCM.
type streamBench struct {
	key                       *aead.Key
	raw                       cipher.AEAD
	segment                   int
	plaintext, sealed, rawOut []byte
	out                       sink
}

func newStreamBench(segment int) *streamBench {
	key := aead.NewKey()
	size, err := aead.SealedSize(streamSize, segment)
	must(err)
	s := &streamBench{key: key, raw: rawGCM(key.Bytes()), segment: segment, plaintext: make([]byte, streamSize), out: sink{b: make([]byte, size)}}
	s.seal(1)()
	s.sealed = bytes.Clone(s.out.b)
	s.rawSeal().alone()
	s.rawOut = bytes.Clone(s.out.b[:s.out.n])
	return s
}

func (s *streamBench) options(workers int) *aead.StreamOptions {
	return &aead.StreamOptions{SegmentSize: s.segment, Workers: workers}
}

func (s *streamBench) seal(workers int) func() {
	return func() {
		s.out.n = 0
		w, err := aead.NewWriter(&s.out, s.key, nil, s.options(workers))
		must(err)
		_, err = w.ReadFrom(source{bytes.NewReader(s.plaintext)})
		must(err)
		must(w.Close())
	}
}

func (s *streamBench) open(workers int) func() {
	return func() {
		s.out.n = 0
		r, err := aead.NewReader(source{bytes.NewReader(s.sealed)}, s.key, nil, s.options(workers))
		must(err)
		_, err = r.WriteTo(&s.out)
		must(err)
	}
}

// workers compares two workers with raw GCM on two cores, and tells what two gain over one.
func (s *streamBench) workers(name string, run func(workers int) func(), handed func()) result {
	one, two := run(1), run(2)
	var ratios, gains []float64
	for range turns {
		t := perCall(two, 1)
		ratios, gains = append(ratios, t/perCall(handed, 1)), append(gains, perCall(one, 1)/t)
	}
	return result{name: name, value: median(ratios), unit: "x", detail: fmt.Sprintf("%.2f times the throughput of one worker", median(gains))}
}

// randomReads reads at random places of a large stream against reading as much as a segment there and opening one.
func randomReads(segment int) result {
	key := aead.NewKey()
	size, err := aead.SealedSize(fileSize, segment)
	must(err)
	file := sink{b: make([]byte, size)}
	w, err := aead.NewWriter(&file, key, nil, &aead.StreamOptions{SegmentSize: segment})
	must(err)
	_, err = io.CopyN(w, zeros{}, fileSize)
	must(err)
	must(w.Close())
	r, err := aead.NewReaderAt(bytes.NewReader(file.b), size, key, nil, nil)
	must(err)
	raw := rawGCM(key.Bytes())
	one := raw.Seal(nil, nil, make([]byte, segment-framing), nil)
	p, in, out := make([]byte, readSize), make([]byte, len(one)), make([]byte, 0, segment)
	return pair(fmt.Sprintf("ReadAt, %d KiB of 1 GiB", readSize>>10),
		func() {
			_, err := r.ReadAt(p, rand.Int64N(fileSize-readSize))
			must(err)
		},
		func() {
			copy(in, file.b[rand.Int64N(size-int64(len(in))):]) // the read
			rawOpen(raw, out, one, nil)
		})
}

// zeros is a source without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
