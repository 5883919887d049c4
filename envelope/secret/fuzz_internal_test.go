package secret

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/internal/vectors"
	"github.com/holdfast-go/holdfast/kms"
)

// FuzzParseText parses sealed texts: what parses is written in one way only.
func FuzzParseText(f *testing.F) {
	for _, v := range vectors.Load(f, "testdata/enc.json") {
		f.Add(string(vectors.Unhex(f, v.In)))
	}
	for _, s := range []string{"", "enc:", "enc:v1:", "enc:v1:9Q", "enc:v1:9R", "enc:v1:9Q==", "enc:v2:9Q", "enc:v:", "enc:v1:9Q\n9Q", "enc:v1:-_+/", "hunter2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		record, err := parse(s)
		switch {
		case err == nil:
			if back := prefix + encoding().EncodeToString(record); back != s {
				t.Fatalf("%q is also %q", s, back)
			}
			if len(s) > maxSealed {
				t.Fatalf("%d bytes", len(s))
			}
		case record != nil:
			t.Fatal("bytes and an error")
		case errors.Is(err, ErrNotSealed) == strings.HasPrefix(s, anyPrefix) || errors.Is(err, ErrNotSealed) == errors.Is(err, envelope.ErrFormat):
			t.Fatalf("%q: %v", s, err)
		case len(s) > 24 && strings.Contains(err.Error(), s[7:]):
			t.Fatal("the error repeats the text")
		}
	})
}

// FuzzTag parses tags: what passes is written in one way only, and names a place.
func FuzzTag(f *testing.F) {
	for _, s := range []string{"", "-", "db", "db,optional", "primary/db", "-,optional", ",optional", "db,", "db,optional,", "db,Optional", "DB", "d b", "a//b", "/", "é", `"`, `\`, strings.Repeat("x", 256)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseTag(reflect.StructTag("json:\"a\" " + tagKey + ":" + strconv.Quote(s)))
		if err != nil {
			if !errors.Is(err, kms.ErrInvalid) || got != (tag{}) {
				t.Fatalf("%+v, %v", got, err)
			}
			return
		}
		back := got.name
		if got.optional {
			back += ",optional"
		}
		if got.skip {
			back += "-"
		}
		if back != s {
			t.Fatalf("%q is also %q", s, back)
		}
		if !got.skip && checkPlace(got.name) != nil {
			t.Fatalf("%q is no place", got.name)
		}
	})
}
