package envelope

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/internal/vectors"
	"github.com/holdfast-go/holdfast/kms"
)

var update = flag.Bool("update", false, "write the vectors anew")

// TestUpdateVectors writes the vectors. Where their class does not follow from a rule that is named
// here it is the one that Open gives, and the second reader in examples/reader-node has to agree.
func TestUpdateVectors(t *testing.T) {
	vectors.BeginUpdate(t, *update, 5)
	w := &vectorWriter{t: t, openers: newOpeners(t)}
	w.messages()
	w.streams()
	w.faults()
	w.localFaults()
	w.forgeries()
	vectors.Write(t, vectorsFile, w.list)
}

type vectorWriter struct {
	t       *testing.T
	openers *openers
	list    []vector
}

// localFileKey is 32 bytes that count from first, as the file key of vectors.
func localFileKey(first byte) []byte {
	b := pattern(32)
	for i := range b {
		b[i] += first
	}
	return b
}

// seal calls f with a Sealer and adds the message that it makes: once with its data key, once with a local key.
func (w *vectorWriter) seal(name string, ec kms.Context, plaintext []byte, f func(*Sealer) []byte) (withDataKey, withLocalKey vector) {
	var unwraps int
	d := &fixed{unwraps: &unwraps}
	message := f(newSealer(w.t, d, nil))
	withDataKey = vector{
		Name: name, Kind: "message", Expect: "ok", DataKey: hex.EncodeToString(d.key),
		Context: ec, In: hex.EncodeToString(message), Out: hexOf(plaintext),
	}
	withLocalKey = withDataKey
	withLocalKey.Name, withLocalKey.DataKey, withLocalKey.LocalKey = "local "+name, "", hex.EncodeToString(localFileKey(0))
	s, _ := w.openers.of(withLocalKey)
	withLocalKey.In = hex.EncodeToString(f(s))
	w.list = append(w.list, withDataKey, withLocalKey)
	return withDataKey, withLocalKey
}

// fail adds v with another input. An expect of "" is filled in.
func (w *vectorWriter) fail(v vector, name, expect string, in []byte) {
	v.Name, v.Expect, v.In, v.Out = name, expect, hex.EncodeToString(in), nil
	_, got := w.openers.open(v, openAll)
	require.Contains(w.t, []string{"truncated", "format", "open", "context"}, got, name)
	if expect != "" {
		require.Equal(w.t, expect, got, name)
	}
	v.Expect = got
	w.list = append(w.list, v)
}

func (w *vectorWriter) messages() {
	many := kms.Context{}
	for i := range 40 {
		many[fmt.Sprintf("key %02d", i)] = strings.Repeat("v", i%7)
	}
	for _, c := range []struct {
		name string
		size int
		ec   kms.Context
	}{
		{"of 0", 0, kms.Context{"tenant": "acme"}},
		{"of 1", 1, kms.Context{"tenant": "acme"}},
		{"of 100", 100, kms.Context{"tenant": "acme", "object": "invoices/7.pdf"}},
		{"empty context", 10, nil},
		{"many pairs", 10, many},
		{"empty value", 10, kms.Context{"a": ""}},
		{"unicode", 10, kms.Context{"é": "e\u0301", "e\u0301": "é", "日本": "語", "\u0000": "\u0000", "🔑": "\U0010FFFF"}},
		{"keys in byte order", 10, kms.Context{"b": "", "a": "1", "aa": "2", "B": "3", "~": "4", "é": "5"}},
		{"near our prefix", 10, kms.Context{"holdfast": "a", "Holdfast:x": "b", "holdfast;": "c"}},
	} {
		w.seal("message "+c.name, c.ec, pattern(c.size), func(s *Sealer) []byte { return seal(w.t, s, pattern(c.size), c.ec) })
	}
}

func (w *vectorWriter) streams() {
	ec := kms.Context{"object": "backup"}
	w.seal("message as a stream", ec, pattern(70), func(s *Sealer) []byte {
		return sealStream(w.t, s, pattern(70), ec, &aead.StreamOptions{SegmentSize: 64})
	})
}

