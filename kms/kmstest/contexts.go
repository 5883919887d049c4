package kmstest

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/kms"
)

const (
	maxContext = 8 << 10 // of the canonical form, by package kms
	overhead   = 6       // of the canonical form of one pair
)

// many returns 20 pairs, which sort in this order.
func many() kms.Context {
	ec := kms.Context{}
	for i := range 20 {
		ec[fmt.Sprintf("key %02d", i)] = fmt.Sprint("value ", i)
	}
	return ec
}

// with returns ec with another pair, or another value.
func with(ec kms.Context, key, value string) kms.Context {
	ec = maps.Clone(ec)
	ec[key] = value
	return ec
}

// twins are two contexts that what is lost on the way makes one.
type twins struct {
	name       string
	one, other kms.Context
}

func allTwins() []twins {
	base, twenty := pairs(), many()
	renamed := many()
	delete(renamed, "key 19")
	renamed["key 1:"] = "value 19"
	long := strings.Repeat("x", 1000)
	value := func(name, one, other string) twins {
		return twins{name, kms.Context{"tenant": one}, kms.Context{"tenant": other}}
	}
	key := func(name, one, other string) twins {
		return twins{name, kms.Context{one: "acme"}, kms.Context{other: "acme"}}
	}
	return []twins{
		{"changed value", base, with(base, "tenant", "acne")},
		{"changed key", base, kms.Context{"kind": "data", "tenants": "acme"}},
		{"swapped key and value", base, kms.Context{"data": "kind", "acme": "tenant"}},
		{"swapped values", base, kms.Context{"kind": "acme", "tenant": "data"}},
		{"moved boundary", base, kms.Context{"kind": "data", "tenan": "tacme"}},
		{"removed pair", base, kms.Context{"tenant": "acme"}},
		{"added pair", base, with(base, "region", "eu")},
		{"added empty value", base, with(base, "region", "")},
		{"added reserved pair", base, with(base, "holdfast:purpose", "check")},
		{"empty", base, kms.Context{}},
		{"nil", base, nil},
		value("case of a value", "acme", "Acme"),
		key("case of a key", "tenant", "Tenant"),
		value("case of a letter with an accent", "é", "É"),
		value("space before a value", "acme", " acme"),
		value("space behind a value", "acme", "acme "),
		value("line end behind a value", "acme", "acme\n"),
		value("two spaces in a value", "acme corp", "acme  corp"),
		key("space before a key", "tenant", " tenant"),
		key("space behind a key", "tenant", "tenant "),
		value("NUL behind a value", "acme", "acme\x00"),
		value("text behind a NUL", "acme\x00one", "acme\x00two"),
		value("composed and decomposed letter", "\u00e9", "e\u0301"),
		key("composed and decomposed letter in a key", "\u00e9", "e\u0301"),
		value("letter that is not ASCII", "é", "ö"),
		key("letter that is not ASCII in a key", "é", "ö"),
		value("letter without its accent", "é", "e"),
		value("unknown letter", "鍵", "\uFFFD"),
		value("quoted text", `a"b`, `a\"b`),
		value("percent-encoded text", "a b", "a%20b"),
		value("no value", "", "null"),
		value("number", "1", "1.0"),
		value("byte 65 of a value", long, long[:64]+"y"+long[65:]),
		value("last byte of a long value", long, long[:999]+"y"),
		value("length of a long value", long, long[:999]),
		key("last byte of a long key", long, long[:999]+"y"),
		{"last of 20 values", twenty, with(twenty, "key 19", "another")},
		{"last of 20 keys", twenty, renamed},
		{"21st pair", twenty, with(twenty, "key 20", "value 20")},
	}
}

// join is what may stand within and between pairs that are put into one text.
type join struct{ is, between string }

func joins() []join {
	return []join{
		{"", ""},
		{"=", ","},
		{"=", "&"},
		{"=", ";"},
		{"=", " "},
		{"=", "\n"},
		{"=", "\x00"},
		{":", ","},
		{":", ";"},
		{":", "\n"},
		{": ", ", "},
		{": ", "\r\n"},
		{",", ","},
		{"|", "|"},
		{"\n", "\n"},
		{"\x00", "\x00"},
		{`":"`, `","`},
		{`": "`, `", "`},
		{`="`, `",`},
	}
}

func wrongContext(t testing.TB, h Harness) {
	refused := func(w kms.Wrapped, ec kms.Context) {
		t.Helper()
		refuses(t, h.Driver, w, ec, kms.ErrCiphertext, kms.ErrAccessDenied)
	}
	for _, twin := range allTwins() {
		t.Log(twin.name)
		refused(opened(t, h.Driver, secret(32), twin.one), twin.other)
		refused(opened(t, h.Driver, secret(32), twin.other), twin.one)
	}
	var joined []kms.Wrapped
	for _, ec := range []kms.Context{
		{"a": "1", "b": "2"},
		{"a": `1\`, "b": "2"}, // for who escapes, but not the escape
		{`a\`: `1\`, "b": "2"},
	} {
		joined = append(joined, opened(t, h.Driver, secret(32), ec))
	}
	for _, j := range joins() {
		t.Logf("pairs joined by %q and %q", j.is, j.between)
		for _, w := range joined {
			refused(w, kms.Context{"a": "1" + j.between + "b" + j.is + "2"})
			refused(w, kms.Context{"a" + j.is + "1" + j.between + "b": "2"})
		}
	}
}
