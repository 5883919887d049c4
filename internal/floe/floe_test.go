package floe

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHeaderLayout(t *testing.T) {
	key := new([KeySize]byte)
	_, header := Seal(key, nil, 4096)
	require.Equal(t, []byte{0, 0, 0, 0, 0x10, 0, 0, 0, 0, 32}, header[:10])
	_, other := Seal(key, nil, 4096)
	require.NotEqual(t, header[10:42], other[10:42], "the IV must be random")
}

func TestOpenHeader(t *testing.T) {
	key := (*[KeySize]byte)(pattern(KeySize))
	otherKey := *key
	otherKey[31] ^= 0x80
	_, header := Seal(key, []byte("ad"), 4096)
	change := func(i int, v byte) *[HeaderSize]byte {
		h := header
		h[i] = v
		return &h
	}
	for _, c := range []struct {
		name   string
		key    *[KeySize]byte
		aad    string
		header *[HeaderSize]byte
		limit  int
		want   error
	}{
		{"as sealed", key, "ad", &header, readerLimit, nil},
		{"limit is exact", key, "ad", &header, 4096, nil},
		{"limit is one below", key, "ad", &header, 4095, ErrTooLarge},
		{"another key", &otherKey, "ad", &header, readerLimit, ErrOpen},
		{"other additional data", key, "ae", &header, readerLimit, ErrOpen},
		{"longer additional data", key, "ad\x00", &header, readerLimit, ErrOpen},
		{"no additional data", key, "", &header, readerLimit, ErrOpen},
		{"AEAD", key, "ad", change(0, 1), readerLimit, ErrFormat},
		{"KDF", key, "ad", change(1, 1), readerLimit, ErrFormat},
		{"segment size", key, "ad", change(4, 0x11), readerLimit, ErrOpen},
		{"segment size huge", key, "ad", change(2, 0xff), readerLimit, ErrTooLarge},
		{"segment size zero", key, "ad", change(4, 0), readerLimit, ErrFormat},
		{"IV length", key, "ad", change(9, 31), readerLimit, ErrFormat},
		{"IV length high byte", key, "ad", change(6, 1), readerLimit, ErrFormat},
		{"IV", key, "ad", change(10, header[10]^1), readerLimit, ErrOpen},
		{"tag", key, "ad", change(73, header[73]^1), readerLimit, ErrOpen},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Open(c.key, []byte(c.aad), c.header, c.limit)
			require.ErrorIs(t, err, c.want)
			if c.want == nil {
				require.Equal(t, 4096, s.SegmentSize)
			}
		})
	}
}

func TestErrTruncatedIsAnUnexpectedEOF(t *testing.T) {
	require.ErrorIs(t, ErrTruncated, io.ErrUnexpectedEOF)
}

func TestStreamKeepsItsOwnAdditionalData(t *testing.T) {
	key, aad := new([KeySize]byte), []byte("ad")
	s, header := Seal(key, aad, 64)
	aad[0] = 'x'
	sealed := append(header[:], s.Cursor().Seal(nil, pattern(9), 0, true)...)
	got, err := openStream(key, []byte("ad"), sealed, readerLimit, rotation)
	require.NoError(t, err)
	require.Equal(t, pattern(9), got)
}

func TestFrame(t *testing.T) {
	s, _ := Seal(new([KeySize]byte), nil, 64)
	next := func(word uint32, n int) []byte {
		b := make([]byte, max(n, 4))
		binary.BigEndian.PutUint32(b, word)
		return b[:n]
	}
	for _, c := range []struct {
		name string
		next []byte
		n    int
		last bool
		want error
	}{
		{"nothing", nil, 0, false, ErrTruncated},
		{"part of a word", next(notLast, 3), 0, false, ErrTruncated},
		{"not last", next(notLast, 64), 64, false, nil},
		{"not last and more", next(notLast, 200), 64, false, nil},
		{"not last and cut", next(notLast, 63), 0, false, ErrTruncated},
		{"last full", next(64, 64), 64, true, nil},
		{"last empty", next(32, 32), 32, true, nil},
		{"last and more", next(33, 64), 33, true, nil},
		{"last and cut", next(33, 32), 0, false, ErrTruncated},
		{"last too short", next(31, 64), 0, false, ErrFormat},
		{"last of zero", next(0, 64), 0, false, ErrFormat},
		{"last too long", next(65, 65), 0, false, ErrFormat},
		{"just below not last", next(notLast-1, 64), 0, false, ErrFormat},
		{"a bad word comes before its end", next(65, 10), 0, false, ErrFormat},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, last, err := s.Frame(c.next)
			require.ErrorIs(t, err, c.want)
			require.Equal(t, c.n, n)
			require.Equal(t, c.last, last)
		})
	}
}

