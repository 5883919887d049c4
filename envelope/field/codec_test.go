package field_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/kms"
)

type (
	colour string
	raw    []byte
	flag   bool
	level  int8
	port   uint16
	ratio  float32
	amount struct{ cents int64 } // JSON
)

func (a amount) MarshalJSON() ([]byte, error)  { return json.Marshal(a.cents) }
func (a *amount) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &a.cents) }

type one[T any] struct {
	ID string
	V  field.Field[T] `seal:"v"`
}

func oneTable[T any](t require.TestingT) *field.Table[one[T]] {
	table, err := field.NewTable("t", field.Spec[one[T]]{Row: func(r *one[T]) string { return r.ID }})
	require.NoError(t, err)
	return table
}

// through returns the record of a value, and the value that comes back.
func through[T any](t testing.TB, tn envelope.Tenant, v T) ([]byte, field.Field[T]) {
	t.Helper()
	table := oneTable[T](t)
	row := one[T]{"r", field.Of(v)}
	require.NoError(t, table.Seal(t.Context(), tn, &row))
	record, err := row.V.Value()
	require.NoError(t, err)
	back := one[T]{ID: "r"}
	require.NoError(t, back.V.Scan(record))
	require.NoError(t, table.Open(t.Context(), tn, &back))
	require.True(t, back.V.Equal(row.V), "%T", v)
	return record.([]byte), back.V
}

// TestTypes: every type comes back as it was, and none of them reads another's.
func TestTypes(t *testing.T) {
	acme := envelopetest.New(t, nil).Tenant("acme")
	records := map[string][]byte{}
	add := func(name string, record []byte) { records[name] = record }
	check := func(name string, size int) { require.Len(t, records[name], envelope.RecordOverhead+1+size, name) }
	for _, s := range []string{"", "a", "\xff\x00", strings.Repeat("x", 5000)} {
		r, f := through(t, acme, s)
		v, _ := f.Get()
		require.Equal(t, s, v)
		add("string", r)
	}
	check("string", 5000)
	r, b := through(t, acme, []byte{})
	v, ok := b.Get()
	require.True(t, ok, "empty is not NULL")
	require.Empty(t, v)
	add("bytes", r)
	for _, v := range []bool{true, false} {
		r, _ := through(t, acme, v)
		add("bool", r)
	}
	check("bool", 1)
	for _, v := range []int64{0, -1, math.MinInt64, math.MaxInt64} {
		r, _ := through(t, acme, v)
		add("int", r)
	}
	check("int", 8)
	for _, v := range []uint64{0, math.MaxUint64} {
		r, _ := through(t, acme, v)
		add("uint", r)
	}
	for _, v := range []float64{0, math.Copysign(0, -1), math.Inf(1), math.NaN(), 0.1} {
		r, f := through(t, acme, v)
		got, _ := f.Get()
		require.Equal(t, math.Float64bits(v), math.Float64bits(got))
		add("float", r)
	}
	for _, v := range []time.Time{{}, time.Unix(-1, 999_999_999), time.Date(2026, 11, 22, 13, 14, 15, 16, time.FixedZone("x", -5*3600-1))} {
		r, f := through(t, acme, v)
		got, _ := f.Get()
		require.Equal(t, v.Format(time.RFC3339Nano), got.Format(time.RFC3339Nano))
		add("time", r)
	}
	check("time", 16)
	r, _ = through(t, acme, netip.MustParseAddr("2001:db8::1"))
	add("binary", r)
	r, _ = through(t, acme, url.URL{Scheme: "https", Host: "example.com"})
	add("url", r)
	r, _ = through(t, acme, *big.NewInt(1 << 60))
	add("text", r)
	r, _ = through(t, acme, amount{1995})
	add("json", r)
	check("json", 4)
	_, _ = through(t, acme, colour("red"))
	_, _ = through(t, acme, raw{1})
	_, _ = through(t, acme, flag(true))
	_, _ = through(t, acme, level(-128))
	_, _ = through(t, acme, port(65535))
	_, _ = through(t, acme, ratio(0.5))

	reads := map[[2]string]bool{ // what else is read by types that say themselves what they read
		{"url", "binary"}: true, {"binary", "url"}: true, {"json", "text"}: true,
	}
	for name, record := range records {
		for reader, open := range map[string]func([]byte) error{
			"string": reads1[string](t, acme), "bytes": reads1[[]byte](t, acme), "bool": reads1[bool](t, acme), "int": reads1[int64](t, acme),
			"uint": reads1[uint64](t, acme), "float": reads1[float64](t, acme), "time": reads1[time.Time](t, acme),
			"binary": reads1[netip.Addr](t, acme), "text": reads1[big.Int](t, acme), "json": reads1[amount](t, acme), "url": reads1[url.URL](t, acme),
		} {
			err := open(record)
			if name == reader {
				require.NoError(t, err, "%s by %s", name, reader)
			} else if !reads[[2]string{name, reader}] {
				require.ErrorIs(t, err, envelope.ErrFormat, "%s by %s", name, reader)
			}
		}
	}

	// Numbers of one kind read each other where they fit.
	wide, _ := through(t, acme, int64(127))
	require.NoError(t, reads1[level](t, acme)(wide))
	wide, _ = through(t, acme, int64(128))
	require.ErrorIs(t, reads1[level](t, acme)(wide), envelope.ErrFormat)
	wide, _ = through(t, acme, uint32(65536))
	require.ErrorIs(t, reads1[port](t, acme)(wide), envelope.ErrFormat)
	wide, _ = through(t, acme, 0.1)
	require.ErrorIs(t, reads1[ratio](t, acme)(wide), envelope.ErrFormat, "it would be another number")
}

