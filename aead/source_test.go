package aead

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

var errSource = errors.New("source failed")

// failing reads n bytes of the pattern and then fails with err: with the last bytes when together is set.
type failing struct {
	n        int
	err      error
	together bool
	rest     []byte
	started  bool
}

func (f *failing) Read(p []byte) (int, error) {
	if !f.started {
		f.rest, f.started = pattern(f.n), true
	}
	if len(f.rest) == 0 {
		return 0, f.err
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	if len(f.rest) == 0 && f.together {
		return n, f.err
	}
	return n, nil
}

// sourceOffsets lie around segments of 4096 bytes, and on both sides of where more cores begin.
var sourceOffsets = []int{0, 1, 4063, 4064, 4065, 8128, 100_000, 4<<20 - 40_000, 4<<20 + 1, 5<<20 + 17}

func TestFailingSource(t *testing.T) {
	k := NewKey()
	for _, cause := range []error{errSource, io.ErrUnexpectedEOF} {
		for _, together := range []bool{false, true} {
			for _, workers := range []int{1, 4} {
				for _, n := range sourceOffsets {
					if testing.Short() && n > 1<<20 && (together || workers == 1) {
						continue
					}
					o := &StreamOptions{SegmentSize: 4096, Workers: workers}
					var b bytes.Buffer
					w, err := NewWriter(&b, k, nil, o)
					require.NoError(t, err)
					m, err := w.ReadFrom(&failing{n: n, err: cause, together: together})
					require.ErrorIs(t, err, cause)
					require.EqualValues(t, n, m)
					_, err = w.Write([]byte("x"))
					require.ErrorIs(t, err, cause)
					_, err = w.ReadFrom(bytes.NewReader([]byte("x")))
					require.ErrorIs(t, err, cause)
					require.ErrorIs(t, w.Close(), cause)
					require.ErrorIs(t, w.Close(), cause)
					requirePrefix(t, k, b.Bytes(), pattern(n), o, ErrTruncated)

					for _, read := range []func(*SealReader) ([]byte, error){
						func(r *SealReader) ([]byte, error) { return io.ReadAll(onlyReader{r}) },
						func(r *SealReader) ([]byte, error) {
							var b bytes.Buffer
							_, err := r.WriteTo(&b)
							return b.Bytes(), err
						},
					} {
						r, err := NewSealReader(&failing{n: n, err: cause, together: together}, k, nil, o)
						require.NoError(t, err)
						b, err := read(r)
						require.ErrorIs(t, err, cause)
						requirePrefix(t, k, b, pattern(n), o, ErrTruncated)
						m, err := r.Read(make([]byte, 100))
						require.Zero(t, m)
						require.ErrorIs(t, err, cause)
						_, err = r.WriteTo(io.Discard)
						require.ErrorIs(t, err, cause)
					}
				}
			}
		}
	}
}

// TestReaderOfFailingSource lets the source of a sealed stream fail: with io.ErrUnexpectedEOF too that is
// not an end.
func TestReaderOfFailingSource(t *testing.T) {
	k, plaintext := NewKey(), pattern(5<<20)
	for _, workers := range []int{1, 4} {
		o := &StreamOptions{SegmentSize: 4096, Workers: workers}
		sealed := sealStream(t, k, nil, plaintext, o)
		for _, n := range append([]int{10, 73, 74, 75, len(sealed) - 1, len(sealed)}, sourceOffsets...) {
			for _, cause := range []error{errSource, io.ErrUnexpectedEOF} {
				source := func() io.Reader {
					return io.MultiReader(bytes.NewReader(sealed[:n]), iotest.ErrReader(cause))
				}
				r, err := NewReader(source(), k, nil, o)
				if n < 74 {
					require.ErrorIs(t, err, cause)
					require.NotErrorIs(t, err, ErrTruncated)
					continue
				}
				require.NoError(t, err)
				got, err := io.ReadAll(onlyReader{r})
				require.ErrorIs(t, err, cause)
				require.NotErrorIs(t, err, ErrTruncated)
				require.True(t, bytes.HasPrefix(plaintext, got))
				m, err := r.Read(make([]byte, 100))
				require.Zero(t, m)
				require.ErrorIs(t, err, cause)

				r, err = NewReader(source(), k, nil, o)
				require.NoError(t, err)
				var b bytes.Buffer
				_, err = r.WriteTo(&b)
				require.ErrorIs(t, err, cause)
				require.True(t, bytes.HasPrefix(plaintext, b.Bytes()))
			}
		}
	}
}

func TestReadersOfManyKinds(t *testing.T) {
	k := NewKey()
	for _, kind := range []struct {
		name string
		wrap func(io.Reader) io.Reader
	}{
		{"one byte", iotest.OneByteReader},
		{"half", iotest.HalfReader},
		{"data with EOF", iotest.DataErrReader},
		{"some empty reads", func(r io.Reader) io.Reader { return &hesitant{r: r} }},
		{"no other method", func(r io.Reader) io.Reader { return onlyReader{r} }},
	} {
		for _, n := range []int{0, 1, 31, 32, 33, 64, 1000, 200_000} {
			o := &StreamOptions{SegmentSize: 64, Workers: 3}
			if n > 1000 {
				o.SegmentSize = 4096
			}
			var b bytes.Buffer
			w, err := NewWriter(&b, k, nil, o)
			require.NoError(t, err)
			_, err = w.ReadFrom(kind.wrap(bytes.NewReader(pattern(n))))
			require.NoError(t, err)
			require.NoError(t, w.Close())
			s, err := NewSealReader(kind.wrap(bytes.NewReader(pattern(n))), k, nil, o)
			require.NoError(t, err)
			again, err := io.ReadAll(kind.wrap(s))
			require.NoError(t, err)
			for _, sealed := range [][]byte{b.Bytes(), again} {
				r, err := NewReader(kind.wrap(bytes.NewReader(sealed)), k, nil, o)
				require.NoError(t, err)
				got, err := io.ReadAll(kind.wrap(r))
				require.NoError(t, err, "%s, %d bytes", kind.name, n)
				require.True(t, bytes.Equal(pattern(n), got))
				r, err = NewReader(kind.wrap(bytes.NewReader(sealed)), k, nil, o)
				require.NoError(t, err)
				var opened bytes.Buffer
				_, err = r.WriteTo(&opened)
				require.NoError(t, err)
				require.True(t, bytes.Equal(pattern(n), opened.Bytes()))
			}
		}
	}
}

// hesitant returns no byte at every other call.
type hesitant struct {
	r    io.Reader
	next bool
}

func (h *hesitant) Read(p []byte) (int, error) {
	if h.next = !h.next; h.next {
		return 0, nil
	}
	return h.r.Read(p)
}

func TestTimeout(t *testing.T) {
	k := NewKey()
	var b bytes.Buffer
	w, err := NewWriter(&b, k, nil, nil)
	require.NoError(t, err)
	_, err = w.ReadFrom(iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(pattern(100)))))
	require.ErrorIs(t, err, iotest.ErrTimeout)
	require.ErrorIs(t, w.Close(), iotest.ErrTimeout)

	sealed := sealStream(t, k, nil, pattern(100), nil)
	_, err = NewReader(iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(sealed))), k, nil, nil)
	require.ErrorIs(t, err, iotest.ErrTimeout)
}

