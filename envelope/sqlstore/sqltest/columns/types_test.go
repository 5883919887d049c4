package columns

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/field"
)

// every has a column of every kind of type.
type every struct {
	ID     string
	Text   field.Field[string]        `seal:"c_text"`
	Bytes  field.Field[[]byte]        `seal:"c_bytes"`
	Bool   field.Field[bool]          `seal:"c_bool"`
	Int8   field.Field[int8]          `seal:"c_int8"`
	Int64  field.Field[int64]         `seal:"c_int64"`
	Uint64 field.Field[uint64]        `seal:"c_uint64"`
	Float  field.Field[float64]       `seal:"c_float"`
	Time   field.Field[time.Time]     `seal:"c_time"`
	Span   field.Field[time.Duration] `seal:"c_span"`
	Addr   field.Field[netip.Addr]    `seal:"c_addr"`         // marshals itself to binary
	Mood   field.Field[mood]          `seal:"c_mood"`         // to text
	Spot   field.Field[spot]          `seal:"c_spot"`         // to JSON
	Big    field.Field[big.Int]       `seal:"c_big"`          // to text, by pointer
	Padded field.Field[string]        `seal:"c_pad,pad=4096"` // longer than what a page of a database takes inline
	Eq     field.Index                `seal:"c_eq,of=c_text"`
}

type mood string

func (m mood) MarshalText() ([]byte, error) { return []byte(strings.ToUpper(string(m))), nil }

func (m *mood) UnmarshalText(b []byte) error { *m = mood(strings.ToLower(string(b))); return nil }

type spot struct{ x, y int64 }

func (s spot) MarshalJSON() ([]byte, error) { return json.Marshal([2]int64{s.x, s.y}) }

func (s *spot) UnmarshalJSON(b []byte) error {
	var xy [2]int64
	if err := json.Unmarshal(b, &xy); err != nil {
		return errors.New("no spot")
	}
	*s = spot{xy[0], xy[1]}
	return nil
}

var everyColumn = []string{"c_text", "c_bytes", "c_bool", "c_int8", "c_int64", "c_uint64", "c_float", "c_time", "c_span", "c_addr", "c_mood", "c_spot", "c_big", "c_pad", "c_eq"}

func (e *every) row() string { return e.ID }

func (e *every) values() []any {
	return []any{e.ID, e.Text, e.Bytes, e.Bool, e.Int8, e.Int64, e.Uint64, e.Float, e.Time, e.Span, e.Addr, e.Mood, e.Spot, e.Big, e.Padded, e.Eq}
}

func (e *every) pointers() []any {
	return []any{&e.ID, &e.Text, &e.Bytes, &e.Bool, &e.Int8, &e.Int64, &e.Uint64, &e.Float, &e.Time, &e.Span, &e.Addr, &e.Mood, &e.Spot, &e.Big, &e.Padded, &e.Eq}
}

func everyTable(t testing.TB) *field.Table[every] {
	t.Helper()
	table, err := field.NewTable("every", field.Spec[every]{Row: (*every).row, Indexes: map[string]field.Plan{"c_eq": plan(t)}})
	require.NoError(t, err)
	return table
}

func plan(t testing.TB) field.Plan {
	t.Helper()
	p, err := field.PlanIndex(field.Stats{Rows: 1_000_000, Unique: true})
	require.NoError(t, err)
	return p
}

// rows has a row with values, one with values that are empty, and one of NULLs.
func rows() []*every {
	at := time.Date(2026, 2, 3, 4, 5, 6, 789_000_001, time.FixedZone("", 3600))
	return []*every{
		{
			ID: "full", Text: field.Of("ada\x00\\x00 åäö"), Bytes: field.Of([]byte{0, 1, 0xf5, 0xff}), Bool: field.Of(true), Int8: field.Of(int8(-128)), Int64: field.Of(int64(math.MinInt64)),
			Uint64: field.Of(uint64(math.MaxUint64)), Float: field.Of(-math.MaxFloat64), Time: field.Of(at), Span: field.Of(time.Hour), Addr: field.Of(netip.MustParseAddr("fe80::1%eth0")),
			Mood: field.Of(mood("calm")), Spot: field.Of(spot{3, -4}), Big: field.Of(*new(big.Int).Lsh(big.NewInt(1), 200)), Padded: field.Of(strings.Repeat("x", 5000)),
		},
		{
			ID: "empty", Text: field.Of(""), Bytes: field.Of([]byte{}), Bool: field.Of(false), Int8: field.Of(int8(0)), Int64: field.Of(int64(0)), Uint64: field.Of(uint64(0)), Float: field.Of(0.0),
			Time: field.Of(time.Time{}), Span: field.Of(time.Duration(0)), Addr: field.Of(netip.Addr{}), Mood: field.Of(mood("")), Spot: field.Of(spot{}), Big: field.Of(big.Int{}), Padded: field.Of(""),
		},
		{
			ID: "null", Text: field.Null[string](), Bytes: field.Null[[]byte](), Bool: field.Null[bool](), Int8: field.Null[int8](), Int64: field.Null[int64](), Uint64: field.Null[uint64](),
			Float: field.Null[float64](), Time: field.Null[time.Time](), Span: field.Null[time.Duration](), Addr: field.Null[netip.Addr](), Mood: field.Null[mood](), Spot: field.Null[spot](),
			Big: field.Null[big.Int](), Padded: field.Null[string](),
		},
	}
}

