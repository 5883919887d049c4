package aead

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// eofSink takes n bytes and then fails as a pipe does whose other end was closed with io.EOF.
type eofSink struct {
	bytes.Buffer
	n int
}

func (s *eofSink) Write(p []byte) (int, error) {
	if s.Len()+len(p) > s.n {
		return 0, io.EOF
	}
	return s.Buffer.Write(p)
}

// TestSinkFailsWithEOF is about a sink's io.EOF, which must not pass for the source's good end.
func TestSinkFailsWithEOF(t *testing.T) {
	k := NewKey()
	const size = 8 << 20
	sealed := sealStream(t, k, nil, pattern(size), nil)
	for _, n := range []int{100, 200_000, 6 << 20} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w, err := NewWriter(&eofSink{n: n}, k, nil, nil)
			require.NoError(t, err)
			_, err = w.ReadFrom(bytes.NewReader(pattern(size)))
			require.Error(t, err)
			require.NotErrorIs(t, err, io.EOF)
			require.Error(t, w.Close())

			w, err = NewWriter(&eofSink{n: n}, k, nil, nil)
			require.NoError(t, err)
			_, err = w.Write(pattern(size))
			require.Error(t, err)
			require.Error(t, w.Close())

			r, err := NewReader(bytes.NewReader(sealed), k, nil, nil)
			require.NoError(t, err)
			_, err = io.Copy(&eofSink{n: n}, r)
			require.Error(t, err)

			s, err := NewSealReader(bytes.NewReader(pattern(size)), k, nil, nil)
			require.NoError(t, err)
			_, err = io.Copy(&eofSink{n: n}, s)
			require.Error(t, err)
		})
	}
}

// panickingSink takes n bytes and then panics, once.
type panickingSink struct {
	bytes.Buffer
	n int
}

func (s *panickingSink) Write(p []byte) (int, error) {
	if s.n > 0 && s.Len()+len(p) > s.n {
		s.n = 0
		panic("sink panicked")
	}
	return s.Buffer.Write(p)
}

// TestRecoveredPanic is about callers that recover and go on with the same Writer or Reader.
func TestRecoveredPanic(t *testing.T) {
	k := NewKey()
	const size = 12 << 20
	sealed := sealStream(t, k, nil, pattern(size), nil)
	for _, n := range []int{1000, 5 << 20, 9 << 20} {
		for _, workers := range []int{1, 4} {
			t.Run(fmt.Sprintf("after=%d/workers=%d", n, workers), func(t *testing.T) {
				o := &StreamOptions{Workers: workers}
				sink := &panickingSink{n: n}
				r, err := NewReader(bytes.NewReader(sealed), k, nil, o)
				require.NoError(t, err)
				require.Panics(t, func() { _, _ = r.WriteTo(sink) })
				released := sink.Len()
				_, err = r.WriteTo(sink)
				require.Error(t, err)
				_, err = io.ReadAll(r)
				require.Error(t, err)
				require.Equal(t, released, sink.Len())
				require.True(t, bytes.Equal(pattern(size)[:released], sink.Bytes()))

				sink = &panickingSink{n: n}
				w, err := NewWriter(sink, k, nil, o)
				require.NoError(t, err)
				require.Panics(t, func() { _, _ = w.ReadFrom(bytes.NewReader(pattern(size))) })
				_, err = w.Write([]byte("more"))
				require.Error(t, err)
				require.Error(t, w.Close())

				s, err := NewSealReader(bytes.NewReader(pattern(size)), k, nil, o)
				require.NoError(t, err)
				require.Panics(t, func() { _, _ = s.WriteTo(&panickingSink{n: n}) })
				_, err = io.ReadAll(s)
				require.Error(t, err)
			})
		}
	}
}

// TestReaderTakesMemoryForWhatComes opens a small stream of the largest segments.
func TestReaderTakesMemoryForWhatComes(t *testing.T) {
	k := NewKey()
	sealed := sealStream(t, k, nil, []byte("x"), &StreamOptions{SegmentSize: 16 << 20})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := NewReader(bytes.NewReader(sealed), k, nil, nil)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	require.Equal(t, "x", string(got))
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

// TestZeroStreams holds the zero values to an error that names the constructor.
func TestZeroStreams(t *testing.T) {
	var w Writer
	_, err := w.Write([]byte("x"))
	require.ErrorContains(t, err, "NewWriter")
	_, err = w.ReadFrom(bytes.NewReader(nil))
	require.ErrorContains(t, err, "NewWriter")
	require.ErrorContains(t, w.Close(), "NewWriter")
	var r Reader
	_, err = r.Read(make([]byte, 1))
	require.ErrorContains(t, err, "NewReader")
	_, err = r.WriteTo(io.Discard)
	require.ErrorContains(t, err, "NewReader")
	var s SealReader
	_, err = s.Read(make([]byte, 1))
	require.ErrorContains(t, err, "NewSealReader")
	_, err = s.WriteTo(io.Discard)
	require.ErrorContains(t, err, "NewSealReader")
	_, err = s.Size(1)
	require.ErrorContains(t, err, "NewSealReader")
	var a ReaderAt
	_, err = a.ReadAt(make([]byte, 1), 0)
	require.ErrorContains(t, err, "NewReaderAt")
}

// TestStreamsPrintNothing: neither plaintext nor keys show, also not in what dumpers print of unexported fields.
func TestStreamsPrintNothing(t *testing.T) {
	k := NewKey()
	canary := []byte("canary plaintext")
	w, err := NewWriter(io.Discard, k, nil, nil)
	require.NoError(t, err)
	_, err = w.Write(canary)
	require.NoError(t, err)
	sealed := sealStream(t, k, nil, canary, nil)
	r, err := NewReader(bytes.NewReader(sealed), k, nil, nil)
	require.NoError(t, err)
	_, err = io.ReadFull(r, make([]byte, 3))
	require.NoError(t, err)
	s, err := NewSealReader(bytes.NewReader(canary), k, nil, nil)
	require.NoError(t, err)
	a, err := NewReaderAt(bytes.NewReader(sealed), int64(len(sealed)), k, nil, nil)
	require.NoError(t, err)
	for _, v := range []any{w, *w, r, *r, s, a, []any{w, r, s, a}} {
		text := fmt.Sprintf("%v %+v %#v %s %q %x %d", v, v, v, v, v, v, v)
		require.NotContains(t, text, "canary")
		require.NotContains(t, text, fmt.Sprintf("%x", canary[:4]))
		require.NotContains(t, text, "99 97 110") // c, a, n
		require.NotContains(t, text, "0x63, 0x61")
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("streams", "w", w, "r", r, "s", s, "a", a)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("streams", "w", w, "r", r, "s", s, "a", a)
	require.NotContains(t, log.String(), "canary")
	require.NotContains(t, log.String(), "99 97 110")
}
