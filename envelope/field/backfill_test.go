package field_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
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

// TestBackfill: plaintext is sealed, older versions are sealed again, indexes are filled, and after that there is nothing to do.
func TestBackfill(t *testing.T) {
	acme, strict, migrating := envelopetest.New(t, nil).Tenant("acme"), patients(t), migratingPatients(t)
	s := &stored{rows: map[string]map[string]any{
		"1": plainRow("Ada", []byte("note 1"), int64(36)),
		"2": plainRow([]byte("Bob"), "", []byte("7")),
		"3": plainRow(nil, nil, nil),
	}}
	s.put(t, strict, acme, "4", "Cyd", "note 4", 4)
	s.put(t, strict, acme, "5", "Dan", "note 5", 5)
	s.rows["5"]["name_eq"] = nil // as if the index were new
	s.rows["3"]["name_eq"] = []byte("of nothing")

	dry, err := migrating.Backfill(t.Context(), acme, s.batch, &field.BackfillOptions[patient]{DryRun: true})
	require.NoError(t, err)
	require.Equal(t, field.BackfillReport{Rows: 5, Sealed: 6, Indexed: 2, Last: "5"}, dry)
	require.Zero(t, s.writes)

	got, err := migrating.Backfill(t.Context(), acme, s.batch, &field.BackfillOptions[patient]{Limit: 2})
	require.NoError(t, err)
	require.Equal(t, field.BackfillReport{Rows: 5, Sealed: 6, Indexed: 4, Last: "5"}, got)
	require.Equal(t, 4, s.writes)
	require.Empty(t, migrating.Legacy()["name"], "only Open counts")
	p, err := s.read(t, strict, acme, "1")
	require.NoError(t, err)
	requirePatient(t, p, "Ada", "note 1", 36)
	p, err = s.read(t, strict, acme, "2")
	require.NoError(t, err)
	requirePatient(t, p, "Bob", "", 7)
	for _, id := range []string{"1", "2", "4", "5"} {
		p, err := s.read(t, strict, acme, id)
		require.NoError(t, err)
		name, _ := p.Name.Get()
		q, err := strict.Find(t.Context(), acme, "name", name)
		require.NoError(t, err)
		require.Equal(t, q.Terms()[0], s.rows[id]["name_eq"])
	}
	require.Nil(t, s.rows["3"]["name_eq"])

	before := s.writes
	got, err = migrating.Backfill(t.Context(), acme, s.batch, nil)
	require.NoError(t, err)
	require.Equal(t, field.BackfillReport{Rows: 5, Last: "5"}, got)
	require.Equal(t, before, s.writes, "a second run writes nothing")

	_, err = acme.Rotate(t.Context())
	require.NoError(t, err)
	_, err = acme.Subject("person-4").Rotate(t.Context())
	require.NoError(t, err)
	was := maps.Clone(s.rows["5"])
	got, err = strict.Backfill(t.Context(), acme, s.batch, nil)
	require.NoError(t, err)
	require.Equal(t, field.BackfillReport{Rows: 5, Resealed: 4 + 2, Last: "5"}, got) // the notes, and what is person 4's
	require.Equal(t, was["name"], s.rows["5"]["name"], "its key is as it was")
	require.NotEqual(t, was["note"], s.rows["5"]["note"])
	p, err = s.read(t, strict, acme, "4")
	require.NoError(t, err)
	requirePatient(t, p, "Cyd", "note 4", 4)
	got, err = strict.Backfill(t.Context(), acme, s.batch, &field.BackfillOptions[patient]{After: "3"})
	require.NoError(t, err)
	require.Equal(t, field.BackfillReport{Rows: 2, Last: "5"}, got)
}

