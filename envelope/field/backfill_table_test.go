package field_test

import (
	"context"
	"database/sql/driver"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/field"
)

// patient is a row that was plaintext before.
type patient struct {
	ID, Who string
	Name    field.Field[string] `seal:"name"`
	Note    field.Field[string] `seal:"note,key=tenant"`
	Age     field.Field[int64]  `seal:"age,pad=16"`
	NameEq  field.Index         `seal:"name_eq,of=name,norm=casefold/v1"`
}

func patients(t testing.TB, legacy ...string) *field.Table[patient] {
	t.Helper()
	table, err := field.NewTable("patients", field.Spec[patient]{
		Row: func(p *patient) string { return p.ID }, Subject: func(p *patient) string { return p.Who },
		Indexes: map[string]field.Plan{"name_eq": plan(t)},
	})
	require.NoError(t, err)
	if len(legacy) > 0 {
		table, err = field.Migrating(table, legacy...)
		require.NoError(t, err)
	}
	return table
}

func migratingPatients(t testing.TB) *field.Table[patient] { return patients(t, "name", "note", "age") }

// columns returns what a driver reads and writes, by column.
func (p *patient) columns() map[string]interface {
	Scan(any) error
	driver.Valuer
} {
	return map[string]interface {
		Scan(any) error
		driver.Valuer
	}{"name": scannable[string]{&p.Name}, "note": scannable[string]{&p.Note}, "age": scannable[int64]{&p.Age}, "name_eq": scannableIndex{&p.NameEq}}
}

type scannable[T any] struct{ *field.Field[T] }

func (s scannable[T]) Value() (driver.Value, error) { return s.Field.Value() }

type scannableIndex struct{ *field.Index }

func (s scannableIndex) Value() (driver.Value, error) { return s.Index.Value() }

// stored is a table in memory: values by row and column, of types that drivers hand over.
type stored struct {
	rows   map[string]map[string]any
	writes int // rows written
	calls  int // of batch

	before, after func(call int) error // the commit
}

// scan returns a row as it is read. Every person is named after the row.
func (s *stored) scan(id string) (*patient, error) {
	p := &patient{ID: id, Who: "person-" + id}
	for column, to := range p.columns() {
		if v, ok := s.rows[id][column]; ok {
			if err := to.Scan(v); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// batch is a field.Batch.
func (s *stored) batch(_ context.Context, after string, limit int, each func(*patient) ([]string, error)) (last string, err error) {
	changed := map[string]map[string]any{}
	s.calls++
	for _, id := range slices.Sorted(maps.Keys(s.rows)) {
		if id <= after {
			continue
		}
		if limit--; limit < 0 {
			break
		}
		p, err := s.scan(id)
		if err != nil {
			return "", err
		}
		columns, err := each(p)
		if err != nil {
			return "", err
		}
		for _, column := range columns {
			v, err := p.columns()[column].Value()
			if err != nil {
				return "", err
			}
			if changed[id] == nil {
				changed[id] = maps.Clone(s.rows[id])
			}
			changed[id][column] = v
		}
		last = id
	}
	if s.before != nil {
		if err := s.before(s.calls); err != nil {
			return "", err
		}
	}
	maps.Copy(s.rows, changed)
	s.writes += len(changed)
	if s.after != nil {
		return last, s.after(s.calls)
	}
	return last, nil
}

// read opens a row.
func (s *stored) read(t testing.TB, table *field.Table[patient], acme envelope.Tenant, id string) (*patient, error) {
	t.Helper()
	p, err := s.scan(id)
	require.NoError(t, err)
	return p, table.Open(t.Context(), acme, p)
}

// put seals a row and stores it.
func (s *stored) put(t testing.TB, table *field.Table[patient], acme envelope.Tenant, id, name, note string, age int64) {
	t.Helper()
	p := patient{ID: id, Who: "person-" + id, Name: field.Of(name), Note: field.Of(note), Age: field.Of(age)}
	require.NoError(t, table.Seal(t.Context(), acme, &p))
	s.rows[id] = map[string]any{}
	for column, from := range p.columns() {
		v, err := from.Value()
		require.NoError(t, err)
		s.rows[id][column] = v
	}
}

func plainRow(name, note, age any) map[string]any {
	return map[string]any{"name": name, "note": note, "age": age, "name_eq": nil}
}

func requirePatient(t testing.TB, p *patient, name, note string, age int64) {
	t.Helper()
	haveName, _ := p.Name.Get()
	haveNote, _ := p.Note.Get()
	haveAge, ok := p.Age.Get()
	require.True(t, ok)
	require.Equal(t, []any{name, note, age}, []any{haveName, haveNote, haveAge})
}
