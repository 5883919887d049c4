package envelope

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/internal/vectors"
)

// FuzzParseRow reads rows of every kind: what is accepted is written again to what is read as the same.
func FuzzParseRow(f *testing.F) {
	seen := map[string]bool{}
	for _, v := range vectors.Load(f, "testdata/keyring.json") {
		if v.Stored == nil || strings.Contains(v.Name, " with byte ") {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(v.Rows)) {
			if value := v.Rows[name]; !seen[name+value] {
				seen[name+value] = true
				f.Add(name, []byte(value))
			}
		}
	}
	f.Add("tenant/acme/", []byte(`{"format":1,"state":"erasing","since":"2026-01-01T00:00:00Z","erasure":{"requested":"2026-01-01T00:00:00+14:00"}}`))
	f.Add("fleet", []byte(`{"format":1,"deployment":"prod-eu","cache_ttl_ms":300001}`))
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		row := Row{Key: name, Value: value, Revision: 1}
		given := bytes.Clone(value)
		roundTrip(t, row, new(head))
		roundTrip(t, row, new(keyRow))
		roundTrip(t, row, new(idRow))
		roundTrip(t, row, new(fleet))
		scope := name[:strings.LastIndexByte(strings.TrimRight(name, "0123456789/"), '/')+1]
		for _, prefix := range []string{name, scope} {
			s := stored{prefix: prefix}
			if err := s.parse([]Row{row}); err != nil && !errors.Is(err, ErrFormat) {
				t.Fatalf("unknown error: %v", err)
			}
			for _, err := range s.broken {
				if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrOpen) {
					t.Fatalf("unknown error: %v", err)
				}
			}
			for _, k := range s.keys {
				if versionName(prefix, k.Kind, k.Version) != name || s.latest(k.Kind) != k.Version {
					t.Fatalf("row %q is taken for version %d of %q", name, k.Version, k.Kind)
				}
				if _, err := k.wrapped(); err != nil && !errors.Is(err, ErrFormat) {
					t.Fatalf("unknown error: %v", err)
				}
			}
		}
		if !bytes.Equal(given, value) {
			t.Fatal("the input was changed")
		}
	})
}

// roundTrip reads a row into v, which is zero, and what v is written to into another.
func roundTrip[T any](t *testing.T, row Row, v *T) {
	if err := decodeRow(row, v); err != nil {
		if !errors.Is(err, ErrFormat) {
			t.Fatalf("unknown error: %v", err)
		}
		return
	}
	row.Value = encodeRow(v)
	again := new(T)
	if err := decodeRow(row, again); err != nil {
		t.Fatalf("%s is written but not read: %v", row.Value, err)
	}
	if got := encodeRow(again); !bytes.Equal(got, row.Value) {
		t.Fatalf("%s is written again as %s", row.Value, got)
	}
}
