package field_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/field"
)

type legacyRow[T any] struct {
	ID string
	V  field.Field[T] `seal:"v"`
}

// adopted returns what a column with plaintext from before is opened as, and, where it is, makes sure that this is also what opens once it was sealed.
func adopted[T any](t testing.TB, acme envelope.Tenant, src any) (T, error) {
	t.Helper()
	strict, err := field.NewTable("t", field.Spec[legacyRow[T]]{Row: func(r *legacyRow[T]) string { return r.ID }})
	require.NoError(t, err)
	table, err := field.Migrating(strict, "v")
	require.NoError(t, err)
	r := legacyRow[T]{ID: "r"}
	require.NoError(t, r.V.Scan(src))
	err = table.Open(t.Context(), acme, &r)
	v, ok := r.V.Get()
	require.Equal(t, err == nil, ok)
	_, refused := r.V.Value()
	require.ErrorIs(t, refused, field.ErrUnsealed)
	if err != nil {
		return v, err
	}
	require.NoError(t, table.Seal(t.Context(), acme, &r))
	record, err := r.V.Value()
	require.NoError(t, err)
	again := legacyRow[T]{ID: "r"}
	require.NoError(t, again.V.Scan(record))
	require.NoError(t, strict.Open(t.Context(), acme, &again))
	require.True(t, r.V.Equal(again.V))
	return v, nil
}

// adoption is a value of a driver's, and what it becomes.
func adoption[T any](src any, want T) func(*testing.T, envelope.Tenant) {
	return func(t *testing.T, acme envelope.Tenant) {
		got, err := adopted[T](t, acme, src)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// refusal is a value of a driver's that is no T.
func refusal[T any](src any) func(*testing.T, envelope.Tenant) {
	return func(t *testing.T, acme envelope.Tenant) {
		_, err := adopted[T](t, acme, src)
		require.ErrorIs(t, err, envelope.ErrFormat)
		if text, ok := src.(string); ok && len(text) > 3 {
			require.NotContains(t, err.Error(), text)
		}
	}
}

// legacyShelf is scanned by itself, as types of SQL programs are.
type legacyShelf struct{ n int }

func (s *legacyShelf) Scan(src any) error {
	b, ok := src.([]byte)
	if !ok || len(b) != 2 {
		return errors.New("no shelf")
	}
	first, second := b[0], b[1]
	clear(b) // it takes it for its own
	if first != 'S' {
		return errors.New("no shelf")
	}
	s.n = int(second)
	return nil
}
func (s legacyShelf) MarshalText() ([]byte, error) { return []byte{'s', byte(s.n)}, nil }
func (s *legacyShelf) UnmarshalText(b []byte) error {
	if len(b) != 2 || b[0] != 's' {
		return errors.New("no shelf")
	}
	s.n = int(b[1])
	return nil
}

// legacyForgetful does not read back what it writes.
type legacyForgetful struct{ s string }

func (f legacyForgetful) MarshalText() ([]byte, error)  { return []byte(f.s), nil }
func (f *legacyForgetful) UnmarshalText(b []byte) error { f.s += "x" + string(b); return nil }

type legacyColour int8

// legacyAddress is JSON.
type legacyAddress struct{ City string }

func (a legacyAddress) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"city": a.City})
}

func (a *legacyAddress) UnmarshalJSON(b []byte) error {
	var m map[string]string
	err := json.Unmarshal(b, &m)
	a.City = m["city"]
	return err
}

