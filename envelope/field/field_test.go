package field_test

import (
	"bytes"
	"database/sql/driver"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/internal/canary"
)

func TestValueRefusesPlaintext(t *testing.T) {
	for name, v := range map[string]driver.Valuer{
		"unset":       field.Field[string]{},
		"value":       field.Of("ada@example.com"),
		"empty value": field.Of(""),
		"unset index": field.Index{},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := driver.DefaultParameterConverter.ConvertValue(v)
			require.ErrorIs(t, err, field.ErrUnsealed)
			require.Nil(t, got)
			_, err = json.Marshal(v)
			require.ErrorIs(t, err, field.ErrUnsealed)
		})
	}
	got, err := field.Null[string]().Value()
	require.NoError(t, err)
	require.Nil(t, got)
}

// TestScan: nothing that a driver hands over is an error, and nothing but a record is taken for one.
func TestScan(t *testing.T) {
	record := append([]byte{0xf5}, bytes.Repeat([]byte{7}, 60)...)
	for name, tt := range map[string]struct {
		src  any
		want string
	}{
		"NULL":         {nil, "[null]"},
		"record":       {record, "[sealed]"},
		"string":       {string(record), "[sealed]"},
		"text form":    {fmt.Sprintf(`\x%x`, record), "[sealed]"},
		"plaintext":    {[]byte("ada@example.com"), "[foreign]"},
		"text":         {"ada@example.com", "[foreign]"},
		"empty":        {[]byte{}, "[foreign]"},
		"empty, nil":   {[]byte(nil), "[foreign]"},
		"number":       {int64(7), "[foreign]"},
		"time":         {time.Now(), "[foreign]"},
		"short record": {record[:3], "[sealed]"},
	} {
		t.Run(name, func(t *testing.T) {
			f := field.Of("before")
			require.NoError(t, f.Scan(tt.src))
			require.Equal(t, tt.want, f.String())
			_, ok := f.Get()
			require.False(t, ok)
			v, err := f.Value()
			switch tt.want {
			case "[sealed]":
				require.NoError(t, err)
				require.Equal(t, record[:len(v.([]byte))], v)
			case "[null]":
				require.NoError(t, err)
				require.Nil(t, v)
			default:
				require.ErrorIs(t, err, field.ErrUnsealed, "what is no record is not written back either")
			}
		})
	}
	own := bytes.Clone(record)
	var f field.Field[string]
	require.NoError(t, f.Scan(own))
	own[5] ^= 1 // the driver uses its buffer again
	v, err := f.Value()
	require.NoError(t, err)
	require.Equal(t, record, v)
}

func TestEqual(t *testing.T) {
	var unset field.Field[string]
	require.True(t, field.Of("a").Equal(field.Of("a")))
	require.False(t, field.Of("a").Equal(field.Of("b")))
	require.False(t, field.Of("").Equal(field.Null[string]()))
	require.True(t, field.Null[string]().Equal(field.Null[string]()))
	require.True(t, unset.Equal(field.Field[string]{}))
	require.False(t, unset.Equal(field.Null[string]()))
	now := time.Now()
	require.True(t, field.Of(now).Equal(field.Of(now.UTC())), "as time.Time compares")
	require.True(t, field.Of([]byte{1}).Equal(field.Of([]byte{1})))
	require.True(t, field.Of(netip.MustParseAddr("::1")).Equal(field.Of(netip.MustParseAddr("::1"))))
	require.False(t, field.Of(1.5).Equal(field.Of(2.5)))
	require.False(t, reflect.DeepEqual(field.Of("a"), field.Of("a")), "which the doc says")
}

// TestIndexForms: an Index goes through drivers and JSON as it is.
func TestIndexForms(t *testing.T) {
	var x, y field.Index
	require.True(t, x.Equal(y))
	require.NoError(t, x.Scan([]byte{1, 2}))
	require.NoError(t, y.Scan(`\x0102`))
	require.True(t, x.Equal(y))
	v, err := x.Value()
	require.NoError(t, err)
	require.Equal(t, []byte{1, 2}, v)
	b, err := json.Marshal(x)
	require.NoError(t, err)
	var z field.Index
	require.NoError(t, json.Unmarshal(b, &z))
	require.True(t, x.Equal(z))
	require.NoError(t, z.Scan(nil))
	require.True(t, z.IsNull())
	require.False(t, x.Equal(z))
	odd := x
	require.NoError(t, odd.Scan(int64(1)), "it breaks no page")
	_, err = odd.Value()
	require.ErrorIs(t, err, field.ErrUnsealed, "and is not written back")
	_, err = json.Marshal(odd)
	require.ErrorIs(t, err, field.ErrUnsealed)
	require.Equal(t, "[index] [null]", fmt.Sprintf("%+v %#v", x, z))
}

type vault struct {
	ID    string
	Token field.Field[string] `seal:"token"`
	Bytes field.Field[[]byte] `seal:"bytes"`
	Named field.Field[named]  `seal:"named"`
}

type named string

func (v *vault) row() string { return v.ID }