// TestBackfillFailures: a row that can't be brought up to date is not written, and keeps no other from it. Nothing is sealed twice.
func TestBackfillFailures(t *testing.T) {
	acme, strict, migrating := envelopetest.New(t, nil).Tenant("acme"), patients(t), migratingPatients(t)
	s := &stored{rows: map[string]map[string]any{
		"1": plainRow("Ada", "n", "no number"),
		"2": plainRow("Bob", "n", int64(2)),
		"3": plainRow("\xf5 is how a record begins", "n", int64(3)),
		"4": plainRow(`\xf501`, "n", int64(4)), // a record in text form
		"5": plainRow([]byte(`\xf501`), "n", int64(5)),
		"6": plainRow("Eve", "n", int64(6)),
		"8": plainRow("gone", "n", int64(8)), // plaintext of an erased person
	}}
	s.put(t, strict, acme, "7", "Fay", "n", 7)
	copied := maps.Clone(s.rows["7"])
	s.rows["6"]["note"] = copied["note"] // another row's
	_, err := acme.Rotate(t.Context())
	require.NoError(t, err)
	for _, who := range []string{"person-7", "person-8"} {
		_, err := acme.Subject(who).Erase(t.Context(), envelope.Erasure{Ref: "case"})
		require.NoError(t, err)
	}
	failed := map[string]error{}
	o := &field.BackfillOptions[patient]{Limit: 3, Failed: func(p *patient, err error) { failed[p.ID] = err }}
	before := maps.Clone(s.rows)
	got, err := migrating.Backfill(t.Context(), acme, s.batch, o)
	require.ErrorIs(t, err, field.ErrIncomplete)
	require.NotContains(t, err.Error(), "person-")
	require.Equal(t, field.BackfillReport{Rows: 8, Sealed: 3, Resealed: 1, Indexed: 1, Erased: 1, Failed: 6, Last: "8"}, got)
	for id, want := range map[string]error{
		"1": envelope.ErrFormat, "3": envelope.ErrTruncated, "4": envelope.ErrTruncated, "5": envelope.ErrFormat, "6": envelope.ErrOpen, "8": envelope.ErrErased,
	} {
		require.ErrorIs(t, failed[id], want, id)
		require.Equal(t, before[id], s.rows[id], "not written")
		require.NotContains(t, failed[id].Error(), "person-")
		require.NotContains(t, failed[id].Error(), "no number")
		delete(failed, id)
	}
	require.Empty(t, failed)
	require.Equal(t, copied["name"], s.rows["7"]["name"], "the erased person's stays")
	require.NotEqual(t, copied["note"], s.rows["7"]["note"], "and the tenant's does not")
	p, err := s.read(t, strict, acme, "2")
	require.NoError(t, err)
	requirePatient(t, p, "Bob", "n", 2)
	writes := s.writes
	got, err = migrating.Backfill(t.Context(), acme, s.batch, nil)
	require.ErrorIs(t, err, field.ErrIncomplete)
	require.Equal(t, field.BackfillReport{Rows: 8, Erased: 1, Failed: 6, Last: "8"}, got)
	require.Equal(t, writes, s.writes)

	strictly, err := strict.Backfill(t.Context(), acme, (&stored{rows: map[string]map[string]any{"1": plainRow("x", nil, nil)}}).batch, nil)
	require.ErrorIs(t, err, field.ErrIncomplete, "plaintext is a failure without Migrating")
	require.EqualValues(t, 1, strictly.Failed)
}

// TestBackfillStops: what concerns more than a row ends the run, and the checkpoint stays.
func TestBackfillStops(t *testing.T) {
	errDatabase := errors.New("connection lost")
	for name, tt := range map[string]struct {
		// spoil is called after the second of three batches of two rows was checked.
		spoil func(t *testing.T, s *stored, acme envelope.Tenant, store *downStore)
		want  error
	}{
		"database": {func(_ *testing.T, s *stored, _ envelope.Tenant, _ *downStore) {
			s.before = func(int) error { return errDatabase }
		}, errDatabase},
		"commit unknown": {func(_ *testing.T, s *stored, _ envelope.Tenant, _ *downStore) {
			s.after = func(int) error { return errDatabase }
		}, errDatabase},
		"outage": {func(_ *testing.T, _ *stored, _ envelope.Tenant, store *downStore) {
			store.down.Store(true)
		}, envelope.ErrUnavailable},
		"disabled": {func(t *testing.T, _ *stored, acme envelope.Tenant, _ *downStore) {
			require.NoError(t, acme.Disable(t.Context(), "reason"))
		}, envelope.ErrDisabled},
		"canceled": {func(t *testing.T, s *stored, _ envelope.Tenant, _ *downStore) {
			s.before = func(int) error { return context.Canceled }
		}, context.Canceled},
		"not read": {func(_ *testing.T, s *stored, _ envelope.Tenant, _ *downStore) {
			delete(s.rows["6"], "age")
		}, kms.ErrInvalid},
		"index not read": {func(_ *testing.T, s *stored, _ envelope.Tenant, _ *downStore) {
			delete(s.rows["6"], "name_eq")
		}, kms.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			store := &downStore{Store: memstore.New()}
			defer store.Close()
			acme, table := envelopetest.New(t, &envelopetest.Options{Store: store}).Tenant("acme"), migratingPatients(t)
			s := &stored{rows: map[string]map[string]any{}}
			for _, id := range []string{"1", "2", "3", "4", "5", "6"} {
				s.rows[id] = plainRow("Ada", "n", int64(1))
			}
			var checkpoints []string
			o := &field.BackfillOptions[patient]{Limit: 2, Checkpoint: func(_ context.Context, after string) error {
				if checkpoints = append(checkpoints, after); len(checkpoints) == 2 {
					tt.spoil(t, s, acme, store)
				}
				return nil
			}}
			got, err := table.Backfill(t.Context(), acme, s.batch, o)
			require.ErrorIs(t, err, tt.want)
			require.NotErrorIs(t, err, field.ErrIncomplete)
			require.Equal(t, []string{"2", "4"}, checkpoints)
			require.Equal(t, "4", got.Last)
			require.Zero(t, got.Failed)
			require.EqualValues(t, 4, got.Rows)
		})
	}
}

