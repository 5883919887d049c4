package aead

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/floe"
)

// sealStream seals plaintext as a stream with one Write.
func sealStream(t testing.TB, k *Key, aad, plaintext []byte, o *StreamOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, k, aad, o)
	require.NoError(t, err)
	_, err = w.Write(plaintext)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// pattern returns n bytes that tell where they are, up to a multiple of a prime number.
func pattern(n int) []byte {
	b := make([]byte, n)
	first := min(n, 65521)
	for i := range first {
		b[i] = byte(i ^ i>>8)
	}
	for done := first; done < n; done *= 2 {
		copy(b[done:], b[:done])
	}
	return b
}

// openStreamBytes opens a stream with Read alone.
func openStreamBytes(k *Key, aad, sealed []byte, o *StreamOptions) ([]byte, error) {
	r, err := NewReader(bytes.NewReader(sealed), k, aad, o)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(onlyReader{r})
}

// openCopy opens a stream with WriteTo.
func openCopy(k *Key, aad, sealed []byte, o *StreamOptions) ([]byte, error) {
	r, err := NewReader(bytes.NewReader(sealed), k, aad, o)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = r.WriteTo(&b)
	return b.Bytes(), err
}

// openAt opens a stream with a ReaderAt.
func openAt(k *Key, aad, sealed []byte, o *StreamOptions) ([]byte, error) {
	a, err := NewReaderAt(bytes.NewReader(sealed), int64(len(sealed)), k, aad, o)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(a, 0, a.Size()))
}

// onlyReader hides every other method of a reader, and onlyWriter of a writer.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

// openers are the three ways to open a stream.
var openers = []struct {
	name string
	open func(k *Key, aad, sealed []byte, o *StreamOptions) ([]byte, error)
}{
	{"Read", openStreamBytes},
	{"WriteTo", openCopy},
	{"ReadAt", openAt},
}

func TestSizes(t *testing.T) {
	for _, segment := range []int{40, 41, 64, 4096, 0, 16 << 20} {
		s := int64(segment)
		if s == 0 {
			s = DefaultSegmentSize
		}
		for _, n := range []int64{0, 1, s - 33, s - 32, s - 31, 2*s - 64, 2*s - 63, 1 << 20, 1<<40 + 7} {
			sealed, err := SealedSize(n, segment)
			require.NoError(t, err)
			segments := max(1, (n+s-33)/(s-32))
			require.Equal(t, 74+n+32*segments, sealed, "%d bytes in segments of %d", n, segment)
			back, err := PlaintextSize(sealed, segment)
			require.NoError(t, err)
			require.Equal(t, n, back)
		}
	}
}

func TestSizeLimits(t *testing.T) {
	const most = 1 << 40 * 8 // plaintext of 2^40 segments of 40 bytes
	for _, c := range []struct {
		name    string
		size    func(int64, int) (int64, error)
		n       int64
		segment int
		fails   bool
		want    error // nil: any
	}{
		{"2^40 segments", SealedSize, most, 40, false, nil},
		{"a byte more", SealedSize, most + 1, 40, true, ErrTooLarge},
		{"the largest int", SealedSize, math.MaxInt64, 40, true, ErrTooLarge},
		{"the largest int in large segments", SealedSize, math.MaxInt64, 16 << 20, true, ErrTooLarge},
		{"the largest int less its overhead", SealedSize, math.MaxInt64 - 1<<45, 16 << 20, false, nil},
		{"negative", SealedSize, -1, 40, true, nil},
		{"most negative", SealedSize, math.MinInt64, 40, true, nil},
		{"segment too small", SealedSize, 1, 39, true, nil},
		{"segment too large", SealedSize, 1, 16<<20 + 1, true, nil},
		{"segment negative", SealedSize, 1, -1, true, nil},
		{"sealed 2^40 segments", PlaintextSize, 74 + 1<<40*40, 40, false, nil},
		{"sealed a segment more", PlaintextSize, 74 + 1<<40*40 + 32, 40, true, ErrTooLarge},
		{"sealed the smallest int", PlaintextSize, math.MinInt64, 16 << 20, true, ErrTruncated},
		{"sealed the largest int", PlaintextSize, math.MaxInt64, 40, true, ErrTooLarge},
		{"sealed negative", PlaintextSize, -1, 40, true, nil},
		{"sealed most negative", PlaintextSize, math.MinInt64, 40, true, nil},
		{"sealed nothing", PlaintextSize, 0, 40, true, ErrTruncated},
		{"sealed a header", PlaintextSize, 74, 40, true, ErrTruncated},
		{"sealed less than a segment", PlaintextSize, 74 + 31, 40, true, ErrTruncated},
		{"sealed an empty segment", PlaintextSize, 74 + 32, 40, false, nil},
		{"sealed between", PlaintextSize, 74 + 40 + 31, 40, true, ErrTruncated},
		{"sealed with segments too small", PlaintextSize, 200, 39, true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.size(c.n, c.segment)
			require.Equal(t, c.fails, err != nil)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
			}
			require.True(t, err != nil || got >= 0)
		})
	}
}

