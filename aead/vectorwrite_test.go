package aead

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/floe"
	"github.com/holdfast-go/holdfast/internal/vectors"
)

var update = flag.Bool("update", false, "write "+vectorsFile+" anew")

// TestUpdateVectors writes the vectors whose expectations follow from the format's rules
// and not from what the code says of them; TestVectors then holds the code to them.
func TestUpdateVectors(t *testing.T) {
	vectors.BeginUpdate(t, *update, 2)
	w := &vectorWriter{t: t}
	w.keys()
	w.records()
	w.recordFaults()
	w.streams()
	w.streamFaults()
	w.twoKeys()
	vectors.Write(t, vectorsFile, w.list)
}

type vectorWriter struct {
	t    *testing.T
	list []vectors.Vector
}

// vectorKey is 32 bytes that count from first.
func vectorKey(first byte) *Key {
	b := make([]byte, KeySize)
	for i := range b {
		b[i] = first + byte(i)
	}
	k, err := ParseKey(b)
	if err != nil {
		panic(err)
	}
	return k
}

func (w *vectorWriter) add(v vectors.Vector, k *Key, aad, in []byte) {
	v.Keyed = &vectors.Keyed{Key: hex.EncodeToString(k.Bytes()), AAD: hex.EncodeToString(aad)}
	v.In = hex.EncodeToString(in)
	w.list = append(w.list, v)
}

func (w *vectorWriter) ok(kind, name string, k *Key, aad, in, out []byte) {
	w.add(vectors.Vector{Name: name, Kind: kind, Expect: "ok", Out: hexOf(out)}, k, aad, in)
}

func (w *vectorWriter) fail(kind, name, expect string, k *Key, aad, in []byte) {
	w.add(vectors.Vector{Name: name, Kind: kind, Expect: expect}, k, aad, in)
}

// twoKeys adds the record that internal/xaes makes for two keys at once.
func (w *vectorWriter) twoKeys() {
	record, err := hex.DecodeString(hex.EncodeToString([]byte("ABCDEFGHIJKLMNOPQRSTUVWX")) +
		"616e792031362062797465732c20736f9c21d0ccf0b50cca2a97608e1a89f64ddc7fa3937d14fc82ca948b1040e5f5b4")
	require.NoError(w.t, err)
	for _, b := range []byte{1, 2} {
		k, err := ParseKey(bytes.Repeat([]byte{b}, KeySize))
		require.NoError(w.t, err)
		out, err := k.Open(nil, record, nil)
		require.NoError(w.t, err)
		w.ok("record", fmt.Sprintf("record of two keys, key %02x x 32", b), k, nil, record, out)
	}
}

func (w *vectorWriter) keys() {
	for _, first := range []byte{0, 128} {
		k := vectorKey(first)
		c := derive.Commitment((*[KeySize]byte)(k.Bytes()))
		w.add(vectors.Vector{Name: fmt.Sprint("commitment ", first), Kind: "commitment", Expect: "ok", Out: hexOf(c[:])}, k, nil, nil)
	}
	for _, c := range []struct {
		label string
		info  []string
	}{
		{"app/billing", nil},
		{"app/billing", []string{""}},
		{"app/billing", []string{"", ""}},
		{"app/billing", []string{"ab", "c"}},
		{"app/billing", []string{"a", "bc"}},
		{"app/billing", []string{"abc"}},
		{"app/0 9-a/z", []string{string(pattern(300))}},
		{"app/123456789012345678901234567890123456789012345678901234567890", nil},
		{"record", nil},
		{"subject ref", nil},
		{"index", []string{"table", "column", "by name"}},
		{"commitment", nil},
	} {
		k := vectorKey(0)
		v := vectors.Vector{Name: fmt.Sprintf("derive %s %.12q", c.label, c.info), Kind: "derive", Expect: "ok"}
		v.Keyed = &vectors.Keyed{Key: hex.EncodeToString(k.Bytes()), Label: c.label}
		var info [][]byte
		for _, part := range c.info {
			info = append(info, []byte(part))
			v.Info = append(v.Info, hex.EncodeToString([]byte(part)))
		}
		d := derive.Key((*[KeySize]byte)(k.Bytes()), c.label, info...)
		v.Out = hexOf(d[:])
		w.list = append(w.list, v)
	}
}

func (w *vectorWriter) records() {
	k := vectorKey(0)
	for _, n := range []int{0, 1, 15, 16, 17, 255, 1000} {
		w.ok("record", fmt.Sprintf("record of %d", n), k, nil, k.Seal(nil, pattern(n), nil), pattern(n))
	}
	for _, n := range []int{1, 16, 17, 300} {
		w.ok("record", fmt.Sprintf("record with aad of %d", n), k, pattern(n), k.Seal(nil, pattern(20), pattern(n)), pattern(20))
	}
	w.ok("record", "record without plaintext", k, pattern(13), k.Seal(nil, nil, pattern(13)), nil)
	other := vectorKey(128)
	w.ok("record", "record of another key", other, nil, other.Seal(nil, pattern(5), nil), pattern(5))
}

