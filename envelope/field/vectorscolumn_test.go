package field_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/internal/vectors"
)

// columnReaders open a column with each type of Field, and return the value as FORMAT.md section 10 has it, without padding.
var columnReaders = []func(o *vectorOpener, v vectors.Vector) ([]byte, error){
	columnAs(1, func(s string) []byte { return []byte(s) }),
	columnAs(2, func(b []byte) []byte { return b }),
	columnAs(3, func(b bool) []byte {
		if b {
			return []byte{1}
		}
		return []byte{0}
	}),
	columnAs(4, func(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }),
	columnAs(5, func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }),
	columnAs(6, func(f float64) []byte { return binary.BigEndian.AppendUint64(nil, math.Float64bits(f)) }),
	columnAs(7, func(v time.Time) []byte {
		_, east := v.Zone()
		b := binary.BigEndian.AppendUint64(nil, uint64(v.Unix()))
		b = binary.BigEndian.AppendUint32(b, uint32(v.Nanosecond()))
		return binary.BigEndian.AppendUint32(b, uint32(east))
	}),
	columnAs(8, func(v ownBinary) []byte { return v.b }),
	columnAs(9, func(v ownText) []byte { return v.b }),
	columnAs(10, func(v ownJSON) []byte { return v.b }),
}

// Types that an application might have, each with one way to marshal itself.
type (
	ownBinary struct{ b []byte }
	ownText   struct{ b []byte }
	ownJSON   struct{ b []byte }
)

func (v ownBinary) MarshalBinary() ([]byte, error) { return v.b, nil }
func (v ownText) MarshalText() ([]byte, error)     { return v.b, nil }
func (v ownJSON) MarshalJSON() ([]byte, error)     { return v.b, nil }

func (v *ownBinary) UnmarshalBinary(b []byte) error { v.b = bytes.Clone(b); return nil }
func (v *ownText) UnmarshalText(b []byte) error     { v.b = bytes.Clone(b); return nil }
func (v *ownJSON) UnmarshalJSON(b []byte) error     { v.b = bytes.Clone(b); return nil }

// columned is the row of the tables that columns of a tenant are of.
type columned[T any] struct {
	ID    string
	Value field.Field[T] `seal:"value"`
	Other field.Field[T] `seal:"other"`
}

// columnAs returns a reader of Field[T], whose values are of a type and have a body.
func columnAs[T any](kind byte, body func(T) []byte) func(o *vectorOpener, v vectors.Vector) ([]byte, error) {
	return func(o *vectorOpener, v vectors.Vector) ([]byte, error) {
		tn, parts := o.tenant(v), o.parts(v)
		require.Len(o.t, parts, 3)
		table, err := field.NewTable(parts[0], field.Spec[columned[T]]{Row: func(r *columned[T]) string { return r.ID }})
		require.NoError(o.t, err)
		row := columned[T]{ID: parts[2]}
		f := map[string]*field.Field[T]{"value": &row.Value, "other": &row.Other}[parts[1]]
		value, err := vectorOpen(o.t, table, tn, &row, f, v)
		if err != nil {
			return nil, err
		}
		out := append([]byte{kind}, body(value)...)
		require.Equal(o.t, out, resealed(o.t, table, tn, &row, f, func(record []byte) ([]byte, error) {
			return tn.Open(o.t.Context(), record, envelope.Bind(parts...))
		}))
		return out, nil
	}
}

// ofSubject opens a column of text that its subject's key seals, and that is bound to the subject where two parts say so.
func (o *vectorOpener) ofSubject(v vectors.Vector) ([]byte, error) {
	type owned struct {
		ID, Who string
		Own     field.Field[string] `seal:"own,bind=subject"`
		Value   field.Field[string] `seal:"value"`
	}
	tn, parts := o.tenant(v), append(o.parts(v), "")
	table, err := field.NewTable(parts[0], field.Spec[owned]{Row: func(r *owned) string { return r.ID }, Subject: func(r *owned) string { return r.Who }})
	require.NoError(o.t, err)
	row := owned{ID: parts[2], Who: v.Subject}
	f := map[string]*field.Field[string]{"value": &row.Value, "own": &row.Own}[parts[1]]
	value, err := vectorOpen(o.t, table, tn, &row, f, v)
	if err != nil {
		return nil, err
	}
	out := append([]byte{1}, value...)
	require.Equal(o.t, out, resealed(o.t, table, tn, &row, f, func(record []byte) ([]byte, error) {
		return tn.Subject(v.Subject).Open(o.t.Context(), record, envelope.Bind(o.parts(v)...))
	}))
	return out, nil
}

// vectorOpen scans a vector's input into f, which is of the row, and opens the row.
func vectorOpen[R, T any](t testing.TB, table *field.Table[R], tn envelope.Tenant, row *R, f *field.Field[T], v vectors.Vector) (T, error) {
	t.Helper()
	require.NotNil(t, f)
	require.NoError(t, f.ScanBytes(vectors.Unhex(t, v.In)))
	err := table.Open(t.Context(), tn, row)
	value, ok := f.Get()
	require.Equal(t, err == nil, ok)
	return value, err
}

// resealed seals the row again, and returns the plaintext of what f became.
func resealed[R, T any](t testing.TB, table *field.Table[R], tn envelope.Tenant, row *R, f *field.Field[T], open func([]byte) ([]byte, error)) []byte {
	t.Helper()
	require.NoError(t, table.Seal(t.Context(), tn, row))
	record, err := f.Value()
	require.NoError(t, err)
	plaintext, err := open(record.([]byte))
	require.NoError(t, err)
	return plaintext
}