func TestStreamOptions(t *testing.T) {
	k := NewKey()
	sealed := sealStream(t, k, nil, pattern(100), nil)
	for _, c := range []struct {
		name string
		o    *StreamOptions
		ok   bool
	}{
		{"nil", nil, true},
		{"zero", &StreamOptions{}, true},
		{"smallest", &StreamOptions{SegmentSize: 40, Workers: 1}, true},
		{"largest", &StreamOptions{SegmentSize: 16 << 20, MaxSegmentSize: 1 << 30, Workers: 64}, true},
		{"segments too small", &StreamOptions{SegmentSize: 39}, false},
		{"segments too large", &StreamOptions{SegmentSize: 16<<20 + 1}, false},
		{"segments negative", &StreamOptions{SegmentSize: -1}, false},
		{"limit too small", &StreamOptions{MaxSegmentSize: 39}, false},
		{"limit too large", &StreamOptions{MaxSegmentSize: 1<<30 + 1}, false},
		{"limit negative", &StreamOptions{MaxSegmentSize: -1}, false},
		{"workers negative", &StreamOptions{Workers: -1}, false},
		{"workers too many", &StreamOptions{Workers: 65}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			_, writerErr := NewWriter(&b, k, nil, c.o)
			_, sealErr := NewSealReader(&b, k, nil, c.o)
			_, readerErr := NewReader(bytes.NewReader(sealed), k, nil, c.o)
			_, atErr := NewReaderAt(bytes.NewReader(sealed), int64(len(sealed)), k, nil, c.o)
			for _, err := range []error{writerErr, sealErr, readerErr, atErr} {
				require.Equal(t, c.ok, err == nil, "%v", err)
			}
			require.True(t, c.ok || b.Len() == 0, "nothing may be written before the options are checked")
		})
	}
}

func TestOptionsAreCopied(t *testing.T) {
	k, o, aad := NewKey(), &StreamOptions{SegmentSize: 64, Workers: 1}, []byte("ad")
	var b bytes.Buffer
	w, err := NewWriter(&b, k, aad, o)
	require.NoError(t, err)
	require.Equal(t, StreamOptions{SegmentSize: 64, Workers: 1}, *o)
	o.SegmentSize, o.Workers, aad[0] = 1, -1, 'x'
	_, err = w.Write(pattern(1000))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	got, err := openStreamBytes(k, []byte("ad"), b.Bytes(), nil)
	require.NoError(t, err)
	require.Equal(t, pattern(1000), got)
}