// downStore is a store that can't be reached at times.
type downStore struct {
	envelope.Store
	down atomic.Bool
}

func (s *downStore) Get(ctx context.Context, key string) (envelope.Row, error) {
	if s.down.Load() {
		return envelope.Row{}, envelope.ErrUnavailable
	}
	return s.Store.Get(ctx, key)
}

func (s *downStore) List(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
	if s.down.Load() {
		return nil, envelope.ErrUnavailable
	}
	return s.Store.List(ctx, prefix, after, limit)
}

func (s *downStore) Apply(ctx context.Context, changes ...envelope.Change) error {
	if s.down.Load() {
		return envelope.ErrUnavailable
	}
	return s.Store.Apply(ctx, changes...)
}

// TestBackfillKMS: an outage or refusal of the KMS is not a million rows that failed.
func TestBackfillKMS(t *testing.T) {
	for name, tt := range map[string]struct {
		fault kmstest.Fault
		want  error
	}{
		"outage":  {kmstest.Fault{Err: kms.ErrUnavailable}, kms.ErrUnavailable},
		"refused": {kmstest.Fault{Err: kms.ErrAccessDenied}, kms.ErrAccessDenied},
	} {
		fake := kmstest.NewFake("k")
		fake.Always(tt.fault)
		acme := envelopetest.New(t, &envelopetest.Options{Fake: fake}).Tenant("acme")
		s := &stored{rows: map[string]map[string]any{"1": plainRow("Ada", "n", int64(1)), "2": plainRow("Ada", "n", int64(1))}}
		got, err := migratingPatients(t).Backfill(t.Context(), acme, s.batch, nil)
		require.ErrorIs(t, err, tt.want, name)
		require.Zero(t, got, name)
	}
}