// reads1 opens a record as a T.
func reads1[T any](t testing.TB, tn envelope.Tenant) func([]byte) error {
	table := oneTable[T](t)
	return func(record []byte) error {
		row := one[T]{ID: "r"}
		require.NoError(t, row.V.Scan(record))
		err := table.Open(t.Context(), tn, &row)
		v, ok := row.V.Get()
		require.Equal(t, err == nil, ok)
		if !ok {
			require.True(t, reflect.ValueOf(&v).Elem().IsZero())
		}
		return err
	}
}

type padding struct {
	ID string
	P  field.Field[string] `seal:"p,pad=32"`
	Q  field.Field[int]    `seal:"q,pad=7"`
}

// TestPad: the length of a record shows a multiple, and the value is none the longer.
func TestPad(t *testing.T) {
	acme := envelopetest.New(t, nil).Tenant("acme")
	table, err := field.NewTable("t", field.Spec[padding]{Row: func(p *padding) string { return p.ID }})
	require.NoError(t, err)
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Just("\x80"), rapid.Just("\x80\x00\x00"), rapid.StringN(28, 34, 40)).Draw(rt, "text")
		n := rapid.Int().Draw(rt, "n")
		row := padding{"r", field.Of(text), field.Of(n)}
		require.NoError(rt, table.Seal(t.Context(), acme, &row))
		p, err := row.P.Value()
		require.NoError(rt, err)
		q, err := row.Q.Value()
		require.NoError(rt, err)
		inside := len(p.([]byte)) - envelope.RecordOverhead
		require.Zero(rt, inside%32)
		require.Less(rt, inside, len(text)+2+32)
		require.Equal(rt, 14, len(q.([]byte))-envelope.RecordOverhead)
		back := padding{ID: "r"}
		require.NoError(rt, back.P.Scan(p))
		require.NoError(rt, back.Q.Scan(q))
		require.NoError(rt, table.Open(t.Context(), acme, &back))
		require.True(rt, back.P.Equal(row.P) && back.Q.Equal(row.Q))
	})
	// A column that was padded, or was not, reads what is there.
	bare, _ := through(t, acme, "x")
	row := padding{ID: "r"}
	require.NoError(t, row.P.Scan(bare))
	require.ErrorIs(t, table.Open(t.Context(), acme, &row), envelope.ErrOpen, "another column")
	require.Equal(t, "[sealed]", fmt.Sprint(row.P))
}

// TestUnreadable: what would not be read back is not sealed.
func TestUnreadable(t *testing.T) {
	acme, table := envelopetest.New(t, nil).Tenant("acme"), oneTable[json.RawMessage](t)
	for _, text := range []string{"", "not json", "{"} {
		row := one[json.RawMessage]{"r", field.Of(json.RawMessage(text))}
		require.ErrorIs(t, table.Seal(t.Context(), acme, &row), kms.ErrInvalid, text)
	}
	_, _ = through(t, acme, json.RawMessage(`{"a":1}`))
}
