package aead

import (
	"bytes"
	"errors"
	"io"
	"math"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/internal/floe"
)

func newReaderAt(t testing.TB, k *Key, sealed []byte) *ReaderAt {
	t.Helper()
	a, err := NewReaderAt(bytes.NewReader(sealed), int64(len(sealed)), k, nil, nil)
	require.NoError(t, err)
	return a
}

// sealParts seals parts as the segments of a stream, as no Writer would.
func sealParts(k *Key, segment int, parts ...[]byte) []byte {
	s, header := floe.Seal((*[KeySize]byte)(k.Bytes()), nil, segment)
	c, b := s.Cursor(), header[:]
	for i, p := range parts {
		b = c.Seal(b, p, uint64(i), i == len(parts)-1)
	}
	return b
}

func TestReaderAtIsAReader(t *testing.T) {
	k := NewKey()
	for _, n := range []int{0, 1, 32, 33, 1000} {
		a := newReaderAt(t, k, sealStream(t, k, nil, pattern(n), &StreamOptions{SegmentSize: 64}))
		require.EqualValues(t, n, a.Size())
		require.NoError(t, iotest.TestReader(io.NewSectionReader(a, 0, a.Size()), pattern(n)), "%d bytes", n)
	}
}

func TestReaderAtSize(t *testing.T) {
	k := NewKey()
	for _, c := range []struct {
		name  string
		sizes []int
	}{
		{"empty", []int{0}},
		{"short", []int{5}},
		{"full", []int{32}},
		{"empty after full", []int{32, 32, 0}},
		{"short after full", []int{32, 1}},
		{"full after full", []int{32, 32}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var parts [][]byte
			for _, n := range c.sizes {
				parts = append(parts, pattern(n))
			}
			want := bytes.Join(parts, nil)
			a := newReaderAt(t, k, sealParts(k, 64, parts...))
			require.EqualValues(t, len(want), a.Size())
			got := make([]byte, len(want)+1)
			n, err := a.ReadAt(got, 0)
			require.Equal(t, io.EOF, err)
			require.True(t, bytes.Equal(want, got[:n]))
		})
	}
}

func TestReadAtEdges(t *testing.T) {
	k := NewKey()
	a := newReaderAt(t, k, sealStream(t, k, nil, pattern(100), &StreamOptions{SegmentSize: 64}))
	for _, c := range []struct {
		name   string
		offset int64
		length int
		n      int
		err    error
	}{
		{"all", 0, 100, 100, nil},
		{"more than all", 0, 101, 100, io.EOF},
		{"across segments", 30, 40, 40, nil},
		{"the last byte", 99, 1, 1, nil},
		{"the end", 100, 1, 0, io.EOF},
		{"beyond", 1000, 1, 0, io.EOF},
		{"far beyond", math.MaxInt64, 1, 0, io.EOF},
		{"nothing", 5, 0, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := make([]byte, c.length)
			n, err := a.ReadAt(b, c.offset)
			require.Equal(t, c.n, n)
			require.Equal(t, c.err, err)
			if n > 0 {
				require.Equal(t, pattern(100)[c.offset:][:n], b[:n])
			}
		})
	}
	for _, offset := range []int64{-1, math.MinInt64} {
		n, err := a.ReadAt(make([]byte, 1), offset)
		require.Zero(t, n)
		require.Error(t, err)
		require.NotEqual(t, io.EOF, err)
	}
}

func TestReaderAtModel(t *testing.T) {
	k := NewKey()
	rapid.Check(t, func(t *rapid.T) {
		segment := rapid.SampledFrom([]int{40, 64, 1000, 4096}).Draw(t, "segment")
		model := pattern(rapid.IntRange(0, 20_000).Draw(t, "size"))
		var b bytes.Buffer
		require.NoError(t, writeWith(&b, k, &StreamOptions{SegmentSize: segment}, func(w *Writer) error {
			_, err := w.Write(model)
			return err
		}))
		a, err := NewReaderAt(bytes.NewReader(b.Bytes()), int64(b.Len()), k, nil, nil)
		require.NoError(t, err)
		reference := bytes.NewReader(model)
		for range rapid.IntRange(1, 20).Draw(t, "reads") {
			offset := rapid.Int64Range(0, int64(len(model)+50)).Draw(t, "offset")
			length := rapid.IntRange(0, 3*segment).Draw(t, "length")
			got, want := make([]byte, length), make([]byte, length)
			n, err := a.ReadAt(got, offset)
			m, wantErr := reference.ReadAt(want, offset)
			require.Equal(t, m, n)
			require.True(t, bytes.Equal(want, got))
			if length > 0 {
				require.Equal(t, wantErr, err)
			}
		}
	})
}

