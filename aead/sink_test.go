package aead

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

var errSink = errors.New("sink failed")

// limited takes n bytes and then fails with err; nil: it writes short and says nothing.
type limited struct {
	bytes.Buffer
	n     int
	err   error
	calls int // since it failed
}

func (l *limited) Write(p []byte) (int, error) {
	if room := l.n - l.Len(); len(p) > room {
		l.calls++
		n, _ := l.Buffer.Write(p[:room])
		return n, l.err
	}
	return l.Buffer.Write(p)
}

// sinkOffsets are sizes of a sink, from the header into the part that more cores work on.
var sinkOffsets = []int{74, 75, 100, 4169, 4170, 4171, 50_000, 4 << 20, 5 << 20}

func TestFailingSink(t *testing.T) {
	k, plaintext := NewKey(), pattern(6<<20)
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"fails", errSink, errSink},
		{"writes short", nil, io.ErrShortWrite},
	} {
		for _, n := range append([]int{0, 73}, sinkOffsets...) {
			for name, fill := range map[string]func(*Writer) error{
				"Write": func(w *Writer) error {
					_, err := w.Write(plaintext)
					return err
				},
				"small Writes": func(w *Writer) error {
					_, err := io.CopyBuffer(onlyWriter{w}, onlyReader{bytes.NewReader(plaintext)}, make([]byte, 10_000))
					return err
				},
				"ReadFrom": func(w *Writer) error {
					_, err := w.ReadFrom(bytes.NewReader(plaintext))
					return err
				},
			} {
				sink := &limited{n: n, err: c.err}
				o := &StreamOptions{SegmentSize: 4096, Workers: 4}
				w, err := NewWriter(sink, k, nil, o)
				if n < 74 {
					require.ErrorIs(t, err, c.want)
					continue
				}
				require.NoError(t, err)
				require.ErrorIs(t, fill(w), c.want, "%s %s at %d", name, c.name, n)
				_, err = w.Write([]byte("x"))
				require.ErrorIs(t, err, c.want)
				require.ErrorIs(t, w.Close(), c.want)
				require.Equal(t, 1, sink.calls, "nothing may be written after an error")
				require.Equal(t, n, sink.Len())
				requirePrefix(t, k, sink.Bytes(), plaintext, o, ErrTruncated)
			}
		}
	}
}

func TestFailingSinkAtClose(t *testing.T) {
	k := NewKey()
	sink := &limited{n: 80, err: errSink}
	w, err := NewWriter(sink, k, nil, nil)
	require.NoError(t, err)
	_, err = w.Write([]byte("plaintext"))
	require.NoError(t, err)
	require.ErrorIs(t, w.Close(), errSink)
	require.ErrorIs(t, w.Close(), errSink)
	w.Abort()
	require.ErrorIs(t, w.Close(), errSink)
	require.Equal(t, 1, sink.calls)
}

// TestWriteToFailingSink is about the readers' WriteTo.
func TestWriteToFailingSink(t *testing.T) {
	k, plaintext := NewKey(), pattern(6<<20)
	o := &StreamOptions{SegmentSize: 4096, Workers: 4}
	sealed := sealStream(t, k, nil, plaintext, o)
	for _, c := range []struct{ err, want error }{{errSink, errSink}, {nil, io.ErrShortWrite}} {
		for _, n := range append([]int{0, 1}, sinkOffsets...) {
			for _, before := range []int{0, 10} { // bytes that Read took
				r, err := NewReader(bytes.NewReader(sealed), k, nil, o)
				require.NoError(t, err)
				_, err = io.ReadFull(r, make([]byte, before))
				require.NoError(t, err)
				sink := &limited{n: n, err: c.err}
				m, err := r.WriteTo(sink)
				require.ErrorIs(t, err, c.want)
				require.EqualValues(t, n, m)
				require.Equal(t, 1, sink.calls)
				require.True(t, bytes.HasPrefix(plaintext[before:], sink.Bytes()))
				m2, err := r.Read(make([]byte, 100))
				require.Zero(t, m2, "bytes after a failed WriteTo would not follow those before")
				require.ErrorIs(t, err, c.want)

				s, err := NewSealReader(bytes.NewReader(plaintext), k, nil, o)
				require.NoError(t, err)
				_, err = io.ReadFull(s, make([]byte, before))
				require.NoError(t, err)
				sink = &limited{n: n, err: c.err}
				m, err = s.WriteTo(sink)
				require.ErrorIs(t, err, c.want)
				require.EqualValues(t, n, m)
				require.Equal(t, 1, sink.calls)
				m2, err = s.Read(make([]byte, 100))
				require.Zero(t, m2)
				require.ErrorIs(t, err, c.want)
			}
		}
	}
}