// same fails where a column differs.
func same(t testing.TB, want, got *every) {
	t.Helper()
	require.Equal(t, want.ID, got.ID)
	for column, equal := range map[string]bool{
		"text": want.Text.Equal(got.Text), "bytes": want.Bytes.Equal(got.Bytes), "bool": want.Bool.Equal(got.Bool), "int8": want.Int8.Equal(got.Int8), "int64": want.Int64.Equal(got.Int64),
		"uint64": want.Uint64.Equal(got.Uint64), "float": want.Float.Equal(got.Float), "time": want.Time.Equal(got.Time), "span": want.Span.Equal(got.Span), "addr": want.Addr.Equal(got.Addr),
		"mood": want.Mood.Equal(got.Mood), "spot": want.Spot.Equal(got.Spot), "big": want.Big.Equal(got.Big), "padded": want.Padded.Equal(got.Padded), "index": want.Eq.Equal(got.Eq),
	} {
		require.True(t, equal, "%s of the row %s", column, want.ID)
	}
}

// TestTypes: what was written comes back, of every type, through every driver, and what is NULL is NULL for the database too.
func TestTypes(t *testing.T) {
	each(t, func(t *testing.T, c client) {
		table, acme := everyTable(t), newTenant(t)
		create(t, c, "every", everyColumn...)
		want := map[string]*every{}
		for _, row := range rows() {
			require.NoError(t, table.Seal(t.Context(), acme, row))
			must(t, c, 1, insert("every", everyColumn...), row.values()...)
			want[row.ID] = row
		}
		text := "SELECT id, " + strings.Join(everyColumn, ", ") + " FROM every"
		read := map[string]*every{}
		require.NoError(t, c.query(t.Context(), text, nil, func(scan func(...any) error) error {
			var row every
			err := scan(row.pointers()...)
			read[row.ID] = &row
			return err
		}))
		require.Len(t, read, 3)
		for id, row := range read {
			_, opened := row.Text.Get()
			require.False(t, opened, "Scan opens nothing")
			same(t, want[id], row) // by their records
			require.NoError(t, table.Open(t.Context(), acme, row))
			same(t, want[id], row) // by their values
			_, opened = row.Text.Get()
			require.Equal(t, id != "null", opened)
		}
		at, _ := read["full"].Time.Get()
		_, offset := at.Zone()
		require.Equal(t, 3600, offset)

		for _, column := range everyColumn {
			nulls := 0
			require.NoError(t, c.query(t.Context(), "SELECT id FROM every WHERE "+column+" IS NULL", nil, func(scan func(...any) error) error {
				nulls++
				return scan(new(string))
			}))
			require.Equal(t, map[bool]int{false: 1, true: 2}[column == "c_eq"], nulls, column) // what is empty has no token
		}
	})
}

// TestUnsealed: no driver takes a value that was not sealed, or was forgotten.
func TestUnsealed(t *testing.T) {
	each(t, func(t *testing.T, c client) {
		create(t, c, "every", "c_text")
		for name, v := range map[string]any{"value": field.Of("ada@example.com"), "pointer": new(field.Field[string]), "unset": field.Field[string]{}, "index": field.Index{}} {
			_, err := c.exec(t.Context(), insert("every", "c_text"), name, v)
			require.ErrorIs(t, err, field.ErrUnsealed, name)
			require.NotContains(t, err.Error(), "ada@")
		}
		must(t, c, 0, "DELETE FROM every")
	})
}
