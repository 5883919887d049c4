package field_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/field"
)

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
