package aead

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/floe"
)

func newWriter(t *testing.T, k *Key, written int) (*Writer, *bytes.Buffer) {
	t.Helper()
	b := new(bytes.Buffer)
	w, err := NewWriter(b, k, nil, &StreamOptions{SegmentSize: 64})
	require.NoError(t, err)
	_, err = w.Write(pattern(written))
	require.NoError(t, err)
	return w, b
}

func TestUnclosedStreamDoesNotOpen(t *testing.T) {
	k := NewKey()
	for _, n := range []int{0, 1, 32, 33, 64, 1000} {
		_, b := newWriter(t, k, n)
		requirePrefix(t, k, b.Bytes(), pattern(n), nil, ErrTruncated)
	}
}

func TestAbort(t *testing.T) {
	k := NewKey()
	for _, n := range []int{0, 1, 32, 33, 1000} {
		w, b := newWriter(t, k, n)
		w.Abort()
		w.Abort()
		written := b.Len()
		_, err := w.Write([]byte("x"))
		require.ErrorIs(t, err, ErrClosed)
		_, err = w.ReadFrom(bytes.NewReader([]byte("x")))
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, w.Close(), ErrClosed)
		require.ErrorIs(t, w.Close(), ErrClosed)
		require.Equal(t, written, b.Len())
		requirePrefix(t, k, b.Bytes(), pattern(n), nil, ErrTruncated)
	}
}

func TestClose(t *testing.T) {
	k := NewKey()
	w, b := newWriter(t, k, 100)
	require.NoError(t, w.Close())
	sealed := bytes.Clone(b.Bytes())
	require.NoError(t, w.Close())
	_, err := w.Write([]byte("x"))
	require.ErrorIs(t, err, ErrClosed)
	_, err = w.Write(nil)
	require.ErrorIs(t, err, ErrClosed)
	_, err = w.ReadFrom(bytes.NewReader([]byte("x")))
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, w.Close())
	w.Abort()
	require.NoError(t, w.Close(), "Abort after Close does nothing")
	require.Equal(t, sealed, b.Bytes())
	got, err := openStreamBytes(k, nil, b.Bytes(), nil)
	require.NoError(t, err)
	require.Equal(t, pattern(100), got)
}

// TestIdiom is the one that Writer's documentation recommends.
func TestIdiom(t *testing.T) {
	k := NewKey()
	for _, fails := range []bool{false, true} {
		var b bytes.Buffer
		err := writeWith(&b, k, nil, func(w *Writer) error {
			if _, err := w.Write(pattern(1000)); err != nil {
				return err
			}
			if fails {
				return errSource
			}
			return nil
		})
		got, openErr := openStreamBytes(k, nil, b.Bytes(), nil)
		if fails {
			require.ErrorIs(t, err, errSource)
			require.ErrorIs(t, openErr, ErrTruncated)
			continue
		}
		require.NoError(t, err)
		require.NoError(t, openErr)
		require.Equal(t, pattern(1000), got)
	}
}

// TestStreamsEndAt2To40Segments starts just below the limit.
func TestStreamsEndAt2To40Segments(t *testing.T) {
	k := NewKey()
	for _, c := range []struct {
		name string
		size int // of segments that hold 32 bytes
		want error
	}{
		{"the last segment", 32, nil},
		{"one more", 33, ErrTooLarge},
		{"many more", 10_000, ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, fill := range []func(*Writer) error{
				func(w *Writer) error {
					_, err := w.Write(pattern(c.size))
					return err
				},
				func(w *Writer) error {
					_, err := w.ReadFrom(bytes.NewReader(pattern(c.size)))
					return err
				},
			} {
				w, _ := newWriter(t, k, 0)
				w.index = floe.MaxSegments - 1
				err := fill(w)
				if closeErr := w.Close(); err == nil {
					err = closeErr
				} else {
					require.ErrorIs(t, closeErr, c.want)
				}
				require.ErrorIs(t, err, c.want)
			}
			r, err := NewSealReader(bytes.NewReader(pattern(c.size)), k, nil, &StreamOptions{SegmentSize: 64})
			require.NoError(t, err)
			r.index = floe.MaxSegments - 1
			_, err = io.Copy(io.Discard, r)
			require.ErrorIs(t, err, c.want)
		})
	}
}

// TestWriterKeepsNothing reuses the buffer it wrote from, also where several cores seal.
func TestWriterKeepsNothing(t *testing.T) {
	k := NewKey()
	for _, each := range []int{1, 31, 32, 33, 1000, 5 << 20} {
		var b bytes.Buffer
		w, err := NewWriter(&b, k, nil, &StreamOptions{SegmentSize: 4096, Workers: 4})
		require.NoError(t, err)
		buf := make([]byte, each)
		for range 3 {
			copy(buf, pattern(each))
			n, err := w.Write(buf)
			require.NoError(t, err)
			require.Equal(t, each, n)
			require.True(t, bytes.Equal(pattern(each), buf), "Write must leave its argument alone")
			clear(buf)
		}
		require.NoError(t, w.Close())
		got, err := openStreamBytes(k, nil, b.Bytes(), nil)
		require.NoError(t, err)
		require.True(t, bytes.Equal(bytes.Repeat(pattern(each), 3), got))
	}
}