// TestReaderAtWrongSize claims every size that the stream has not, over bytes that go on.
func TestReaderAtWrongSize(t *testing.T) {
	k := NewKey()
	for _, n := range []int{0, 1, 8, 9, 24, 30} {
		sealed := sealStream(t, k, nil, pattern(n), &StreamOptions{SegmentSize: 40})
		for name, b := range map[string][]byte{
			"nothing follows": sealed,
			"zeros follow":    append(bytes.Clone(sealed), make([]byte, 300)...),
			"it is repeated":  append(bytes.Clone(sealed), append(bytes.Clone(sealed[74:]), make([]byte, 300)...)...),
		} {
			for size := range int64(len(sealed) + 200) {
				a, err := NewReaderAt(bytes.NewReader(b), size, k, nil, nil)
				if size == int64(len(sealed)) {
					require.NoError(t, err)
					continue
				}
				require.Nil(t, a)
				expected := errors.Is(err, ErrTruncated) || errors.Is(err, ErrFormat)
				// Where the last segment is repeated at its own place, only its number is wrong.
				expected = expected || name == "it is repeated" && size > int64(len(sealed)) && errors.Is(err, ErrOpen)
				require.True(t, expected, "%d bytes, %s, size %d: %v", n, name, size, err)
			}
			for _, size := range []int64{-1, math.MinInt64, math.MaxInt64} {
				_, err := NewReaderAt(bytes.NewReader(b), size, k, nil, nil)
				require.True(t, errors.Is(err, ErrTruncated) || errors.Is(err, ErrFormat) || errors.Is(err, ErrTooLarge), "size %d: %v", size, err)
			}
		}
	}
}

func TestReaderAtSourceIsShorter(t *testing.T) {
	k := NewKey()
	sealed := sealStream(t, k, nil, pattern(1000), &StreamOptions{SegmentSize: 64})
	for n := range sealed {
		_, err := NewReaderAt(bytes.NewReader(sealed[:n]), int64(len(sealed)), k, nil, nil)
		require.ErrorIs(t, err, ErrTruncated)
	}
}

// TestReaderAtFault alters one segment: only reads that touch it fail, and say how far they came.
func TestReaderAtFault(t *testing.T) {
	k, plaintext := NewKey(), pattern(320)
	sealed := sealStream(t, k, nil, plaintext, &StreamOptions{SegmentSize: 64})
	for i := range 10 {
		b := flip(sealed, (74+64*i+40)*8)
		a, err := NewReaderAt(bytes.NewReader(b), int64(len(b)), k, nil, nil)
		if i == 9 {
			require.ErrorIs(t, err, ErrOpen)
			continue
		}
		require.NoError(t, err)
		for j := range 10 {
			got := make([]byte, 32)
			n, err := a.ReadAt(got, int64(32*j))
			if j == i {
				require.Zero(t, n)
				require.ErrorIs(t, err, ErrOpen)
				require.Equal(t, make([]byte, 32), got)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, plaintext[32*j:][:32], got)
		}
		got := make([]byte, 320)
		n, err := a.ReadAt(got, 0)
		require.Equal(t, 32*i, n)
		require.ErrorIs(t, err, ErrOpen)
		require.Equal(t, plaintext[:n], got[:n])
		require.Equal(t, make([]byte, 320-n), got[n:])
	}
	for _, word := range []uint32{64, 40, 32} { // a segment that claims to be the last
		b := putWord(sealed, 74+64, word)
		a, err := NewReaderAt(bytes.NewReader(b), int64(len(b)), k, nil, nil)
		require.NoError(t, err)
		_, err = a.ReadAt(make([]byte, 10), 40)
		require.Error(t, err)
		require.NotEqual(t, io.EOF, err)
	}
}

// faultyAt fails at one offset.
type faultyAt struct {
	io.ReaderAt
	at  int64
	err error
}

func (f faultyAt) ReadAt(p []byte, offset int64) (int, error) {
	if f.at >= offset && f.at < offset+int64(len(p)) {
		return 0, f.err
	}
	return f.ReaderAt.ReadAt(p, offset)
}

func TestReaderAtOfFailingSource(t *testing.T) {
	k := NewKey()
	sealed := sealStream(t, k, nil, pattern(320), &StreamOptions{SegmentSize: 64})
	for _, cause := range []error{errSource, io.ErrUnexpectedEOF} {
		source := func(at int) io.ReaderAt { return faultyAt{bytes.NewReader(sealed), int64(at), cause} }
		for _, at := range []int{0, 73, len(sealed) - 1} {
			_, err := NewReaderAt(source(at), int64(len(sealed)), k, nil, nil)
			require.ErrorIs(t, err, cause)
			require.NotErrorIs(t, err, ErrTruncated)
		}
		a, err := NewReaderAt(source(74+64*3), int64(len(sealed)), k, nil, nil)
		require.NoError(t, err)
		got := make([]byte, 320)
		n, err := a.ReadAt(got, 0)
		require.Equal(t, 96, n)
		require.ErrorIs(t, err, cause)
		n, err = a.ReadAt(got[:32], 128) // an error is not sticky here: a source may recover
		require.Equal(t, 32, n)
		require.NoError(t, err)
	}
}

func TestConcurrentReadAt(t *testing.T) {
	k, plaintext := NewKey(), pattern(50_000)
	a := newReaderAt(t, k, sealStream(t, k, nil, plaintext, &StreamOptions{SegmentSize: 1000}))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				b := make([]byte, 1+(i*37)%2500)
				offset := (i*7919 + g*104729) % len(plaintext)
				n, err := a.ReadAt(b, int64(offset))
				want := plaintext[offset:min(offset+len(b), len(plaintext))]
				if !bytes.Equal(want, b[:n]) || n < len(b) && err != io.EOF || n == len(b) && err != nil {
					t.Errorf("read of %d bytes at %d: %d, %v", len(b), offset, n, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestReaderAtDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	k := NewKey()
	a := newReaderAt(t, k, sealStream(t, k, nil, pattern(100_000), &StreamOptions{SegmentSize: 4096}))
	b, offset := make([]byte, 5000), int64(0)
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
		_, _ = a.ReadAt(b, offset)
		offset = (offset + 30_011) % 90_000
	}), 1.0)
}
