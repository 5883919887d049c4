package envelope_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/vectors"
)

// TestUpdateKeyringVectors writes the vectors. Their classes follow from the rules of FORMAT.md, but for those of flipped bits, where it is the one that
// Open gives, and the second reader in examples/reader-node has to agree.
func TestUpdateKeyringVectors(t *testing.T) {
	update := flag.Lookup("update").Value.(flag.Getter).Get().(bool)
	vectors.BeginUpdate(t, update, 8)
	// What pools give anew draws randomness: they start empty and stay as they are.
	runtime.GC()
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	bubble.Test(t, func(t *testing.T) { // rows hold times
		w := &keyringWriter{t: t, o: newVectorOpener(t), key: vectorKey(1)}
		w.plain()
		w.records()
		w.streams()
		w.stores()
		w.forgeries()
		vectors.Write(t, keyringFile, w.list)
	})
}

type keyringWriter struct {
	t    *testing.T
	o    *vectorOpener
	key  []byte // the data key of vectors without rows
	list []vectors.Vector
}

// ok adds v as one that opens to out.
func (w *keyringWriter) ok(v vectors.Vector, name string, in, out []byte) vectors.Vector {
	w.t.Helper()
	v.Name, v.Expect, v.In, v.Out = name, "ok", hex.EncodeToString(in), vectors.Hex(out)
	got, class := w.o.run(v)
	require.Equal(w.t, "ok", class, name)
	require.Equal(w.t, *v.Out, hex.EncodeToString(got), name)
	w.list = append(w.list, v)
	return v
}

// fail adds v with another input as one that fails. An expect of "" is filled in.
func (w *keyringWriter) fail(v vectors.Vector, name, expect string, in []byte) {
	w.t.Helper()
	v.Name, v.Expect, v.In, v.Out = name, expect, hex.EncodeToString(in), nil
	_, got := w.o.run(v)
	if expect == "" {
		v.Expect = got
		require.Contains(w.t, []string{"truncated", "format", "open", "unknown_key"}, got, name)
	}
	require.Equal(w.t, v.Expect, got, name)
	w.list = append(w.list, v)
}

func vectorParts(parts ...string) []string {
	var out []string
	for _, p := range parts {
		out = append(out, hex.EncodeToString([]byte(p)))
	}
	return out
}

// plain are bindings and references of subjects.
func (w *keyringWriter) plain() {
	for _, c := range []struct {
		name  string
		parts []string
	}{
		{"no parts", nil},
		{"one empty part", []string{""}},
		{"two empty parts", []string{"", ""}},
		{"text", []string{"users", "email", "7"}},
		{"other boundaries", []string{"userse", "mail", "7"}},
		{"bytes", []string{"\x00\xff", "é"}},
		{"long", []string{strings.Repeat("x", 300)}},
	} {
		v := vectors.Vector{Kind: "bind", Parts: vectorParts(c.parts...)}
		w.ok(v, "bind "+c.name, nil, w.o.bound(v))
	}
	for _, id := range []string{"ada@example.com", "Ada@example.com", "é", "e\u0301", "0", strings.Repeat("x", 255)} {
		v := vectors.Vector{Kind: "subject ref", Keyed: &vectors.Keyed{Key: hex.EncodeToString(w.key)}}
		key := derive.Key((*[derive.Size]byte)(w.key), "subject ref")
		w.ok(v, fmt.Sprintf("subject ref %.20q", id), []byte(id), vectorHMAC(key[:], []byte(id)))
	}
}

func (w *keyringWriter) managed(kind string, parts ...string) vectors.Vector {
	return vectors.Vector{Kind: kind, DataKey: hex.EncodeToString(w.key), Parts: vectorParts(parts...)}
}

// seal adds a record that opens.
func (w *keyringWriter) seal(v vectors.Vector, name string, plaintext []byte) vectors.Vector {
	w.t.Helper()
	in, err := w.o.scope(v).Seal(w.t.Context(), plaintext, w.o.binding(v))
	require.NoError(w.t, err)
	return w.ok(v, name, in, plaintext)
}

