package envelope

import (
	"bytes"
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
)

// seeds are the vectors without those that a mutator makes of the others at once: they would only hold it up.
func seeds(f *testing.F) []vector {
	return slices.DeleteFunc(loadVectors(f), func(v vector) bool {
		return strings.Contains(v.Name, " flip ") || strings.Contains(v.Name, " cut ") || strings.Contains(v.Name, ", byte ") || strings.Contains(v.Name, ": byte ")
	})
}

// FuzzHeader parses headers: what is accepted is written again to the same bytes.
func FuzzHeader(f *testing.F) {
	for _, v := range seeds(f) {
		f.Add(unhex(f, v.In))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		given := bytes.Clone(b)
		h, err := parseHeader(b)
		info, inspectErr := Inspect(b)
		if !bytes.Equal(given, b) {
			t.Fatal("the input was changed")
		}
		if (err == nil) != (inspectErr == nil) {
			t.Fatalf("parseHeader says %v, Inspect %v", err, inspectErr)
		}
		if err != nil {
			if c := class(err, 1); c != "format" && c != "truncated" {
				t.Fatalf("unknown error: %v", err)
			}
			return
		}
		size, err := HeaderSize(b)
		if err != nil || size != h.size || size != info.HeaderSize || h.spare != info.Spare {
			t.Fatalf("HeaderSize is %d, %v; Inspect says %+v", size, err, info)
		}
		context, err := canonical(info.Context)
		if err != nil {
			t.Fatal(err)
		}
		w := info.Wrapped[0]
		if h.wrapped.Provider == "any" {
			w = listOf(t, info.Wrapped...)
		}
		wrapped, err := w.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		again := slices.Concat(b[:prefixSize], context, wrapped, make([]byte, info.Spare), b[size-macSize:size])
		if !bytes.Equal(b[:size], again) {
			t.Fatalf("%x is written again as %x", b[:size], again)
		}
		// The writer makes the same of it, but for the MAC, which it can't know.
		built, err := buildHeader(new([32]byte), context, w, size)
		if err != nil || !bytes.Equal(built[:size-macSize], b[:size-macSize]) {
			t.Fatalf("buildHeader makes %x: %v", built, err)
		}
	})
}

// FuzzOpen opens messages whose data key it always has: only those of the vectors open.
func FuzzOpen(f *testing.F) {
	ec := kms.Context{"a": "b"}
	var d *fixed
	known := map[string]string{} // plaintext by message
	unwraps := 0
	for _, v := range seeds(f) {
		f.Add(unhex(f, v.In))
		if v.Name == "message small" {
			d = &fixed{key: unhex(f, v.DataKey), unwraps: &unwraps}
			known[string(unhex(f, v.In))] = *v.Out
		}
	}
	require.NotNil(f, d)
	s := newSealer(f, d, nil)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := s.Open(context.Background(), b, ec)
		at, errAt := openAt(s, b, ec)
		if (err == nil) != (errAt == nil) || !bytes.Equal(got, at) {
			t.Fatalf("Open says %v, NewReaderAt %v", err, errAt)
		}
		if err != nil {
			if got != nil {
				t.Fatalf("returned %x and %v", got, err)
			}
			if c := class(err, 1); c != "format" && c != "truncated" && c != "open" {
				t.Fatalf("unknown error: %v", err)
			}
			return
		}
		if want, ok := known[string(b)]; !ok || want != hex.EncodeToString(got) {
			t.Fatalf("%x opens to %x", b, got)
		}
	})
}
