package field_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

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
