package aead

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// BenchmarkStream copies through Writer and Reader, beside raw GCM over segments of the same size.
func BenchmarkStream(b *testing.B) {
	k := NewKey()
	for _, size := range []int{1 << 10, 1 << 20, 64 << 20} {
		plaintext := pattern(size)
		sealed := sealStream(b, k, nil, plaintext, nil)
		for _, workers := range []int{1, 2} {
			o := &StreamOptions{Workers: workers}
			benchStream(b, fmt.Sprintf("op=seal/size=%d/workers=%d", size, workers), size, func() error {
				w, err := NewWriter(io.Discard, k, nil, o)
				if err != nil {
					return err
				}
				defer w.Abort()
				if _, err := w.ReadFrom(bytes.NewReader(plaintext)); err != nil {
					return err
				}
				return w.Close()
			})
			benchStream(b, fmt.Sprintf("op=open/size=%d/workers=%d", size, workers), size, func() error {
				r, err := NewReader(bytes.NewReader(sealed), k, nil, o)
				if err != nil {
					return err
				}
				_, err = r.WriteTo(io.Discard)
				return err
			})
		}
		block, err := aes.NewCipher(k.Bytes())
		if err != nil {
			b.Fatal(err)
		}
		raw, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			b.Fatal(err)
		}
		in, out := make([]byte, DefaultSegmentSize), make([]byte, 0, DefaultSegmentSize+28)
		benchStream(b, fmt.Sprintf("op=raw-seal/size=%d", size), size, func() error {
			for src := bytes.NewReader(plaintext); ; {
				n, err := src.Read(in)
				if err == io.EOF {
					return nil
				}
				raw.Seal(out, nil, in[:n], nil)
			}
		})
	}
}

func benchStream(b *testing.B, name string, size int, run func() error) {
	b.Run(name, func(b *testing.B) {
		b.SetBytes(int64(size))
		b.ReportAllocs()
		for b.Loop() {
			if err := run(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkReadAt reads 4 KiB at random places.
func BenchmarkReadAt(b *testing.B) {
	const size, read = 16 << 20, 4 << 10
	k := NewKey()
	sealed := sealStream(b, k, nil, pattern(size), nil)
	r, err := NewReaderAt(bytes.NewReader(sealed), int64(len(sealed)), k, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	p := make([]byte, read)
	b.Run(fmt.Sprintf("size=%d", read), func(b *testing.B) {
		b.SetBytes(read)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.ReadAt(p, rand.Int64N(size-read)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
