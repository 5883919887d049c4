package envelope

import (
	"encoding/hex"
	"slices"

	"github.com/holdfast-go/holdfast/kms"
)

// forgeries are authentic under the data key and break one rule each. Of those that keep
// every rule in a way that no writer has, each opens.
func (w *vectorWriter) forgeries() {
	d := dataKey{key: [32]byte(pattern(32))}
	context := []byte("\x00\x01\x00\x01a\x00\x01b")
	v := vector{Kind: "message", DataKey: hex.EncodeToString(d.key[:]), Context: kms.Context{"a": "b"}}
	wrapped := []byte("\x01t\x00\x01k\x00\x00\x01*")
	forge := func(context, wrapped, padding []byte) []byte {
		content := slices.Concat(context, wrapped, padding)
		size := (prefixSize + len(content) + macSize + granule - 1) / granule * granule
		b := make([]byte, size-macSize)
		b[0], b[1] = firstByte, version
		put16(b[2:], size)
		put16(b[4:], len(context))
		copy(b[prefixSize:], content)
		return slices.Concat(b, headerMAC(&d.key, b), w.body(d, context))
	}
	ok := func(name string, in []byte) {
		good := v
		good.Name, good.Expect, good.In, good.Out = name, "ok", hex.EncodeToString(in), hexOf([]byte{'x'})
		w.list = append(w.list, good)
	}
	ok("message by hand", forge(context, wrapped, nil))
	ok("message with spare room", forge(context, wrapped, make([]byte, 600)))
	ok("message with a version", forge(context, []byte("\x01t\x00\x01k\x02v1\x00\x01*"), nil))
	for _, f := range []struct{ name, context string }{
		{"reserved key", "\x00\x01\x00\x0aholdfast:x\x00\x01b"},
		{"bare prefix as key", "\x00\x01\x00\x09holdfast:\x00\x00"},
		{"empty key", "\x00\x01\x00\x00\x00\x01b"},
		{"unsorted", "\x00\x02\x00\x01b\x00\x00\x00\x01a\x00\x00"},
		{"unsorted by length", "\x00\x02\x00\x01b\x00\x00\x00\x02aa\x00\x00"},
		{"key twice", "\x00\x02\x00\x01a\x00\x01b\x00\x01a\x00\x01b"},
		{"key twice, other value", "\x00\x02\x00\x01a\x00\x01b\x00\x01a\x00\x01c"},
		{"too few pairs", "\x00\x00\x00\x01a\x00\x01b"},
		{"too many pairs", "\x00\x02\x00\x01a\x00\x01b"},
		{"65535 pairs", "\xff\xff\x00\x01a\x00\x01b"},
		{"byte at the end", "\x00\x01\x00\x01a\x00\x01b\x00"},
		{"key too long", "\x00\x01\xff\xffa\x00\x01b"},
		{"value too long", "\x00\x01\x00\x01a\x00\x02b"},
		{"key not UTF-8", "\x00\x01\x00\x01\xff\x00\x01b"},
		{"value not UTF-8", "\x00\x01\x00\x01a\x00\x01\xff"},
		{"surrogate", "\x00\x01\x00\x03\xed\xa0\x80\x00\x00"},
		{"overlong", "\x00\x01\x00\x02\xc1\xa1\x00\x00"},
		{"empty", ""},
	} {
		w.fail(v, "message context: "+f.name, "format", forge([]byte(f.context), wrapped, nil))
	}
	for _, f := range []struct{ name, wrapped string }{
		{"no provider", "\x00\x00\x01k\x00\x00\x01*"},
		{"no blob", "\x01t\x00\x01k\x00\x00\x00"},
		{"none", ""},
		{"provider too long", "\xfft\x00\x01k\x00\x00\x01*"},
		{"key id too long", "\x01t\xff\xffk\x00\x00\x01*"},
		{"version too long", "\x01t\x00\x01k\xff\x00\x01*"},
		{"blob too long", "\x01t\x00\x01k\x00\xff\xff*"},
		{"blob into the MAC", "\x01t\x00\x01k\x00\x00\x0b*"},
		{"blob shorter", "\x01t\x00\x01k\x00\x00\x01*+"},
	} {
		w.fail(v, "message wrapped: "+f.name, "format", forge(context, []byte(f.wrapped), nil))
	}
	w.fail(v, "message padding: first", "format", forge(context, wrapped, []byte{1}))
	w.fail(v, "message padding: last", "format", forge(context, wrapped, []byte{8: 0x80}))
	other := []byte("\x00\x01\x00\x01a\x00\x01c")
	good := forge(context, wrapped, nil)
	w.fail(v, "message body of another context", "open", append(slices.Clone(good[:64]), forge(other, wrapped, nil)[64:]...))
	stranger := dataKey{key: [32]byte(localFileKey(9))}
	w.fail(v, "message body of another key", "open", append(slices.Clone(good[:64]), w.body(stranger, context)...))
}