// TestRedacted: no printer, logger, encoder or dumper shows a value, held in whatever way, before and after it is sealed and opened.
func TestRedacted(t *testing.T) {
	secret := string(canary.Bytes())
	table, err := field.NewTable("vault", field.Spec[vault]{Row: (*vault).row})
	require.NoError(t, err)
	acme := envelopetest.New(t, nil).Tenant("acme")
	row := vault{"r1", field.Of(secret), field.Of([]byte(secret)), field.Of(named(secret))}
	unsealed := row
	require.NoError(t, table.Seal(t.Context(), acme, &row))
	sealed := row
	var scanned vault
	scanned.ID = "r1"
	for _, pair := range []struct {
		from driver.Valuer
		to   interface{ Scan(any) error }
	}{{row.Token, &scanned.Token}, {row.Bytes, &scanned.Bytes}, {row.Named, &scanned.Named}} {
		v, err := pair.from.Value()
		require.NoError(t, err)
		require.NoError(t, pair.to.Scan(v))
	}
	opened := scanned
	require.NoError(t, table.Open(t.Context(), acme, &opened))
	v, ok := opened.Named.Get()
	require.True(t, ok)
	require.Equal(t, secret, string(v))
	for _, row := range []vault{sealed, scanned, opened} {
		canary.RequireRedacted(t, canary.Holders(&row))
		canary.RequireRedacted(t, canary.Holders(&row.Token))
		canary.RequireRedacted(t, canary.Holders(&row.Bytes))
	}
	// What is not sealed does not become JSON at all, and shows in nothing else.
	for name, v := range canary.Holders(&unsealed) {
		_, err := json.Marshal(v)
		if err != nil { // Holder has an error in some of them, which JSON does not enter
			require.ErrorIs(t, err, field.ErrUnsealed)
			require.Empty(t, canary.Leaks(err.Error()))
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("message", "k", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("message", "k", v)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&log, verb, v)
		}
		var f failure
		require.False(t, assert.Equal(&f, "another", v))
		require.Empty(t, canary.Leaks(log.String()+f.text), name)
	}
	// A legacy value that was scanned is plaintext too.
	var foreign field.Field[string]
	require.NoError(t, foreign.Scan(secret))
	err = table.Open(t.Context(), acme, &vault{ID: "r1", Token: foreign})
	require.Error(t, err)
	require.Empty(t, canary.Leaks(fmt.Sprintf("%+v %#v %v", foreign, &foreign, err)))
	var f failure
	require.False(t, assert.Equal(&f, "another", foreign))
	require.Empty(t, canary.Leaks(f.text))
}

type failure struct{ text string }

func (f *failure) Errorf(format string, args ...any) { f.text += fmt.Sprintf(format, args...) }

// TestJSON: what is sealed goes through a cache and back, and plaintext does not come in that way.
func TestJSON(t *testing.T) {
	table, err := field.NewTable("vault", field.Spec[vault]{Row: (*vault).row})
	require.NoError(t, err)
	acme := envelopetest.New(t, nil).Tenant("acme")
	row := vault{"r1", field.Of("tok"), field.Null[[]byte](), field.Of(named("n"))}
	require.NoError(t, table.Seal(t.Context(), acme, &row))
	b, err := json.Marshal(row)
	require.NoError(t, err)
	var back vault
	require.NoError(t, json.Unmarshal(b, &back))
	require.NoError(t, table.Open(t.Context(), acme, &back))
	v, ok := back.Token.Get()
	require.True(t, ok)
	require.Equal(t, "tok", v)
	require.True(t, back.Bytes.IsNull())
	for _, text := range []string{`"tok"`, `"dG9r"`, `7`, `""`, `{}`, `[1]`} {
		var f field.Field[string]
		require.Error(t, json.Unmarshal([]byte(text), &f), text)
		require.Equal(t, "[unset]", f.String())
	}
}

// TestMarshalErrors: what a type says when it can't marshal itself may hold the value, and is not passed on.
func TestMarshalErrors(t *testing.T) {
	type row struct {
		ID string
		F  field.Field[talkative] `seal:"f"`
	}
	table, err := field.NewTable("t", field.Spec[row]{Row: func(r *row) string { return r.ID }})
	require.NoError(t, err)
	acme := envelopetest.New(t, nil).Tenant("acme")
	err = table.Seal(t.Context(), acme, &row{"r", field.Of(talkative("tell-tale"))})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "tell-tale")
	good := row{"r", field.Of(talkative("fine"))}
	require.NoError(t, table.Seal(t.Context(), acme, &good))
	v, err := good.F.Value()
	require.NoError(t, err)
	scanned := row{ID: "r"}
	require.NoError(t, scanned.F.Scan(v))
	err = table.Open(t.Context(), acme, &scanned)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "fine")
}

type talkative string

func (s talkative) MarshalText() ([]byte, error) {
	if strings.HasPrefix(string(s), "tell") {
		return nil, errors.New(string(s))
	}
	return []byte(s), nil
}

func (s *talkative) UnmarshalText(b []byte) error { return errors.New(string(b)) }

// TestText: encoders that know no JSON, such as those of XML, take what is sealed, and lose nothing.
func TestText(t *testing.T) {
	type doc struct {
		Token field.Field[string]
		Bytes field.Field[[]byte]
		Index field.Index
	}
	table, err := field.NewTable("vault", field.Spec[vault]{Row: (*vault).row})
	require.NoError(t, err)
	acme := envelopetest.New(t, nil).Tenant("acme")
	row := vault{"r1", field.Of("tok"), field.Null[[]byte](), field.Of(named("n"))}
	_, err = xml.Marshal(doc{Token: row.Token})
	require.ErrorIs(t, err, field.ErrUnsealed)
	require.NoError(t, table.Seal(t.Context(), acme, &row))
	var index field.Index
	require.NoError(t, index.Scan([]byte{1, 2}))
	b, err := xml.Marshal(doc{row.Token, row.Bytes, index})
	require.NoError(t, err)
	var back doc
	require.NoError(t, xml.Unmarshal(b, &back))
	require.True(t, back.Bytes.IsNull())
	require.True(t, back.Index.Equal(index))
	opened := vault{ID: "r1", Token: back.Token}
	require.NoError(t, table.Open(t.Context(), acme, &opened))
	require.True(t, opened.Token.Equal(row.Token))
	require.Error(t, xml.Unmarshal([]byte("<doc><Token>dG9r</Token></doc>"), &back), "no plaintext comes in")
}