// TestWriterMakesFullSegments looks at the length words: all segments are full but the last, which is
// empty for an empty plaintext only.
func TestWriterMakesFullSegments(t *testing.T) {
	k := NewKey()
	for n := range 40 {
		sealed := sealStream(t, k, nil, pattern(n), &StreamOptions{SegmentSize: 40})
		b := sealed[floe.HeaderSize:]
		for len(b) > 40 {
			require.Equal(t, []byte{0xff, 0xff, 0xff, 0xff}, b[:4])
			b = b[40:]
		}
		require.Equal(t, []byte{0, 0, 0, byte(len(b))}, b[:4])
		require.True(t, len(b) > 32 || n == 0)
	}
}

func TestStreamOfEveryLength(t *testing.T) {
	k, aad := NewKey(), []byte("ad")
	for _, o := range []*StreamOptions{{SegmentSize: 40, Workers: 1}, {SegmentSize: 64, Workers: 3}, {SegmentSize: 100}} {
		for n := range 300 {
			sealed := sealStream(t, k, aad, pattern(n), o)
			want, err := SealedSize(int64(n), o.SegmentSize)
			require.NoError(t, err)
			require.EqualValues(t, want, len(sealed))
			for _, c := range openers {
				got, err := c.open(k, aad, sealed, o)
				require.NoError(t, err)
				require.True(t, bytes.Equal(pattern(n), got), "%s of %d bytes", c.name, n)
			}
		}
	}
}

func TestWrongKeyOrAdditionalData(t *testing.T) {
	k := NewKey()
	sealed := sealStream(t, k, []byte("ad"), pattern(100), nil)
	for _, c := range openers {
		_, err := c.open(NewKey(), []byte("ad"), sealed, nil)
		require.ErrorIs(t, err, ErrOpen)
		_, err = c.open(k, []byte("ae"), sealed, nil)
		require.ErrorIs(t, err, ErrOpen)
		_, err = c.open(k, nil, sealed, nil)
		require.ErrorIs(t, err, ErrOpen)
	}
}

// goroutine returns the number of the running goroutine.
func goroutine() string {
	b := make([]byte, 64)
	return strings.Fields(string(b[:runtime.Stack(b, false)]))[1]
}

// sameGoroutine fails every call from another goroutine than the one it was made on.
type sameGoroutine struct {
	id string
	r  io.Reader
	w  io.Writer
}

var errGoroutine = errors.New("called on another goroutine")

func (s sameGoroutine) Read(p []byte) (int, error) {
	if goroutine() != s.id {
		return 0, errGoroutine
	}
	return s.r.Read(p)
}

func (s sameGoroutine) Write(p []byte) (int, error) {
	if goroutine() != s.id {
		return 0, errGoroutine
	}
	return s.w.Write(p)
}

func TestSourceAndSinkStayOnTheCallersGoroutine(t *testing.T) {
	k, plaintext := NewKey(), pattern(9<<20)
	for _, workers := range []int{1, 2, 8} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			o := &StreamOptions{SegmentSize: 4096, Workers: workers}
			var sealed, viaSealReader, opened bytes.Buffer
			w, err := NewWriter(sameGoroutine{goroutine(), nil, &sealed}, k, nil, o)
			require.NoError(t, err)
			_, err = w.ReadFrom(sameGoroutine{goroutine(), bytes.NewReader(plaintext), nil})
			require.NoError(t, err)
			_, err = w.Write(plaintext)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			s, err := NewSealReader(sameGoroutine{goroutine(), bytes.NewReader(plaintext), nil}, k, nil, o)
			require.NoError(t, err)
			_, err = s.WriteTo(sameGoroutine{goroutine(), nil, &viaSealReader})
			require.NoError(t, err)
			r, err := NewReader(sameGoroutine{goroutine(), &sealed, nil}, k, nil, o)
			require.NoError(t, err)
			_, err = r.WriteTo(sameGoroutine{goroutine(), nil, &opened})
			require.NoError(t, err)
			require.True(t, bytes.Equal(append(plaintext, plaintext...), opened.Bytes()))
		})
	}
}
