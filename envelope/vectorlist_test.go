package envelope

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/internal/vectors"
	"github.com/holdfast-go/holdfast/kms"
)

// listed is a list of recipients, by FORMAT.md section 5 but for the count, which need not be theirs.
func listed(t testing.TB, count int, recipients ...kms.Wrapped) kms.Wrapped {
	blob := []byte{byte(count)}
	for _, r := range recipients {
		b, err := r.AppendBinary(nil)
		require.NoError(t, err)
		blob = append(binary.BigEndian.AppendUint16(blob, uint16(len(b))), b...)
	}
	return kms.Wrapped{Ref: kms.Ref{Provider: "any"}, Blob: blob}
}

// listOf is a list of recipients that keeps the rules if they do.
func listOf(t testing.TB, recipients ...kms.Wrapped) kms.Wrapped {
	return listed(t, len(recipients), recipients...)
}

// recipient is one that no reader of vectors knows.
func recipient(provider, keyID string) kms.Wrapped {
	return kms.Wrapped{Ref: kms.Ref{Provider: provider, KeyID: keyID}, Blob: []byte("*")}
}

// Key ids of local recipients.
var keyA, keyB = strings.Repeat("42", 16), strings.Repeat("43", 16)

// lister makes messages with lists, all with one context and one data key.
type lister struct {
	*vectorWriter
	ec          kms.Context
	d           dataKey
	a, b        kms.Wrapped // the data key under the local keys A and B
	data        vector      // opens with the data key,
	withA, with vector      // with local key A and no key id; with local key A and its id
	withB       vector
}

func (w *vectorWriter) lister() *lister {
	l := &lister{vectorWriter: w, ec: kms.Context{"a": "b"}, d: dataKey{key: [32]byte(pattern(32))}}
	l.a = l.wrap(0, keyA, l.d.key[:])
	l.b = l.wrap(1, keyB, l.d.key[:])
	l.data = vector{Kind: "message", DataKey: hex.EncodeToString(l.d.key[:]), Context: l.ec}
	l.withA = vector{Kind: "message", LocalKey: hex.EncodeToString(localFileKey(0)), Context: l.ec}
	l.with = with(l.withA, func(v *vector) { v.KeyID = keyA })
	l.withB = with(l.with, func(v *vector) { v.LocalKey, v.KeyID = hex.EncodeToString(localFileKey(1)), keyB })
	return l
}

// wrap wraps secret under a local key.
func (l *lister) wrap(file byte, keyID string, secret []byte) kms.Wrapped {
	k := l.openers.localKey(hex.EncodeToString(localFileKey(file)), keyID)
	w, err := k.Wrap(reserved.Allow(l.t.Context()), secret, kmsContext(l.ec))
	require.NoError(l.t, err)
	return w
}

// sealed is a message with such a wrapped key.
func (l *lister) sealed(w kms.Wrapped) []byte {
	d := l.d
	d.wrapped = w
	return l.message(d, l.ec)
}

// ok adds a message that opens in each of the ways vs.
func (l *lister) ok(name string, list kms.Wrapped, vs ...vector) {
	in := l.sealed(list)
	for i, v := range vs {
		v.Name, v.Expect, v.In, v.Out = name, "ok", hex.EncodeToString(in), hexOf([]byte{'x'})
		if len(vs) > 1 {
			v.Name = fmt.Sprintf("%s, way %d", name, i+1)
		}
		out, class := l.openers.open(v, openAll)
		require.Equal(l.t, "ok", class, v.Name)
		require.Equal(l.t, "x", string(out), v.Name)
		l.list = append(l.list, v)
	}
}

// TestUpdateLists writes the vectors of lists, as TestUpdateVectors does the others.
func TestUpdateLists(t *testing.T) {
	vectors.BeginUpdate(t, *update, 7)
	w := &vectorWriter{t: t, openers: newOpeners(t)}
	w.lists()
	w.listFaults()
	vectors.Write(t, listsFile, w.list)
}

// lists has lists that keep the rules.
func (w *vectorWriter) lists() {
	l := w.lister()
	l.ok("message to 1 recipient", listOf(w.t, l.a), l.data, l.withA, l.with)
	l.ok("message to 2 recipients", listOf(w.t, l.a, l.b), l.data, l.with, l.withB)
	l.ok("message to 2 recipients of unknown providers", listOf(w.t, recipient("t", "k"), recipient("future", "k")), l.data)
	l.ok("message to an unknown provider first", listOf(w.t, recipient("future", "arn:x"), l.a), l.data, l.withA, l.with)
	l.ok("message to an unknown provider last", listOf(w.t, l.b, recipient("future", "")), l.data, l.withB)
	many := []kms.Wrapped{
		recipient("p", ":k"), recipient("p:", "k"), recipient("p", "k"), recipient("P", "k"), recipient("p", ""),
		recipient("ANY", ""), recipient("any ", "k"), recipient("locals", keyA), recipient("loca", "l"+keyA), recipient("p", keyA),
		recipient("\xff", "k"), recipient("\xfe", "k"), recipient("p", "\xff"), recipient("p", "\xfe"),
	}
	l.ok("message to 16 recipients", listOf(w.t, slices.Concat(many, []kms.Wrapped{l.a, l.b})...), l.data, l.with, l.withB)

	two := l.sealed(listOf(w.t, l.a, l.b))
	w.fail(with(l.data, func(v *vector) { v.DataKey = hex.EncodeToString(localFileKey(1)) }), "message to 2, wrong data key", "open", two)
	w.fail(with(l.with, func(v *vector) { v.LocalKey = hex.EncodeToString(localFileKey(2)) }), "message to 2, wrong local key", "open", two)
	w.fail(with(l.with, func(v *vector) { v.KeyID = keyB }), "message to 2, local key of the other", "open", two)
	w.fail(with(l.with, func(v *vector) { v.KeyID = strings.Repeat("44", 16) }), "message to 2, local key of none", "open", two)
	w.fail(l.withA, "message to no local key", "open", l.sealed(listOf(w.t, recipient("t", "k"), recipient("future", keyA))))
	for _, v := range []vector{l.data, l.with} {
		v.Context = kms.Context{"a": "c"}
		w.fail(v, "message to 2, wrong context", "context", two)
	}
	other := l.wrap(1, keyB, localFileKey(9))
	l.ok("message to 2 with other data keys, first", listOf(w.t, l.a, other), l.with)
	w.fail(l.withB, "message to 2 with other data keys, second", "open", l.sealed(listOf(w.t, l.a, other)))
	w.fail(l.withB, "message to 2, data key of 31", "open", l.sealed(listOf(w.t, l.a, l.wrap(1, keyB, pattern(31)))))
}