// TestBackfillMisuse: what can't be right is refused before the first row, or where it shows.
func TestBackfillMisuse(t *testing.T) {
	acme, table := envelopetest.New(t, nil).Tenant("acme"), migratingPatients(t)
	s := &stored{rows: map[string]map[string]any{"1": plainRow("Ada", "n", int64(1))}}
	stuck := func(ctx context.Context, after string, limit int, each func(*patient) ([]string, error)) (string, error) {
		_, err := s.batch(ctx, "", limit, each)
		return "1", err
	}
	silent := func(ctx context.Context, after string, limit int, each func(*patient) ([]string, error)) (string, error) {
		each(nil)
		return "9" + after, nil
	}
	for name, run := range map[string]func() error{
		"no batch":  func() error { _, err := table.Backfill(t.Context(), acme, nil, nil); return err },
		"no tenant": func() error { _, err := table.Backfill(t.Context(), envelope.Tenant{}, s.batch, nil); return err },
		"limit": func() error {
			_, err := table.Backfill(t.Context(), acme, s.batch, &field.BackfillOptions[patient]{Limit: -1})
			return err
		},
		"high limit": func() error {
			_, err := table.Backfill(t.Context(), acme, s.batch, &field.BackfillOptions[patient]{Limit: 10_001})
			return err
		},
		"stuck":  func() error { _, err := table.Backfill(t.Context(), acme, stuck, nil); return err },
		"silent": func() error { _, err := table.Backfill(t.Context(), acme, silent, nil); return err },
		"ends early": func() error {
			_, err := table.Backfill(t.Context(), acme, func(ctx context.Context, after string, limit int, each func(*patient) ([]string, error)) (string, error) {
				_, err := s.batch(ctx, after, limit, each)
				return "", err
			}, nil)
			return err
		},
	} {
		require.ErrorIs(t, run(), kms.ErrInvalid, name)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := table.Backfill(ended, acme, s.batch, nil)
	require.ErrorIs(t, err, context.Canceled)
	failing := errors.New("disk full")
	s = &stored{rows: map[string]map[string]any{"1": plainRow("Ada", "n", int64(1)), "2": plainRow("Ada", "n", int64(1))}}
	got, err := table.Backfill(t.Context(), acme, s.batch, &field.BackfillOptions[patient]{Limit: 1, Checkpoint: func(context.Context, string) error { return failing }})
	require.ErrorIs(t, err, failing)
	require.EqualValues(t, 1, got.Rows)
}

// TestBackfillVerifies: what was written is read again.
func TestBackfillVerifies(t *testing.T) {
	bend := func(change func(v []byte) any) func(s *stored) {
		return func(s *stored) { s.rows["2"]["note"] = change(s.rows["2"]["note"].([]byte)) }
	}
	for name, tt := range map[string]struct {
		meanwhile func(s *stored)
		want      error
		left      int64
	}{
		"cut short":     {bend(func(v []byte) any { return v[:len(v)-1] }), field.ErrUnverified, 0},
		"damaged":       {bend(func(v []byte) any { v[20] ^= 1; return v }), field.ErrUnverified, 0},
		"text form":     {bend(func(v []byte) any { return []byte(`\xf5` + string(v[:0])) }), field.ErrUnverified, 0},
		"another row's": {func(s *stored) { s.rows["2"]["note"] = s.rows["1"]["note"] }, field.ErrUnverified, 0},
		"plaintext":     {func(s *stored) { s.rows["2"]["note"] = "the old way" }, field.ErrIncomplete, 1},
		"not indexable": {func(s *stored) { s.rows["2"]["name"] = string(make([]byte, 5000)) }, field.ErrIncomplete, 1},
		"no index":      {func(s *stored) { s.rows["2"]["name_eq"] = nil }, field.ErrIncomplete, 1},
		"not written": {func(s *stored) {
			s.rows["1"], s.rows["2"] = plainRow("Ada", "n", int64(1)), plainRow("Ada", "n", int64(2))
		}, field.ErrIncomplete, 6},
		"new row":     {func(s *stored) { s.rows["11"] = plainRow("Ada", "n", int64(1)) }, nil, 0},
		"deleted row": {func(s *stored) { delete(s.rows, "2") }, nil, 0},
		"NULL":        {func(s *stored) { s.rows["2"] = plainRow(nil, nil, nil) }, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			acme, table := envelopetest.New(t, nil).Tenant("acme"), migratingPatients(t)
			s := &stored{rows: map[string]map[string]any{"1": plainRow("Ada", "n", int64(1)), "2": plainRow("Ada", "n", int64(2)), "01": plainRow("Ada", "n", "failing")}}
			s.after = func(call int) error {
				if call == 1 {
					tt.meanwhile(s)
				}
				return nil
			}
			got, err := table.Backfill(t.Context(), acme, s.batch, &field.BackfillOptions[patient]{After: "0"})
			require.EqualValues(t, 1, got.Failed)
			switch tt.want {
			case field.ErrUnverified:
				require.ErrorIs(t, err, tt.want)
				require.Equal(t, "0", got.Last, "the checkpoint stays")
				require.Equal(t, 2, s.calls)
			default:
				require.ErrorIs(t, err, field.ErrIncomplete)
				require.NotErrorIs(t, err, field.ErrUnverified)
				require.Equal(t, tt.left, got.Left)
				require.Equal(t, 3, s.calls, "written, read, the end")
			}
			delete(s.rows, "01")
			again, err := table.Backfill(t.Context(), acme, s.batch, nil)
			if tt.left > 0 && name != "not indexable" {
				require.NoError(t, err)
				require.Zero(t, again.Left)
			}
		})
	}
}

// TestBackfillDeletedMeanwhile: a row of the next batch, which moves up when another is deleted, is nothing that was written.
func TestBackfillDeletedMeanwhile(t *testing.T) {
	acme, table := envelopetest.New(t, nil).Tenant("acme"), migratingPatients(t)
	s := &stored{rows: map[string]map[string]any{
		"1": plainRow("Ada", "n", int64(1)), "2": plainRow("Ada", "n", int64(2)), "3": plainRow("Ada", "n", "damaged"), "4": plainRow("Ada", "n", int64(4)),
	}}
	s.after = func(call int) error {
		if call == 1 {
			delete(s.rows, "1")
		}
		return nil
	}
	got, err := table.Backfill(t.Context(), acme, s.batch, &field.BackfillOptions[patient]{Limit: 2})
	require.ErrorIs(t, err, field.ErrIncomplete)
	require.EqualValues(t, 1, got.Failed)
	require.Zero(t, got.Left)
	require.Equal(t, "4", got.Last)
}

