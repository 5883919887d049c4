package field_test

import (
	"context"
	"errors"
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