// stuck never returns a byte, and lies one that says it read more than there is room for.
type (
	stuck struct{}
	lies  struct{ by int }
)

func (stuck) Read([]byte) (int, error) { return 0, nil }

func (l lies) Read(p []byte) (int, error) {
	if l.by < 0 {
		return l.by, nil
	}
	return len(p) + l.by, nil
}

func TestBadSources(t *testing.T) {
	k := NewKey()
	header := sealStream(t, k, nil, nil, nil)[:74]
	for _, c := range []struct {
		name string
		r    io.Reader
		want error // nil: any
	}{
		{"stuck", stuck{}, io.ErrNoProgress},
		{"more than asked for", lies{1}, nil},
		{"less than nothing", lies{-1}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			check := func(err error) {
				t.Helper()
				require.Error(t, err)
				require.NotEqual(t, io.EOF, err)
				if c.want != nil {
					require.ErrorIs(t, err, c.want)
				}
			}
			w, err := NewWriter(io.Discard, k, nil, nil)
			require.NoError(t, err)
			_, err = w.ReadFrom(c.r)
			check(err)
			check(w.Close())
			s, err := NewSealReader(c.r, k, nil, nil)
			require.NoError(t, err)
			_, err = io.ReadAll(onlyReader{s})
			check(err)
			_, err = NewReader(c.r, k, nil, nil)
			check(err)
			r, err := NewReader(io.MultiReader(bytes.NewReader(header), c.r), k, nil, nil)
			require.NoError(t, err)
			_, err = r.Read(make([]byte, 10))
			check(err)
		})
	}
}

// panicking reads n bytes and then panics.
type panicking struct{ r io.Reader }

func (p panicking) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if err == io.EOF {
		panic("source panicked")
	}
	return n, err
}

// TestPanickingSource leaves it to TestMain to find goroutines that are left.
func TestPanickingSource(t *testing.T) {
	k := NewKey()
	sealed := sealStream(t, k, nil, pattern(6<<20), nil)
	for _, n := range []int{0, 100, 4 << 20, 6 << 20} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			o := &StreamOptions{Workers: 4}
			var b bytes.Buffer
			w, err := NewWriter(&b, k, nil, o)
			require.NoError(t, err)
			require.Equal(t, "source panicked", panics(func() {
				defer w.Abort()
				_, _ = w.ReadFrom(panicking{bytes.NewReader(pattern(n))})
			}))
			require.Error(t, w.Close())
			requirePrefix(t, k, b.Bytes(), pattern(n), o, ErrTruncated)
			s, err := NewSealReader(panicking{bytes.NewReader(pattern(n))}, k, nil, o)
			require.NoError(t, err)
			require.Equal(t, "source panicked", panics(func() { _, _ = s.WriteTo(io.Discard) }))
			r, err := NewReader(panicking{bytes.NewReader(sealed[:max(74, n)])}, k, nil, o)
			require.NoError(t, err)
			require.Equal(t, "source panicked", panics(func() { _, _ = r.WriteTo(io.Discard) }))
		})
	}
}