func TestLegacy(t *testing.T) {
	acme := envelopetest.New(t, nil).Tenant("acme")
	at := time.Date(2024, 2, 29, 13, 14, 15, 123456000, time.UTC)
	zoned := time.Date(2024, 2, 29, 13, 14, 15, 0, time.FixedZone("", 5*3600+1800))
	day := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]func(*testing.T, envelope.Tenant){
		"string":             adoption("Ada", "Ada"),
		"string of bytes":    adoption([]byte("Ada"), "Ada"),
		"empty string":       adoption("", ""),
		"empty bytes":        adoption([]byte{}, ""),
		"backslash":          adoption(`\Ada`, `\Ada`),
		"odd hex":            adoption(`\x1`, `\x1`),
		"hex in bytes":       adoption([]byte(`\x4142`), `\x4142`),
		"hex in text":        refusal[string](`\x4142`), // text, or the bytes AB
		"record in hex":      refusal[string]([]byte(`\xF501`)),
		"no UTF-8":           refusal[string]([]byte{'a', 0xff}),
		"string of a number": refusal[string](int64(7)),
		"named string":       adoption("x", named("x")),
		"bytes":              adoption([]byte{1, 0xff}, []byte{1, 0xff}),
		"bytes of text":      adoption("ab", []byte("ab")),
		"bytes of a number":  refusal[[]byte](int64(7)),
		"raw JSON":           adoption([]byte(`{"a":1}`), json.RawMessage(`{"a":1}`)),

		"bool":             adoption(true, true),
		"bool 1":           adoption(int64(1), true),
		"bool 0":           adoption(int64(0), false),
		"bool t":           adoption("t", true),
		"bool f":           adoption([]byte("f"), false),
		"bool true":        adoption("true", true),
		"bool false":       adoption("false", false),
		"bool text 1":      adoption("1", true),
		"bool 2":           refusal[bool](int64(2)),
		"bool yes":         refusal[bool]("yes"),
		"bool of nothing":  refusal[bool](""),
		"bool of a float":  refusal[bool](1.0),
		"int":              adoption(int64(-7), -7),
		"int text":         adoption("-7", int64(-7)),
		"int bytes":        adoption([]byte("9223372036854775807"), int64(math.MaxInt64)),
		"int8":             adoption(int64(127), legacyColour(127)),
		"int8 over":        refusal[legacyColour](int64(128)),
		"int8 text over":   refusal[int8]("-129"),
		"int64 over":       refusal[int64]("9223372036854775808"),
		"int of a float":   refusal[int](1.5),
		"int of nothing":   refusal[int](""),
		"int with a space": refusal[int](" 1"),
		"int of a bool":    refusal[int](true),
		"uint":             adoption(int64(7), uint16(7)),
		"uint64 text":      adoption("18446744073709551615", uint64(math.MaxUint64)),
		"uint under":       refusal[uint](int64(-1)),
		"uint8 over":       refusal[uint8](int64(256)),
		"uint text under":  refusal[uint]("-1"),
		"float":            adoption(1.1, 1.1),
		"float text":       adoption("1.1", 1.1),
		"float of an int":  adoption(int64(3), 3.0),
		"float inf":        adoption("-Infinity", math.Inf(-1)),
		"float over":       refusal[float64]("1e400"),
		"float big int":    refusal[float64](int64(1<<53 + 1)),
		"float32":          adoption(0.5, float32(0.5)),
		"float32 text":     adoption("1.1", float32(1.1)),
		"float32 inexact":  refusal[float32](1.1),
		"float32 over":     refusal[float32]("1e39"),
		"float of text":    refusal[float64]("x"),

		"time":                adoption(at, at),
		"RFC 3339":            adoption("2024-02-29T13:14:15.123456Z", at),
		"RFC 3339 zone":       adoption("2024-02-29T13:14:15+05:30", zoned),
		"timestamptz":         adoption([]byte("2024-02-29 13:14:15.123456+00"), at),
		"timestamptz zone":    adoption("2024-02-29 13:14:15+05:30", zoned),
		"timestamptz seconds": adoption("2024-02-29 13:14:15+05:30:00", zoned),
		"timestamp":           adoption("2024-02-29 13:14:15.123456", at),
		"date":                adoption("2024-02-29", day),
		"minutes":             adoption("2024-02-29T00:00", day),
		"time.String":         adoption("2024-02-29 13:14:15.123456 +0000 UTC m=+0.1", at),
		"modernc.org/sqlite":  adoption("2024-02-29 13:14:15 +0530 IST", zoned),
		"no such day":         refusal[time.Time]("2023-02-29"),
		"infinity":            refusal[time.Time]("infinity"),
		"BC":                  refusal[time.Time]("0044-03-15 BC"),
		"Unix time":           refusal[time.Time](int64(1709212455)),

		"text":              adoption("10.0.0.1", netip.MustParseAddr("10.0.0.1")),
		"text in bytes":     adoption([]byte("::1"), netip.MustParseAddr("::1")),
		"binary":            adoption([]byte{10, 0, 0, 1}, netip.MustParseAddr("10.0.0.1")),
		"no address":        refusal[netip.Addr]("10.0.0.256"),
		"IP of bytes":       adoption([]byte{10, 0, 0, 1}, net.IPv4(10, 0, 0, 1)),
		"big.Int text":      adoption("123456789012345678901234567890", *mustBig("123456789012345678901234567890")),
		"big.Int of an int": adoption(int64(-5), *big.NewInt(-5)),
		"level of a number": adoption(int64(8), slog.LevelError),
		"level of text":     adoption("INFO", slog.LevelInfo),
		"level of digits":   adoption("8", slog.LevelError),
		"JSON":              adoption(`{"city":"Paris"}`, legacyAddress{"Paris"}),
		"no JSON":           refusal[legacyAddress](`{"city":`),
		"JSON of a number":  refusal[legacyAddress](int64(7)),
		"not scanned":       adoption([]byte{'s', 7}, legacyShelf{7}),
		"scanned":           adoption([]byte{'S', 7}, legacyShelf{7}),
		"does not come back": func(t *testing.T, acme envelope.Tenant) {
			_, err := adopted[legacyForgetful](t, acme, "abc")
			require.ErrorIs(t, err, envelope.ErrFormat)
		},
	} {
		t.Run(name, func(t *testing.T) { test(t, acme) })
	}
}

