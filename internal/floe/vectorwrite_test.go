package floe

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"slices"
	"testing"

	"github.com/holdfast-go/holdfast/internal/vectors"
)

var update = flag.Bool("update", false, "write "+vectorsFile+" anew")

// TestUpdateVectors writes the vectors whose expectations follow from the format's rules
// and not from what the code says of them; TestVectors then holds the code to them.
func TestUpdateVectors(t *testing.T) {
	vectors.BeginUpdate(t, *update, 1)
	w := &vectorWriter{aad: []byte("ad")}
	for i := range w.key {
		w.key[i] = byte(i)
	}
	w.positives()
	w.parameters()
	w.headerFlips()
	w.segmentFaults()
	w.order()
	vectors.Write(t, vectorsFile, w.list)
}

type vectorWriter struct {
	key  [KeySize]byte
	aad  []byte
	list []vectors.Vector
}

func (w *vectorWriter) add(name, expect, note string, sealed []byte, out *string) {
	w.list = append(w.list, vectors.Vector{
		Name: name, Kind: "stream", Expect: expect, Note: note,
		Keyed: &vectors.Keyed{Key: hex.EncodeToString(w.key[:]), AAD: hex.EncodeToString(w.aad)},
		In:    hex.EncodeToString(sealed), Out: out,
	})
}

func (w *vectorWriter) ok(name, note string, plaintext, sealed []byte) {
	w.add(name, "ok", note, sealed, vectors.Hex(plaintext))
}

func (w *vectorWriter) fail(name, expect, note string, sealed []byte) {
	w.add(name, expect, note, sealed, nil)
}

// stream seals parts as the segments of a stream, whatever their number and sizes.
func (w *vectorWriter) stream(segment uint32, parts ...[]byte) []byte {
	s, header := Seal(&w.key, w.aad, int(segment))
	c, b := s.Cursor(), header[:]
	for i, p := range parts {
		b = c.Seal(b, p, uint64(i), i == len(parts)-1)
	}
	return b
}

func (w *vectorWriter) positives() {
	for _, c := range []struct {
		name    string
		segment uint32
		sizes   []int
		note    string
	}{
		{"S=40 empty", 40, []int{0}, ""},
		{"S=40 one byte", 40, []int{1}, ""},
		{"S=40 last full", 40, []int{8, 8, 8}, ""},
		{"S=40 last short", 40, []int{8, 8, 5}, ""},
		{"S=40 last empty", 40, []int{8, 8, 0}, "writers make no such stream, readers accept it"},
		{"S=40 only full", 40, []int{8}, ""},
		{"S=40 full and empty", 40, []int{8, 0}, "writers make no such stream, readers accept it"},
		{"S=64 last full", 64, []int{32, 32, 32, 32}, ""},
		{"S=64 last short", 64, []int{32, 1}, ""},
		{"S=64 last empty", 64, []int{32, 0}, "writers make no such stream, readers accept it"},
		{"S=4096 last short", 4096, []int{4064, 100}, ""},
		{"S=4096 last full", 4096, []int{4064}, ""},
		{"S=16MiB short", 16 << 20, []int{3}, "the largest segment size that readers accept"},
	} {
		var parts [][]byte
		for _, n := range c.sizes {
			parts = append(parts, pattern(n))
		}
		w.ok(c.name, c.note, bytes.Join(parts, nil), w.stream(c.segment, parts...))
	}
}

// parameters writes streams whose header is genuine but for what it says.
func (w *vectorWriter) parameters() {
	w.fail("S=16MiB+1", "format", "over the limit of readers, with a genuine header tag", w.stream(16<<20+1, nil))
	w.fail("S=4GiB-1", "format", "over the limit of readers, with a genuine header tag", w.stream(1<<32-1, nil))
	w.fail("S=39", "format", "below the least segment size, with a genuine header tag", w.stream(39, nil))
	b := w.stream(40, nil)
	w.ok("header to change", "", nil, b)
	w.fail("S=0", "format", "", patch(b, 2, 0))
	w.fail("iv 16 bytes", "format", "", patch(b, 6, 16))
}