func (w *vectorWriter) recordFaults() {
	k, aad := vectorKey(0), []byte("ad")
	b := k.Seal(nil, []byte{'x'}, aad)
	w.ok("record", "record to change", k, aad, b, []byte{'x'})
	for n := range len(b) {
		w.fail("record", fmt.Sprintf("record cut %d", n), "open", k, aad, b[:n])
	}
	for bit := range len(b) * 8 {
		w.fail("record", fmt.Sprintf("record flip %d.%d", bit/8, bit%8), "open", k, aad, flip(b, bit))
	}
	w.fail("record", "record wrong key", "open", vectorKey(1), aad, b)
	w.fail("record", "record wrong aad", "open", k, []byte("ae"), b)
	w.fail("record", "record no aad", "open", k, nil, b)
	w.fail("record", "record long aad", "open", k, []byte("ad\x00"), b)
	w.fail("record", "record trailing byte", "open", k, aad, append(slices.Clone(b), 0))
	w.fail("record", "record twice", "open", k, aad, append(slices.Clone(b), b...))
}

func (w *vectorWriter) stream(k *Key, segment int, aad, plaintext []byte) []byte {
	return sealStream(w.t, k, aad, plaintext, &StreamOptions{SegmentSize: segment})
}

func (w *vectorWriter) streams() {
	k := vectorKey(0)
	for _, c := range []struct{ segment, size int }{
		{40, 0},
		{40, 1},
		{40, 7},
		{40, 8},
		{40, 9},
		{40, 16},
		{40, 17},
		{40, 24},
		{64, 0},
		{64, 31},
		{64, 32},
		{64, 33},
		{64, 96},
		{4096, 0},
		{4096, 100},
		{4096, 4065},
		{64 << 10, 5},
	} {
		w.ok("stream", fmt.Sprintf("stream S=%d of %d", c.segment, c.size), k, nil, w.stream(k, c.segment, nil, pattern(c.size)), pattern(c.size))
	}
	for _, n := range []int{1, 16, 300} {
		w.ok("stream", fmt.Sprintf("stream with aad of %d", n), k, pattern(n), w.stream(k, 64, pattern(n), pattern(40)), pattern(40))
	}
}

// streamFaults works on three segments, the last one with one byte of plaintext. The vectors of
// internal/floe have the same stream cut everywhere, and flips of its header and length words.
func (w *vectorWriter) streamFaults() {
	k, aad := vectorKey(0), []byte("ad")
	b := w.stream(k, 40, aad, pattern(17))
	w.ok("stream", "stream to change", k, aad, b, pattern(17))
	for _, end := range []int{114, 154, len(b)} {
		for bit := (end - 16) * 8; bit < end*8; bit++ {
			w.fail("stream", fmt.Sprintf("stream flip %d.%d", bit/8, bit%8), "open", k, aad, flip(b, bit))
		}
	}
	w.fail("stream", "stream word 41", "format", k, aad, putWord(b, 154, 41))
	w.fail("stream", "stream word 31", "format", k, aad, putWord(b, 154, 31))
	w.fail("stream", "stream word FFFFFFFE", "format", k, aad, putWord(b, 74, 0xFFFFFFFE))
	w.fail("stream", "stream word FFFFFFFF at the end", "truncated", k, aad, putWord(b, 154, 0xFFFFFFFF))
	w.fail("stream", "stream S=4GiB-1 forged", "format", k, aad, putWord(b, 2, 0xFFFFFFFF))
	w.fail("stream", "stream wrong key", "open", vectorKey(1), aad, b)
	w.fail("stream", "stream wrong aad", "open", k, []byte("ae"), b)
	w.fail("stream", "stream no aad", "open", k, nil, b)
	w.fail("stream", "stream long aad", "open", k, []byte("ad\x00"), b)
	w.fail("stream", "stream trailing byte", "format", k, aad, append(slices.Clone(b), 0))
	w.fail("stream", "stream trailing segment", "format", k, aad, append(slices.Clone(b), b[114:154]...))
	w.fail("stream", "stream twice", "format", k, aad, append(slices.Clone(b), b...))
	w.fail("stream", "stream swapped", "open", k, aad, slices.Concat(b[:74], b[114:154], b[74:114], b[154:]))
	w.fail("stream", "stream repeated", "open", k, aad, slices.Concat(b[:114], b[74:]))
	w.fail("stream", "stream dropped first", "open", k, aad, slices.Concat(b[:74], b[114:]))
	w.fail("stream", "stream dropped middle", "open", k, aad, slices.Concat(b[:114], b[154:]))
	w.fail("stream", "stream header alone", "truncated", k, aad, b[:floe.HeaderSize])
}
