package field_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/kms"
)

// TestMigrating: plaintext is read in the columns that are named and in no other, is counted, and no driver takes it before it is sealed.
func TestMigrating(t *testing.T) {
	acme, strict := envelopetest.New(t, nil).Tenant("acme"), patients(t)
	migrating, err := field.Migrating(strict, "name", "age")
	require.NoError(t, err)
	s := &stored{rows: map[string]map[string]any{"1": plainRow("Ada", "a note", int64(36)), "2": plainRow("Bob", nil, "seven")}}
	s.put(t, strict, acme, "3", "Cyd", "n", 3)

	p, err := s.read(t, strict, acme, "1")
	require.ErrorIs(t, err, envelope.ErrFormat)
	require.Empty(t, strict.Legacy())
	_, ok := p.Name.Get()
	require.False(t, ok, "without Migrating it is no value")

	p, err = s.read(t, migrating, acme, "1")
	require.ErrorIs(t, err, envelope.ErrFormat, "the note")
	require.Equal(t, "[unsealed] [foreign] [unsealed]", p.Name.String()+" "+p.Note.String()+" "+p.Age.String())
	name, _ := p.Name.Get()
	require.Equal(t, "Ada", name)
	_, err = p.Name.Value()
	require.ErrorIs(t, err, field.ErrUnsealed)
	_, err = p.Note.Value()
	require.ErrorIs(t, err, field.ErrUnsealed)
	require.NoError(t, migrating.Seal(t.Context(), acme, p))
	require.Equal(t, "[sealed] [foreign] [sealed] [index]", p.Name.String()+" "+p.Note.String()+" "+p.Age.String()+" "+p.NameEq.String())

	_, err = s.read(t, migrating, acme, "2")
	require.ErrorIs(t, err, envelope.ErrFormat)
	require.NotContains(t, err.Error(), "seven")
	p, err = s.read(t, migrating, acme, "3")
	require.NoError(t, err)
	requirePatient(t, p, "Cyd", "n", 3)
	require.Equal(t, map[string]int64{"name": 2, "age": 1}, migrating.Legacy())
	require.Empty(t, strict.Legacy())

	more, err := field.Migrating(migrating, "note")
	require.NoError(t, err)
	_, err = s.read(t, more, acme, "1")
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"name": 1, "note": 1, "age": 1}, more.Legacy(), "it begins anew")
}

func TestMigratingRefusals(t *testing.T) {
	for name, columns := range map[string][]string{"none": nil, "unknown": {"name", "nome"}, "an index": {"name_eq"}, "empty": {""}} {
		_, err := field.Migrating(patients(t), columns...)
		require.ErrorIs(t, err, kms.ErrInvalid, name)
	}
	_, err := field.Migrating[patient](nil, "name")
	require.ErrorIs(t, err, kms.ErrInvalid)
}

// TestLegacyCounts: they are of all goroutines.
func TestLegacyCounts(t *testing.T) {
	acme, table := envelopetest.New(t, nil).Tenant("acme"), patients(t, "name")
	s := &stored{rows: map[string]map[string]any{"1": plainRow("Ada", nil, nil)}}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				p, err := s.scan("1")
				if err == nil {
					err = table.Open(t.Context(), acme, p)
				}
				if err != nil {
					t.Error(err)
				}
				table.Legacy()
			}
		})
	}
	all.Wait()
	require.Equal(t, map[string]int64{"name": 800}, table.Legacy())
}

type reader struct {
	ID      string
	Email   field.Field[string] `seal:"email"`
	EmailEq field.Index         `seal:"email_eq,of=email,norm=casefold/v1"`
}

// reader2 is reader after its index has another normalizer.
type reader2 struct {
	ID      string
	Email   field.Field[string] `seal:"email"`
	EmailEq field.Index         `seal:"email_eq,of=email,norm=email/v1,was=casefold/v1"`
}

// TestNormalizerChange: a row is found before, while and after its index is computed anew.
func TestNormalizerChange(t *testing.T) {
	acme := envelopetest.New(t, nil).Tenant("acme")
	indexes := map[string]field.Plan{"email_eq": plan(t)}
	old, err := field.NewTable("readers", field.Spec[reader]{Row: func(r *reader) string { return r.ID }, Indexes: indexes})
	require.NoError(t, err)
	table, err := field.NewTable("readers", field.Spec[reader2]{Row: func(r *reader2) string { return r.ID }, Indexes: indexes})
	require.NoError(t, err)
	type row struct{ email, index any }
	rows := map[string]*row{}
	ids := []string{"1", "2", "3", "4"}
	for _, id := range ids {
		r := reader{ID: id, Email: field.Of("Reader-" + id + "@Example.com")}
		require.NoError(t, old.Seal(t.Context(), acme, &r))
		email, err := r.Email.Value()
		require.NoError(t, err)
		index, err := r.EmailEq.Value()
		require.NoError(t, err)
		rows[id] = &row{email, index}
	}
	scan := func(id string) *reader2 {
		r := &reader2{ID: id}
		require.NoError(t, r.Email.Scan(rows[id].email))
		require.NoError(t, r.EmailEq.Scan(rows[id].index))
		return r
	}
	find := func() {
		t.Helper()
		for _, id := range ids {
			q, err := table.Find(t.Context(), acme, "email", "reader-"+id+"@example.com")
			require.NoError(t, err)
			var found []string
			for _, other := range ids {
				for _, term := range q.Terms() {
					if r := scan(other); string(rows[other].index.([]byte)) == string(term) && table.Open(t.Context(), acme, r) == nil && q.Keep(r) {
						found = append(found, other)
					}
				}
			}
			require.Equal(t, []string{id}, found)
		}
	}
	find()
	got, err := table.Backfill(t.Context(), acme, func(_ context.Context, after string, _ int, each func(*reader2) ([]string, error)) (string, error) {
		find()
		for _, id := range ids {
			if id <= after {
				continue
			}
			r := scan(id)
			columns, err := each(r)
			if err != nil {
				return "", err
			}
			if len(columns) > 0 {
				require.Equal(t, []string{"email_eq"}, columns)
				v, err := r.EmailEq.Value()
				require.NoError(t, err)
				rows[id].index = v
			}
			return id, nil
		}
		return "", nil
	}, nil)
	require.NoError(t, err)
	require.Equal(t, field.BackfillReport{Rows: 4, Indexed: 4, Last: "4"}, got)
	find()
	for _, id := range ids {
		q, err := table.Find(t.Context(), acme, "email", "reader-"+id+"@example.com")
		require.NoError(t, err)
		require.Len(t, q.Terms(), 2)
		require.Equal(t, q.Terms()[0], rows[id].index, "under the new normalizer")
	}
}
