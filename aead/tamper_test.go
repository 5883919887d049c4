package aead

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/floe"
)

// flip returns b with one bit changed.
func flip(b []byte, bit int) []byte {
	b = slices.Clone(b)
	b[bit/8] ^= 1 << (bit % 8)
	return b
}

// putWord returns b with another 32-bit integer at i.
func putWord(b []byte, i int, v uint32) []byte {
	b = slices.Clone(b)
	binary.BigEndian.PutUint32(b[i:], v)
	return b
}

// afew returns all of the list, and its first three under -short.
func afew(list ...int) []int {
	if testing.Short() {
		return list[:3]
	}
	return list
}

// requirePrefix opens b in every way, each of which must fail with want after authentic bytes only.
func requirePrefix(t *testing.T, k *Key, b, plaintext []byte, o *StreamOptions, want ...error) {
	t.Helper()
	for _, c := range openers {
		got, err := c.open(k, nil, b, o)
		matched := false
		for _, w := range want {
			matched = matched || errors.Is(err, w)
		}
		require.True(t, matched, "%s: %v", c.name, err)
		require.True(t, bytes.HasPrefix(plaintext, got), "%s released bytes that are not the plaintext's", c.name)
	}
}

func TestEveryTruncation(t *testing.T) {
	k := NewKey()
	for _, n := range []int{0, 1, 8, 17, 24} {
		sealed := sealStream(t, k, nil, pattern(n), &StreamOptions{SegmentSize: 40})
		for size := range len(sealed) {
			requirePrefix(t, k, sealed[:size], pattern(n), nil, ErrTruncated)
			_, err := openStreamBytes(k, nil, sealed[:size], nil)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		}
	}
}

// TestTruncationOfALongStream cuts it where several cores work on it.
func TestTruncationOfALongStream(t *testing.T) {
	const segment = 64 << 10
	k, plaintext := NewKey(), pattern(6<<20)
	for _, workers := range []int{1, 4} {
		o := &StreamOptions{Workers: workers}
		sealed := sealStream(t, k, nil, plaintext, o)
		for _, i := range afew(0, 65, 96, 1, 62, 63, 64, 66, 67, 68, 80, 95) {
			for _, d := range []int{-1, 0, 1} {
				n := floe.HeaderSize + i*segment + d
				requirePrefix(t, k, sealed[:n], plaintext, o, ErrTruncated)
			}
		}
		for _, n := range []int{len(sealed) - 1, len(sealed) - 16, len(sealed) - 100} {
			requirePrefix(t, k, sealed[:n], plaintext, o, ErrTruncated)
		}
		got, err := openCopy(k, nil, sealed, o)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plaintext, got))
	}
}

// TestReadReleasesWhatCameBefore checks how much a Reader releases: all whole segments before the fault.
func TestReadReleasesWhatCameBefore(t *testing.T) {
	const segment, plain = 4096, 4064
	k, plaintext := NewKey(), pattern(6<<20)
	for _, workers := range []int{1, 4} {
		o := &StreamOptions{SegmentSize: segment, Workers: workers}
		sealed := sealStream(t, k, nil, plaintext, o)
		for _, i := range afew(0, 1023, 1100, 1, 1024, 1025, 1026, 1500) {
			b := flip(sealed, (floe.HeaderSize+i*segment+100)*8)
			for _, open := range []func(*Key, []byte, []byte, *StreamOptions) ([]byte, error){openStreamBytes, openCopy} {
				got, err := open(k, nil, b, o)
				require.ErrorIs(t, err, ErrOpen)
				require.True(t, bytes.Equal(plaintext[:i*plain], got), "%d workers, segment %d: %d bytes", workers, i, len(got))
			}
		}
	}
}