func (w *keyringWriter) records() {
	w.seal(w.managed("managed record", "users", "email", "7"), "record of 0", nil)
	w.seal(w.managed("managed record", "users", "email", "7"), "record of 100", bytes.Repeat([]byte("0123456789"), 10))
	w.seal(w.managed("managed record", strings.Repeat("x", 5000), "y"), "record with a long binding", []byte("x"))
	zero := w.seal(w.managed("managed record"), "record with the zero binding", []byte("x"))
	empty := w.seal(w.managed("managed record", ""), "record bound to an empty part", []byte("x"))
	w.bindings(zero, "record with the zero binding", "", "\x00")
	w.bindings(empty, "record bound to an empty part")
	v := w.seal(w.managed("managed record", "a", "b"), "record small", []byte("x"))
	w.bindings(v, "record small", "ab")
	b := vectors.Unhex(w.t, v.In)
	require.Len(w.t, b, 58)
	for n := range 57 {
		w.fail(v, fmt.Sprintf("record cut %d", n), "truncated", b[:n])
	}
	w.fail(v, "record cut 57", "open", b[:57])
	for bit := range len(b) * 8 {
		expect := "open"
		switch {
		case bit < 8:
			expect = "format"
		case bit < 17*8:
			expect = "unknown_key"
		}
		w.fail(v, fmt.Sprintf("record flip %d.%d", bit/8, bit%8), expect, vectorFlip(b, bit))
	}
	w.faults(v, "record", b)
	w.fail(v, "record trailing byte", "open", append(bytes.Clone(b), 0))
	w.fail(v, "record twice", "open", slices.Concat(b, b))
}

// bindings adds v under other bindings than its own.
func (w *keyringWriter) bindings(v vectors.Vector, name string, more ...string) {
	in := vectors.Unhex(w.t, v.In)
	for i, parts := range append([][]string{{"a"}, {"b", "a"}, {"a", "b", ""}, {"A", "b"}}, more) {
		if slices.Equal(vectorParts(parts...), v.Parts) {
			continue
		}
		v.Parts = vectorParts(parts...)
		w.fail(v, fmt.Sprintf("%s, binding %d", name, i), "open", in)
	}
}

// faults are those that records and streams share.
func (w *keyringWriter) faults(v vectors.Vector, name string, in []byte) {
	w.fail(v, name+" as text", "format", []byte(`{"a":"b"}, and so on, for more bytes than the header of anything has`))
	for _, first := range []byte{0x00, 0x7b, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xfe, 0xff} {
		if first != in[0] {
			w.fail(v, fmt.Sprintf("%s first byte %02x", name, first), "format", append([]byte{first}, in[1:]...))
		}
	}
	other := v
	other.DataKey = hex.EncodeToString(vectorKey(2))
	w.fail(other, name+" for another data key", "unknown_key", in)
	commitment := derive.Commitment((*[derive.Size]byte)(vectorKey(2)))
	w.fail(other, name+" with another key id", "open", slices.Concat(in[:1], commitment[:16], in[17:]))
	w.fail(v, name+" with a key id of zeros", "unknown_key", slices.Concat(in[:1], make([]byte, 16), in[17:]))
}

// sealStream adds a stream that opens.
func (w *keyringWriter) sealStream(v vectors.Vector, name string, plaintext []byte, segment int) vectors.Vector {
	w.t.Helper()
	var b bytes.Buffer
	s, err := w.o.scope(v).NewWriter(w.t.Context(), &b, w.o.binding(v), &aead.StreamOptions{SegmentSize: segment})
	require.NoError(w.t, err)
	_, err = s.Write(plaintext)
	require.NoError(w.t, err)
	require.NoError(w.t, s.Close())
	return w.ok(v, name, b.Bytes(), plaintext)
}