// listFaults has lists that break a rule, authentic under the data key.
func (w *vectorWriter) listFaults() {
	l := w.lister()
	t, u := recipient("t", "k"), recipient("u", "")
	good := listOf(w.t, t, u)
	first, last := 1, 3+len("\x01t\x00\x01k\x00\x00\x01*") // where the two lengths are
	spoilt := func(change func(*kms.Wrapped)) kms.Wrapped {
		w := good
		w.Blob = slices.Clone(good.Blob)
		change(&w)
		return w
	}
	at := func(i int, by byte) kms.Wrapped { return spoilt(func(w *kms.Wrapped) { w.Blob[i+1] += by }) }
	blob := func(s string) kms.Wrapped { return kms.Wrapped{Ref: good.Ref, Blob: []byte(s)} }
	var many []kms.Wrapped
	for i := range 17 {
		many = append(many, recipient("t", fmt.Sprint(i)))
	}
	for _, f := range []struct {
		name string
		w    kms.Wrapped
	}{
		{"none", listed(w.t, 0)},
		{"none announced", listed(w.t, 0, t, u)},
		{"17", listed(w.t, 17, many...)},
		{"16 announced of 17", listed(w.t, 16, many...)},
		{"17 announced of 16", listed(w.t, 17, many[:16]...)},
		{"255 announced", listed(w.t, 255, many...)},
		{"1 announced of 2", listed(w.t, 1, t, u)},
		{"3 announced of 2", listed(w.t, 3, t, u)},
		{"byte at the end", spoilt(func(w *kms.Wrapped) { w.Blob = append(w.Blob, 0) })},
		{"with a key id", spoilt(func(w *kms.Wrapped) { w.KeyID = "k" })},
		{"with a version", spoilt(func(w *kms.Wrapped) { w.Version = "1" })},
		{"first length short", at(first, 0xFF)},
		{"first length long", at(first, 1)},
		{"last length short", at(last, 0xFF)},
		{"last length long", at(last, 1)},
		{"length 0", blob("\x01\x00\x00")},
		{"length 65535", spoilt(func(w *kms.Wrapped) { put16(w.Blob[last:], 65535) })},
		{"byte after a recipient", blob("\x01\x00\x0a\x01t\x00\x01k\x00\x00\x01*+")},
		{"two recipients in one", blob("\x01\x00\x12\x01t\x00\x01k\x00\x00\x01*\x01u\x00\x01k\x00\x00\x01*")},
		{"recipient without provider", blob("\x01\x00\x08\x00\x00\x01k\x00\x00\x01*")},
		{"recipient without blob", blob("\x01\x00\x08\x01t\x00\x01k\x00\x00\x00")},
		{"nested", listOf(w.t, t, listOf(w.t, u))},
		{"nested alone", listOf(w.t, good)},
		{"nested with a key id", listOf(w.t, t, recipient("any", "k"))},
		{"nested and malformed", listOf(w.t, recipient("any", ""))},
		{"twice", listOf(w.t, t, t)},
		{"twice, apart", listOf(w.t, t, u, t)},
		{"twice, no key id", listOf(w.t, u, t, u)},
		{"twice, another version and blob", listOf(w.t, l.a, kms.Wrapped{Ref: l.a.Ref, Version: "2", Blob: []byte("+")})},
		{"of unknown providers twice", listOf(w.t, l.a, recipient("future", "\xff"), recipient("future", "\xff"))},
	} {
		w.fail(l.data, "message list: "+f.name, "format", l.sealed(f.w))
	}
	for n := 1; n < len(good.Blob); n++ {
		w.fail(l.data, fmt.Sprintf("message list: cut to %d", n), "format", l.sealed(spoilt(func(w *kms.Wrapped) { w.Blob = w.Blob[:n] })))
	}

	// Bytes changed up to the blob of the local recipient, and no MAC made for it.
	in := l.sealed(listOf(w.t, u, l.a))
	h, err := parseHeader(in)
	require.NoError(w.t, err)
	wrapped, err := h.wrapped.AppendBinary(nil)
	require.NoError(w.t, err)
	start := prefixSize + len(h.canonical)
	for i := range len(wrapped) - len(l.a.Blob) {
		w.fail(l.withA, fmt.Sprintf("message list: byte %d", i), "", flip(in, (start+i)*8+i%8))
	}
}