func TestSealPanics(t *testing.T) {
	s, _ := Seal(new([KeySize]byte), nil, 64)
	c := s.Cursor()
	for _, p := range []struct {
		name  string
		size  int
		index uint64
		last  bool
		panic bool
	}{
		{"full", 32, 0, false, false},
		{"last full", 32, 0, true, false},
		{"last empty", 0, 0, true, false},
		{"short and not last", 31, 0, false, true},
		{"empty and not last", 0, 0, false, true},
		{"too long", 33, 0, false, true},
		{"last too long", 33, 0, true, true},
		{"the last number", 32, MaxSegments - 1, true, false},
		{"one number more", 32, MaxSegments, true, true},
		{"the greatest number", 32, 1<<64 - 1, true, true},
	} {
		t.Run(p.name, func(t *testing.T) {
			check := require.NotPanics
			if p.panic {
				check = require.Panics
			}
			check(t, func() { c.Seal(nil, make([]byte, p.size), p.index, p.last) })
		})
	}
}

func TestOpenSegment(t *testing.T) {
	s, _ := Seal(new([KeySize]byte), nil, 64)
	c := s.Cursor()
	seg := c.Seal([]byte("before"), pattern(32), 5, false)
	require.Equal(t, "before", string(seg[:6]))
	seg = seg[6:]
	got, err := c.Open([]byte("x"), seg, 5, false)
	require.NoError(t, err)
	require.Equal(t, append([]byte("x"), pattern(32)...), got)
	for _, f := range []struct {
		name    string
		segment []byte
		index   uint64
		last    bool
	}{
		{"another number", seg, 4, false},
		{"a number of the same low bits", seg, 5 + 1<<rotation, false},
		{"last", seg, 5, true},
		{"beyond the last number", seg, MaxSegments + 5, false},
		{"short", seg[:63], 5, false},
		{"shorter than any", seg[:31], 5, false},
		{"nothing", nil, 5, false},
	} {
		t.Run(f.name, func(t *testing.T) {
			_, err := c.Open(nil, f.segment, f.index, f.last)
			require.ErrorIs(t, err, ErrOpen)
		})
	}
}

func TestCursorsOfOneStream(t *testing.T) {
	s, _ := Seal(new([KeySize]byte), nil, 64)
	var wg sync.WaitGroup
	for g := range uint64(8) {
		wg.Go(func() {
			c := s.Cursor()
			for i := range uint64(100) {
				index := 1<<rotation - 50 + i // all of them cross a change of keys
				sealed := c.Seal(nil, bytes.Repeat([]byte{byte(g)}, 32), index, false)
				if got, err := c.Open(nil, sealed, index, false); err != nil || got[0] != byte(g) {
					t.Error("does not open")
				}
			}
		})
	}
	wg.Wait()
}

func TestCursorDoesNotAllocate(t *testing.T) {
	s, _ := Seal(new([KeySize]byte), nil, 4096)
	c, plaintext, dst := s.Cursor(), pattern(4064), make([]byte, 0, 4096)
	seg := c.Seal(nil, plaintext, 1, false)
	require.Zero(t, testing.AllocsPerRun(100, func() { c.Seal(dst, plaintext, 1, false) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { c.Open(dst, seg, 1, false) }))
}
