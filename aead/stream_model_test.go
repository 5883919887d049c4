package aead

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// sizeNear draws lengths around the multiples of a segment's plaintext, small ones, and now and then
// one that brings in more than one core.
func sizeNear(t *rapid.T, plain int, label string) int {
	switch rapid.IntRange(0, 19).Draw(t, label+" kind") {
	case 0:
		return rapid.IntRange(3<<20, 6<<20).Draw(t, label)
	case 1, 2, 3, 4, 5, 6:
		return rapid.IntRange(0, 20).Draw(t, label)
	}
	return max(0, rapid.IntRange(0, 8).Draw(t, label+" segments")*plain+rapid.IntRange(-2, 2).Draw(t, label+" offset"))
}

// segmentSize draws a segment size, and workers how many may work.
func drawOptions(t *rapid.T) *StreamOptions {
	return &StreamOptions{
		SegmentSize: rapid.SampledFrom([]int{400, 1000, 4096, 40_000, 64 << 10, 300_000}).Draw(t, "segment"),
		Workers:     rapid.IntRange(1, 5).Draw(t, "workers"),
	}
}

// TestStreamModel holds the streams to a byte slice, whatever calls they are made of and read with.
func TestStreamModel(t *testing.T) {
	k := NewKey()
	rapid.Check(t, func(t *rapid.T) {
		o := drawOptions(t)
		aad := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "aad")
		var model []byte
		var sealed bytes.Buffer
		w, err := NewWriter(&sealed, k, aad, o)
		require.NoError(t, err)
		for range rapid.IntRange(0, 6).Draw(t, "calls") {
			data := pattern(len(model) + sizeNear(t, o.SegmentSize-32, "size"))[len(model):]
			model = append(model, data...)
			var n int64
			switch rapid.SampledFrom([]string{"Write", "ReadFrom", "Copy", "WriteTo"}).Draw(t, "call") {
			case "Write":
				m, err := w.Write(data)
				require.NoError(t, err)
				n = int64(m)
				clear(data) // the buffer is the caller's again
			case "ReadFrom":
				n, err = w.ReadFrom(bytes.NewReader(data))
			case "Copy":
				n, err = io.Copy(w, onlyReader{bytes.NewReader(data)})
			case "WriteTo":
				n, err = io.Copy(w, bytes.NewReader(data))
			}
			require.NoError(t, err)
			require.EqualValues(t, len(data), n)
		}
		require.NoError(t, w.Close())
		size, err := SealedSize(int64(len(model)), o.SegmentSize)
		require.NoError(t, err)
		require.EqualValues(t, size, sealed.Len())

		var again bytes.Buffer
		s, err := NewSealReader(bytes.NewReader(model), k, aad, o)
		require.NoError(t, err)
		drain(t, s, &again)
		require.EqualValues(t, size, again.Len())

		for _, b := range []*bytes.Buffer{&sealed, &again} {
			var opened bytes.Buffer
			r, err := NewReader(b, k, aad, &StreamOptions{Workers: rapid.IntRange(1, 5).Draw(t, "readers")})
			require.NoError(t, err)
			drain(t, r, &opened)
			require.True(t, bytes.Equal(model, opened.Bytes()))
		}
	})
}

// drain reads to the end, by Read and then perhaps by WriteTo.
func drain(t *rapid.T, r interface {
	io.Reader
	io.WriterTo
}, to *bytes.Buffer,
) {
	for range rapid.IntRange(0, 6).Draw(t, "reads") {
		b := make([]byte, rapid.SampledFrom([]int{0, 1, 7, 368, 4064, 100_000}).Draw(t, "read"))
		n, err := r.Read(b)
		to.Write(b[:n])
		if err == io.EOF {
			require.Zero(t, n)
			break
		}
		require.NoError(t, err)
	}
	if rapid.Bool().Draw(t, "WriteTo") {
		before := to.Len()
		n, err := r.WriteTo(to)
		require.NoError(t, err)
		require.EqualValues(t, to.Len()-before, n)
	} else {
		_, err := io.Copy(to, onlyReader{r})
		require.NoError(t, err)
	}
	n, err := r.Read(make([]byte, 10))
	require.Zero(t, n)
	require.Equal(t, io.EOF, err)
	written, err := r.WriteTo(to)
	require.Zero(t, written)
	require.NoError(t, err)
}

// TestLengthIsTheSameForAnyPath seals the same bytes on every path.
func TestLengthIsTheSameForAnyPath(t *testing.T) {
	k := NewKey()
	for _, n := range afew(0, 4065, 6<<20, 1, 4064, 4<<20-1) {
		plaintext := pattern(n)
		want, err := SealedSize(int64(n), 4096)
		require.NoError(t, err)
		for _, workers := range afew(1, 2, 4, 3) {
			o := &StreamOptions{SegmentSize: 4096, Workers: workers}
			for name, seal := range map[string]func(io.Writer) error{
				"one Write": func(b io.Writer) error {
					return writeWith(b, k, o, func(w *Writer) error {
						_, err := w.Write(plaintext)
						return err
					})
				},
				"small Writes": func(b io.Writer) error {
					return writeWith(b, k, o, func(w *Writer) error {
						_, err := io.CopyBuffer(onlyWriter{w}, onlyReader{bytes.NewReader(plaintext)}, make([]byte, 1500))
						return err
					})
				},
				"ReadFrom": func(b io.Writer) error {
					return writeWith(b, k, o, func(w *Writer) error {
						_, err := w.ReadFrom(bytes.NewReader(plaintext))
						return err
					})
				},
				"SealReader": func(b io.Writer) error {
					s, err := NewSealReader(bytes.NewReader(plaintext), k, nil, o)
					if err != nil {
						return err
					}
					_, err = io.Copy(b, s)
					return err
				},
				"SealReader's Read": func(b io.Writer) error {
					s, err := NewSealReader(bytes.NewReader(plaintext), k, nil, o)
					if err != nil {
						return err
					}
					_, err = io.Copy(b, onlyReader{s})
					return err
				},
			} {
				var b bytes.Buffer
				require.NoError(t, seal(&b))
				require.EqualValues(t, want, b.Len(), "%s, %d workers", name, workers)
				got, err := openStreamBytes(k, nil, b.Bytes(), nil)
				require.NoError(t, err)
				require.True(t, bytes.Equal(plaintext, got), fmt.Sprint(name, workers))
			}
		}
	}
}

// writeWith is the idiom of package users.
func writeWith(b io.Writer, k *Key, o *StreamOptions, fill func(*Writer) error) error {
	w, err := NewWriter(b, k, nil, o)
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := fill(w); err != nil {
		return err
	}
	return w.Close()
}