func TestEmptyCalls(t *testing.T) {
	k := NewKey()
	w, b := newWriter(t, k, 10)
	n, err := w.Write(nil)
	require.Zero(t, n)
	require.NoError(t, err)
	m, err := w.ReadFrom(new(bytes.Buffer))
	require.Zero(t, m)
	require.NoError(t, err)
	require.NoError(t, w.Close())

	r, err := NewReader(bytes.NewReader(b.Bytes()), k, nil, nil)
	require.NoError(t, err)
	for range 200 {
		n, err := r.Read(nil)
		require.Zero(t, n)
		require.NoError(t, err)
	}
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, pattern(10), got)
}

// TestNothingAfterAnError reads on after a fault.
func TestNothingAfterAnError(t *testing.T) {
	k := NewKey()
	sealed := sealStream(t, k, nil, pattern(1000), &StreamOptions{SegmentSize: 64})
	r, err := NewReader(bytes.NewReader(flip(sealed, (74+3*64+10)*8)), k, nil, nil)
	require.NoError(t, err)
	got, err := io.ReadAll(onlyReader{r})
	require.ErrorIs(t, err, ErrOpen)
	require.Equal(t, pattern(96), got)
	for range 20 {
		n, err := r.Read(make([]byte, 100))
		require.Zero(t, n)
		require.ErrorIs(t, err, ErrOpen)
		m, err := r.WriteTo(io.Discard)
		require.Zero(t, m)
		require.ErrorIs(t, err, ErrOpen)
	}
}

// TestFailedReadLeavesNothing looks into the caller's buffer after a fault.
func TestFailedReadLeavesNothing(t *testing.T) {
	k := NewKey()
	plaintext := bytes.Repeat([]byte("secret! "), 4)
	sealed := sealStream(t, k, nil, plaintext, &StreamOptions{SegmentSize: 64})
	for _, size := range []int{1, 31, 32, 33, 1000} {
		r, err := NewReader(bytes.NewReader(flip(sealed, len(sealed)*8-1)), k, nil, nil)
		require.NoError(t, err)
		b := make([]byte, size)
		n, err := r.Read(b)
		require.Zero(t, n)
		require.ErrorIs(t, err, ErrOpen)
		require.Equal(t, make([]byte, size), b)
	}
}

func TestSealReaderReadsNothingBeforeItIsRead(t *testing.T) {
	source := &failing{n: 10, err: io.EOF}
	_, err := NewSealReader(source, NewKey(), nil, nil)
	require.NoError(t, err)
	require.False(t, source.started)
}

// TestCloseAfterPanickingSource is about callers that recover and close all the same.
func TestCloseAfterPanickingSource(t *testing.T) {
	k := NewKey()
	var b bytes.Buffer
	w, err := NewWriter(&b, k, nil, &StreamOptions{SegmentSize: 64})
	require.NoError(t, err)
	require.Panics(t, func() { _, _ = w.ReadFrom(panicking{bytes.NewReader(pattern(1000))}) })
	require.Error(t, w.Close())
	_, err = openStreamBytes(k, nil, b.Bytes(), nil)
	require.ErrorIs(t, err, ErrTruncated)
}

// aborting is a source that aborts the Writer which reads it.
type aborting struct {
	io.Reader
	w *Writer
}

func (a aborting) Read(p []byte) (int, error) {
	a.w.Abort()
	return a.Reader.Read(p)
}

// TestAbortFromSource: an Abort counts wherever it is called from.
func TestAbortFromSource(t *testing.T) {
	k := NewKey()
	var b bytes.Buffer
	w, err := NewWriter(&b, k, nil, &StreamOptions{SegmentSize: 64})
	require.NoError(t, err)
	_, err = w.ReadFrom(aborting{bytes.NewReader(pattern(1000)), w})
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, w.Close(), ErrClosed)
	_, err = openStreamBytes(k, nil, b.Bytes(), nil)
	require.ErrorIs(t, err, ErrTruncated)
}

// TestAbortWipes: nothing of the plaintext stays in the buffers, also after a panic and where they grew.
func TestAbortWipes(t *testing.T) {
	for name, fill := range map[string]func(*Writer){
		"written": func(w *Writer) { _, _ = w.Write([]byte("secret")) },
		"read":    func(w *Writer) { _, _ = w.ReadFrom(bytes.NewReader(bytes.Repeat([]byte("secret"), 100_000))) },
		"panicked": func(w *Writer) {
			panics(func() { _, _ = w.ReadFrom(panicking{bytes.NewReader(bytes.Repeat([]byte("secret"), 100_000))}) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := NewWriter(io.Discard, NewKey(), nil, nil)
			require.NoError(t, err)
			fill(w)
			buffers := [][]byte{w.pending[:cap(w.pending)]}
			for _, b := range w.ring {
				buffers = append(buffers, b.inBuf)
			}
			w.Abort()
			for _, b := range buffers {
				require.NotContains(t, string(b), "secret")
			}
		})
	}
	old := []byte("secret")
	b := old
	require.Len(t, room(&b, 100), 100)
	require.Equal(t, make([]byte, 6), old, "a buffer is dropped with what was in it")
}