// faults works on the shortest header: 64 bytes, and a body of one byte.
func (w *vectorWriter) faults() {
	ec := kms.Context{"a": "b"}
	v, local := w.seal("message small", ec, []byte{'x'}, func(s *Sealer) []byte { return seal(w.t, s, []byte{'x'}, ec) })
	b := unhex(w.t, v.In)
	require.Len(w.t, b, 64+107)
	for n := range len(b) {
		w.fail(v, fmt.Sprintf("message cut %d", n), "truncated", b[:n])
	}
	for bit := range len(b) * 8 {
		expect := ""
		switch at := bit / 8; {
		case at < 2: // first byte and version
			expect = "format"
		case at >= 32 && at < 64, at >= 64+10 && at < 64+74, at >= 64+78: // MAC, FLOE's IV and tag, the segment
			expect = "open"
		}
		w.fail(v, fmt.Sprintf("message flip %d.%d", bit/8, bit%8), expect, flip(b, bit))
	}
	w.fail(v, "message trailing byte", "format", append(slices.Clone(b), 0))
	w.fail(v, "message twice", "format", append(slices.Clone(b), b...))
	for _, c := range []struct {
		name string
		ec   kms.Context
	}{
		{"value", kms.Context{"a": "c"}},
		{"key", kms.Context{"b": "b"}},
		{"none", nil},
		{"one more", kms.Context{"a": "b", "c": ""}},
		{"case", kms.Context{"A": "b"}},
	} {
		for _, v := range []vector{v, local} {
			v.Context = c.ec
			w.fail(v, strings.TrimSuffix(v.Name, " small")+" wrong context: "+c.name, "context", unhex(w.t, v.In))
		}
	}
	w.fail(with(v, func(v *vector) { v.DataKey = hex.EncodeToString(localFileKey(1)) }), "message wrong data key", "open", b)
	w.fail(with(local, func(v *vector) { v.LocalKey = hex.EncodeToString(localFileKey(1)) }), "message wrong local key", "open", unhex(w.t, local.In))
	for _, f := range []struct {
		name   string
		expect string
		change func(b []byte)
	}{
		{"H=0", "format", func(b []byte) { put16(b[2:], 0) }},
		{"H=1", "format", func(b []byte) { put16(b[2:], 1) }},
		{"H=32", "format", func(b []byte) { put16(b[2:], 32) }},
		{"H=65", "format", func(b []byte) { put16(b[2:], 65) }},
		{"H=128", "format", func(b []byte) { put16(b[2:], 128) }},
		{"H=65472", "truncated", func(b []byte) { put16(b[2:], 65472) }},
		{"H=65535", "format", func(b []byte) { put16(b[2:], 65535) }},
		{"c=0", "format", func(b []byte) { put16(b[4:], 0) }},
		{"c=1", "format", func(b []byte) { put16(b[4:], 1) }},
		{"c=2", "format", func(b []byte) { put16(b[4:], 2) }},
		{"c to the MAC", "format", func(b []byte) { put16(b[4:], 64-32-6) }},
		{"c into the MAC", "format", func(b []byte) { put16(b[4:], 64-32-6+1) }},
		{"c=65535", "format", func(b []byte) { put16(b[4:], 65535) }},
		{"c=8193 of H=65472", "format", func(b []byte) { put16(b[2:], 65472); put16(b[4:], 8193) }},
		{"c=8192 of H=65472", "truncated", func(b []byte) { put16(b[2:], 65472); put16(b[4:], 8192) }},
		{"no MAC", "open", func(b []byte) { clear(b[32:64]) }},
		{"text", "format", func(b []byte) { copy(b, "{\"a\"") }},
	} {
		w.fail(v, "message "+f.name, f.expect, changed(b, f.change))
	}
}

// localFaults changes each byte of a wrapped data key, whose last part is the blob.
func (w *vectorWriter) localFaults() {
	ec := kms.Context{"a": "b"}
	_, v := w.seal("message to cut", ec, nil, func(s *Sealer) []byte { return seal(w.t, s, nil, ec) })
	b := unhex(w.t, v.In)
	h, err := parseHeader(b)
	require.NoError(w.t, err)
	wrapped, err := h.wrapped.AppendBinary(nil)
	require.NoError(w.t, err)
	start := prefixSize + len(h.canonical)
	for i := range wrapped {
		w.fail(v, fmt.Sprintf("message local key, byte %d", i), "", flip(b, (start+i)*8+i%8))
	}
	// Data keys that are none, wrapped and authenticated as they should be.
	s, _ := w.openers.of(v)
	for _, n := range []int{1, 31, 33, 64} {
		d := dataKey{}
		copy(d.key[:], pattern(n))
		d.wrapped, err = s.key.Wrap(reserved.Allow(w.t.Context()), pattern(n), kmsContext(ec))
		require.NoError(w.t, err)
		w.fail(v, fmt.Sprintf("message with a data key of %d", n), "open", w.message(d, ec))
	}
	// Wrapped for another purpose.
	d := dataKey{key: [32]byte(pattern(32))}
	for _, c := range []struct {
		name string
		full kms.Context
	}{
		{"without purpose", ec},
		{"for another", kms.Context{"a": "b", "holdfast:purpose": "tenant-key"}},
	} {
		d.wrapped, err = s.key.Wrap(reserved.Allow(w.t.Context()), d.key[:], c.full)
		require.NoError(w.t, err)
		w.fail(v, "message key wrapped "+c.name, "open", w.message(d, ec))
	}
}

// message is a message of one byte, made with d.
func (w *vectorWriter) message(d dataKey, ec kms.Context) []byte {
	context, err := canonical(ec)
	require.NoError(w.t, err)
	header, err := buildHeader(&d.key, context, d.wrapped, smallest(context, d.wrapped))
	require.NoError(w.t, err)
	return append(header, w.body(d, context)...)
}

func (w *vectorWriter) body(d dataKey, context []byte) []byte {
	var b bytes.Buffer
	body, err := aead.NewWriter(&b, d.body(), bodyContext(context), nil)
	require.NoError(w.t, err)
	_, err = body.Write([]byte{'x'})
	require.NoError(w.t, err)
	require.NoError(w.t, body.Close())
	return b.Bytes()
}

func with(v vector, change func(*vector)) vector {
	change(&v)
	return v
}

func changed(b []byte, change func([]byte)) []byte {
	b = slices.Clone(b)
	change(b)
	return b
}

func flip(b []byte, bit int) []byte {
	return changed(b, func(b []byte) { b[bit/8] ^= 1 << (bit % 8) })
}

func put16(b []byte, n int) { binary.BigEndian.PutUint16(b, uint16(n)) }
