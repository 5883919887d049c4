package aead

import (
	"bytes"
	"io"
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// tap counts bytes and looks at the heap every so often.
type tap struct {
	n, next int64
	most    uint64 // of the heap, in bytes
}

const tapEvery = 8 << 20 // bytes

func (p *tap) pass(n int) {
	p.n += int64(n)
	if p.n >= p.next {
		p.next += tapEvery
		p.most = max(p.most, heap())
	}
}

func (p *tap) Write(b []byte) (int, error) {
	p.pass(len(b))
	return len(b), nil
}

// heap returns the bytes in use, without garbage.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// zeros reads n zeros.
type zeros struct{ n int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.n == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), z.n))
	clear(p[:n])
	z.n -= int64(n)
	return n, nil
}

// TestStreamsTakeLittleMemory joins both sides by a pipe.
func TestStreamsTakeLittleMemory(t *testing.T) {
	size := int64(256 << 20)
	if testing.Short() {
		size = 64 << 20
	}
	k := NewKey()
	before := heap()
	pr, pw := io.Pipe()
	sealing := make(chan error)
	go func() {
		err := writeWith(pw, k, nil, func(w *Writer) error {
			_, err := io.Copy(w, &zeros{size})
			return err
		})
		pw.CloseWithError(err)
		sealing <- err
	}()
	r, err := NewReader(pr, k, nil, nil)
	require.NoError(t, err)
	var sink tap
	n, err := io.Copy(&sink, r)
	require.NoError(t, err)
	require.NoError(t, <-sealing)
	require.Equal(t, size, n)
	grown := int64(sink.most) - int64(before)
	t.Logf("%d MiB through Writer and Reader took %d KiB", size>>20, grown>>10)
	require.Less(t, grown, int64(8<<20))
}

// mallocs returns how many allocations f makes, the least of a few runs.
func mallocs(f func()) uint64 {
	least := uint64(math.MaxUint64)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.Mallocs-before.Mallocs)
	}
	return least
}

// TestSegmentsDoNotAllocate compares a short stream to a long one.
func TestSegmentsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	k := NewKey()
	const short, long = 16 << 20, 64 << 20
	sealed := map[int][]byte{short: sealStream(t, k, nil, make([]byte, short), nil), long: sealStream(t, k, nil, make([]byte, long), nil)}
	plaintext, buf := make([]byte, long), make([]byte, 10_000)
	for _, workers := range []int{1, 2} {
		o := &StreamOptions{Workers: workers}
		for name, run := range map[string]func(n int) error{
			"small Writes": func(n int) error {
				return writeWith(io.Discard, k, o, func(w *Writer) error {
					for range n / len(buf) {
						if _, err := w.Write(buf); err != nil {
							return err
						}
					}
					return nil
				})
			},
			"one Write": func(n int) error {
				return writeWith(io.Discard, k, o, func(w *Writer) error {
					_, err := w.Write(plaintext[:n])
					return err
				})
			},
			"ReadFrom": func(n int) error {
				return writeWith(io.Discard, k, o, func(w *Writer) error {
					_, err := w.ReadFrom(&zeros{int64(n)})
					return err
				})
			},
			"SealReader": func(n int) error {
				r, err := NewSealReader(&zeros{int64(n)}, k, nil, o)
				if err != nil {
					return err
				}
				_, err = r.WriteTo(io.Discard)
				return err
			},
			"Read": func(n int) error {
				r, err := NewReader(bytes.NewReader(sealed[n]), k, nil, o)
				for err == nil {
					_, err = r.Read(buf)
				}
				if err == io.EOF {
					return nil
				}
				return err
			},
			"WriteTo": func(n int) error {
				r, err := NewReader(bytes.NewReader(sealed[n]), k, nil, o)
				if err != nil {
					return err
				}
				_, err = r.WriteTo(io.Discard)
				return err
			},
		} {
			count := func(n int) int64 {
				return int64(mallocs(func() {
					if err := run(n); err != nil {
						t.Error(err)
					}
				}))
			}
			few, many := count(short), count(long)
			require.Less(t, many-few, int64(100), "%s with %d workers: %d and %d allocations", name, workers, few, many)
		}
	}
}