func (w *vectorWriter) headerFlips() {
	b := w.stream(40, pattern(1))
	w.ok("header to flip", "", pattern(1), b)
	for bit := range HeaderSize * 8 {
		f, expect := flip(b, bit), "open"
		switch at := bit / 8; {
		case at < 2, at >= 6 && at < 10:
			expect = "format"
		case at < 6:
			if size := binary.BigEndian.Uint32(f[2:]); size < 40 || size > readerLimit {
				expect = "format"
			}
		}
		w.fail(fmt.Sprintf("header flip %d.%d", bit/8, bit%8), expect, "", f)
	}
}

// segmentFaults works on three segments, the last one with one byte of plaintext.
func (w *vectorWriter) segmentFaults() {
	parts := [][]byte{pattern(8), pattern(8), pattern(1)}
	b := w.stream(40, parts...)
	w.ok("segments to change", "", bytes.Join(parts, nil), b)
	for n := range len(b) {
		w.fail(fmt.Sprintf("cut %d", n), "truncated", "", b[:n])
	}
	for i, start := range []int{74, 114, 154} {
		for bit := range 32 {
			f, expect := flip(b, start*8+bit), "format"
			if word := binary.BigEndian.Uint32(f[start:]); i == 2 && word == 32 {
				expect = "open" // the segment ends one byte early, which is found before what follows it
			} else if i == 2 && word > 33 && word <= 40 {
				expect = "truncated"
			}
			w.fail(fmt.Sprintf("word flip %d.%d", start+bit/8, bit%8), expect, "", f)
		}
	}
}

// order writes the segments of a stream out of order.
func (w *vectorWriter) order() {
	parts := [][]byte{pattern(8), pattern(8), pattern(8), pattern(8)}
	b, other := w.stream(40, parts...), w.stream(40, parts...)
	w.ok("segments in order", "", bytes.Join(parts, nil), b)
	w.ok("another stream", "", bytes.Join(parts, nil), other)
	h, seg := b[:HeaderSize], slices.Collect(slices.Chunk(b[HeaderSize:], 40))
	join := func(parts ...[]byte) []byte { return slices.Concat(append([][]byte{h}, parts...)...) }
	w.fail("swapped 0 1", "open", "", join(seg[1], seg[0], seg[2], seg[3]))
	w.fail("swapped 1 2", "open", "", join(seg[0], seg[2], seg[1], seg[3]))
	w.fail("repeated 0", "open", "", join(seg[0], seg[0], seg[1], seg[2], seg[3]))
	w.fail("dropped 0", "open", "", join(seg[1:]...))
	w.fail("dropped 2", "open", "", join(seg[0], seg[1], seg[3]))
	w.fail("dropped last", "truncated", "", join(seg[0], seg[1], seg[2]))
	w.fail("last first", "open", "", join(seg[3], seg[1], seg[2]))
	w.fail("last twice", "format", "a genuine stream with bytes after its end", join(seg[0], seg[1], seg[2], seg[3], seg[3]))
	w.fail("of another stream", "open", "segment 1 of a stream with the same key, additional data and sizes",
		join(seg[0], other[HeaderSize+40:HeaderSize+80], seg[2], seg[3]))
	w.fail("last flag set", "open", "segment 1 claims to be the last", join(seg[0], patch(seg[1], 0, 40)))
	w.fail("last flag cleared", "open", "the last segment claims that others follow, and is repeated",
		join(seg[0], seg[1], seg[2], patch(seg[3], 0, notLast), seg[3]))
	w.fail("last flag cleared, end", "open", "the last segment claims that others follow", join(seg[0], seg[1], seg[2], patch(seg[3], 0, notLast)))
	w.fail("header of another stream", "open", "", slices.Concat(other[:HeaderSize], b[HeaderSize:]))
}

// flip returns b with one bit changed.
func flip(b []byte, bit int) []byte {
	b = slices.Clone(b)
	b[bit/8] ^= 1 << (bit % 8)
	return b
}

// patch returns b with another 32-bit integer at i.
func patch(b []byte, i int, v uint32) []byte {
	b = slices.Clone(b)
	binary.BigEndian.PutUint32(b[i:], v)
	return b
}

// pattern returns n bytes that tell where they are.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8)
	}
	return b
}