func (w *keyringWriter) streams() {
	plaintext := vectorKey('0')
	for len(plaintext) < 150 {
		plaintext = append(plaintext, plaintext...)
	}
	plaintext = plaintext[:150]
	w.sealStream(w.managed("managed stream", "a", "b"), "stream of 0", nil, 0)
	w.sealStream(w.managed("managed stream"), "stream with the zero binding", []byte("x"), 0)
	w.sealStream(w.managed("managed stream", strings.Repeat("x", 5000)), "stream with a long binding", []byte("x"), 0)
	w.sealStream(w.managed("managed stream", "a", "b"), "stream of full segments", plaintext[:96], 64)
	v := w.sealStream(w.managed("managed stream", "a", "b"), "stream of 5 segments", plaintext, 64)
	in := vectors.Unhex(w.t, v.In)
	for _, r := range [][2]int64{{0, 150}, {0, 1}, {149, 1}, {31, 2}, {32, 32}, {40, 90}, {128, 22}, {140, 1000}, {150, 1}, {1000, 1}} {
		v.Range = r[:]
		w.ok(v, fmt.Sprintf("stream range %d, %d", r[0], r[1]), in, plaintext[min(150, r[0]):min(150, r[0]+r[1])])
	}
	// Random access needs the header, the last segment, and those that the range is in.
	const second, last = 17 + 74 + 64 + 20, 17 + 74 + 4*64 + 20
	v.Range = []int64{70, 40}
	w.ok(v, "stream range beside a damaged segment", vectorFlip(in, second*8), plaintext[70:110])
	w.fail(v, "stream range with a damaged last segment", "open", vectorFlip(in, last*8))
	w.fail(v, "stream range with a damaged header", "open", vectorFlip(in, (17+20)*8))
	v.Range = []int64{30, 10}
	w.fail(v, "stream range into a damaged segment", "open", vectorFlip(in, second*8))
	v.Range = nil
	swapped := slices.Concat(in[:17+74], in[17+74+64:17+74+128], in[17+74:17+74+64], in[17+74+128:])
	w.fail(v, "stream with segments swapped", "open", swapped)
	w.fail(v, "stream without a segment", "open", slices.Concat(in[:17+74], in[17+74+64:]))

	v = w.sealStream(w.managed("managed stream", "a", "b"), "stream small", []byte("x"), 64)
	w.bindings(v, "stream small", "ab")
	b := vectors.Unhex(w.t, v.In)
	require.Len(w.t, b, 17+74+33)
	for n := range len(b) {
		w.fail(v, fmt.Sprintf("stream cut %d", n), "truncated", b[:n])
	}
	for bit := range len(b) * 8 {
		expect := ""
		switch at := bit / 8; {
		case at == 0:
			expect = "format"
		case at < 17:
			expect = "unknown_key"
		case at >= 17+10 && at < 17+74, at >= 17+78: // FLOE's IV and tag, the segment
			expect = "open"
		}
		w.fail(v, fmt.Sprintf("stream flip %d.%d", bit/8, bit%8), expect, vectorFlip(b, bit))
	}
	w.faults(v, "stream", b)
	w.fail(v, "stream trailing byte", "format", append(bytes.Clone(b), 0))
	body := derive.Key((*[derive.Size]byte)(w.key), "stream")
	k, err := aead.ParseKey(body[:])
	require.NoError(w.t, err)
	var bare bytes.Buffer
	s, err := aead.NewWriter(&bare, k, w.o.bound(v), nil)
	require.NoError(w.t, err)
	require.NoError(w.t, s.Close())
	w.fail(v, "stream that does not bind its header", "open", slices.Concat(b[:17], bare.Bytes()))
	w.fail(v, "stream that is a record", "format", vectors.Unhex(w.t, w.list[slices.IndexFunc(w.list, func(v vectors.Vector) bool { return v.Name == "record small" })].In))
}

func vectorFlip(b []byte, bit int) []byte {
	b = bytes.Clone(b)
	b[bit/8] ^= 1 << (bit % 8)
	return b
}