func TestSegmentsOutOfOrder(t *testing.T) {
	const segment = 4096
	k, plaintext := NewKey(), pattern(6<<20)
	for _, workers := range []int{1, 4} {
		o := &StreamOptions{SegmentSize: segment, Workers: workers}
		sealed := sealStream(t, k, nil, plaintext, o)
		other := sealStream(t, k, nil, plaintext, o)
		at := func(i int) int { return floe.HeaderSize + i*segment }
		seg := func(i int) []byte { return sealed[at(i):at(i+1)] }
		for _, i := range afew(0, 1023, 1300, 5, 1024) {
			rest := sealed[at(i+2):]
			for name, b := range map[string][]byte{
				"swapped":  slices.Concat(sealed[:at(i)], seg(i+1), seg(i), rest),
				"repeated": slices.Concat(sealed[:at(i+1)], seg(i), sealed[at(i+1):]),
				"dropped":  slices.Concat(sealed[:at(i)], sealed[at(i+1):]),
				"foreign":  slices.Concat(sealed[:at(i)], other[at(i):at(i+1)], sealed[at(i+1):]),
			} {
				for _, open := range []func(*Key, []byte, []byte, *StreamOptions) ([]byte, error){openStreamBytes, openCopy} {
					got, err := open(k, nil, b, o)
					require.ErrorIs(t, err, ErrOpen, "%s %d", name, i)
					require.True(t, bytes.HasPrefix(plaintext, got))
				}
				_, err := openAt(k, nil, b, o)
				require.Error(t, err)
			}
		}
	}
}

func TestBytesAfterTheEnd(t *testing.T) {
	k := NewKey()
	for _, o := range []*StreamOptions{{SegmentSize: 40, Workers: 1}, {SegmentSize: 4096, Workers: 4}} {
		for _, n := range []int{0, 1, 8, 9, 4064, 5 << 20} {
			plaintext, extras := pattern(n), []int{1, 31, 32, 39, 40, 41, 4095, 4096, 4097, 10_000}
			if n > 1<<20 {
				extras = []int{1, 4096} // of segments of 40 bytes these are many
			}
			sealed := sealStream(t, k, nil, plaintext, o)
			for _, extra := range extras {
				b := append(slices.Clone(sealed), make([]byte, extra)...)
				for _, open := range []func(*Key, []byte, []byte, *StreamOptions) ([]byte, error){openStreamBytes, openCopy} {
					got, err := open(k, nil, b, o)
					require.ErrorIs(t, err, ErrFormat, "%d bytes and %d more", n, extra)
					require.True(t, bytes.HasPrefix(plaintext, got))
				}
			}
		}
	}
}

// TestHeaderOfHugeSegments measures what it takes to refuse them.
func TestHeaderOfHugeSegments(t *testing.T) {
	k := NewKey()
	sealed := putWord(sealStream(t, k, nil, pattern(1000), nil), 2, math.MaxUint32)
	for _, c := range openers {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := c.open(k, nil, sealed, nil)
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, ErrTooLarge)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
	}
}

func TestMaxSegmentSize(t *testing.T) {
	k := NewKey()
	for _, c := range []struct {
		segment, limit int
		want           error
	}{
		{4096, 4096, nil},
		{4097, 4096, ErrTooLarge},
		{40, 40, nil},
		{41, 40, ErrTooLarge},
		{16 << 20, 0, nil},
		{16 << 20, 16<<20 - 1, ErrTooLarge},
		{16 << 20, 1 << 30, nil},
	} {
		sealed := sealStream(t, k, nil, pattern(100), &StreamOptions{SegmentSize: c.segment})
		for _, opener := range openers {
			_, err := opener.open(k, nil, sealed, &StreamOptions{MaxSegmentSize: c.limit})
			require.ErrorIs(t, err, c.want, "%s of %d", opener.name, c.segment)
		}
	}
	// A header that is genuine but for its size: made as the writer would.
	_, header := floe.Seal((*[KeySize]byte)(k.Bytes()), nil, 16<<20+1)
	_, err := NewReader(bytes.NewReader(header[:]), k, nil, nil)
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = NewReader(bytes.NewReader(header[:]), k, nil, &StreamOptions{MaxSegmentSize: 32 << 20})
	require.NoError(t, err)
}