func mustBig(s string) *big.Int {
	n, _ := new(big.Int).SetString(s, 10)
	return n
}

// FuzzLegacy: whatever a column holds is read back as it was adopted, or refused with an error that does not have it.
func FuzzLegacy(f *testing.F) {
	for _, seed := range []string{"", "a", "7", "-7", "1.5", "true", "2024-02-29", "2024-02-29 13:14:15+05:30", "10.0.0.1", `{"city":"Paris"}`, `\x41`, `\xf5`, "\xf5", "\xff", "NaN", "0001-01-01 00:00:00 m="} {
		f.Add([]byte(seed))
	}
	acme := envelopetest.New(f, nil).Tenant("acme")
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, src := range []any{b, string(b)} {
			if src, ok := src.([]byte); ok && (len(src) == 0 || src == nil) {
				continue
			}
			if strings.HasPrefix(string(b), "\xf5") || strings.HasPrefix(strings.ToLower(string(b)), `\xf5`) {
				continue // a record, or half of one
			}
			fuzzLegacy[string](t, acme, src)
			fuzzLegacy[[]byte](t, acme, src)
			fuzzLegacy[bool](t, acme, src)
			fuzzLegacy[int8](t, acme, src)
			fuzzLegacy[uint64](t, acme, src)
			fuzzLegacy[float32](t, acme, src)
			fuzzLegacy[time.Time](t, acme, src)
			fuzzLegacy[netip.Addr](t, acme, src)
			fuzzLegacy[big.Int](t, acme, src)
			fuzzLegacy[legacyAddress](t, acme, src)
		}
	})
}

func fuzzLegacy[T any](t *testing.T, acme envelope.Tenant, src any) {
	if _, err := adopted[T](t, acme, src); err != nil {
		require.ErrorIs(t, err, envelope.ErrFormat)
	}
}