// TestBackfillLeft: a run that leaves something is not complete, though no row has failed.
func TestBackfillLeft(t *testing.T) {
	acme, table := envelopetest.New(t, nil).Tenant("acme"), migratingPatients(t)
	s := &stored{rows: map[string]map[string]any{"1": plainRow("Ada", "n", int64(1))}}
	s.after = func(call int) error {
		if call == 1 {
			s.rows["1"]["note"] = "the old way"
		}
		return nil
	}
	got, err := table.Backfill(t.Context(), acme, s.batch, nil)
	require.ErrorIs(t, err, field.ErrIncomplete)
	require.Equal(t, field.BackfillReport{Rows: 1, Sealed: 3, Indexed: 1, Left: 1, Last: "1"}, got)
	got, err = table.Backfill(t.Context(), acme, s.batch, nil)
	require.NoError(t, err)
	require.Equal(t, field.BackfillReport{Rows: 1, Sealed: 1, Last: "1"}, got)
}

// TestBackfillDisabledPerson: one person who is disabled is a row that fails.
func TestBackfillDisabledPerson(t *testing.T) {
	acme, table := envelopetest.New(t, nil).Tenant("acme"), migratingPatients(t)
	s := &stored{rows: map[string]map[string]any{"3": plainRow("Ada", "n", int64(3))}}
	s.put(t, table, acme, "1", "Ada", "n", 1)
	s.put(t, table, acme, "2", "Bob", "n", 2)
	require.NoError(t, acme.Subject("person-1").Disable(t.Context(), "reason"))
	var failed error
	got, err := table.Backfill(t.Context(), acme, s.batch, &field.BackfillOptions[patient]{Failed: func(_ *patient, err error) { failed = err }})
	require.ErrorIs(t, err, field.ErrIncomplete)
	require.ErrorIs(t, failed, envelope.ErrDisabled)
	require.Equal(t, field.BackfillReport{Rows: 3, Sealed: 3, Indexed: 1, Failed: 1, Last: "3"}, got)
}

// TestBackfillAfterOthersRotate: a record under a version that this process has yet to hear of is not sealed under an older one.
func TestBackfillAfterOthersRotate(t *testing.T) {
	fake, store := kmstest.NewFake("k"), memstore.New()
	defer store.Close()
	here := envelopetest.New(t, &envelopetest.Options{Fake: fake, Store: store}).Tenant("acme")
	there := envelopetest.New(t, &envelopetest.Options{Fake: fake, Store: store}).Tenant("acme")
	s, table := &stored{rows: map[string]map[string]any{}}, patients(t)
	s.put(t, table, here, "2", "Ada", "n", 1)
	_, err := there.Rotate(t.Context())
	require.NoError(t, err)
	s.put(t, table, there, "1", "Bob", "n", 2)
	got, err := table.Backfill(t.Context(), here, s.batch, nil)
	require.NoError(t, err)
	require.Equal(t, field.BackfillReport{Rows: 2, Resealed: 1, Last: "2"}, got)
	got, err = table.Backfill(t.Context(), there, s.batch, nil)
	require.NoError(t, err)
	require.Zero(t, got.Resealed)
}

// TestBackfillDryRun makes no key.
func TestBackfillDryRun(t *testing.T) {
	ring := envelopetest.New(t, nil)
	s := &stored{rows: map[string]map[string]any{"1": plainRow("Ada", "n", int64(3)), "2": plainRow(string([]byte{'a', 0xff}), "n", int64(3)), "3": plainRow(string(make([]byte, 5000)), "n", int64(3))}}
	got, err := migratingPatients(t).Backfill(t.Context(), ring.Tenant("acme"), s.batch, &field.BackfillOptions[patient]{DryRun: true, Checkpoint: func(context.Context, string) error { return errors.New("told") }})
	require.ErrorIs(t, err, field.ErrIncomplete)
	require.Equal(t, field.BackfillReport{Rows: 3, Sealed: 3, Failed: 2, Last: "3"}, got)
	for tenant, err := range ring.Tenants(t.Context()) {
		require.NoError(t, err)
		require.Fail(t, "there is a key of "+tenant)
	}
}
