package envelope_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// TestRowsFields sets every field of every kind of row to values of all types: whatever comes of it, no record opens to anything else or for anyone else, nothing is
// sealed under a key without a row of its own, and no error says to try again.
func TestRowsFields(t *testing.T) {
	w := newRowWorld(t, kmstest.NewFake("key"), "test")
	values := []any{nil, json.RawMessage("null"), -1, 1, 2, 1e30, "", "AAAA", "data", "2026-01-01T00:00:00Z", true, []string{"x"}, map[string]any{}}
	if testing.Short() {
		values = values[:6]
	}
	for _, name := range []string{"fleet", "acme/", "acme/ada", "acme/ 2", "acme/ada 2", "acme wrap", "acme lookup", "acme//2 id", "acme/ada/2 id"} {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(w.rows[w.names[name]]), &fields))
		names := append(slices.Sorted(maps.Keys(fields)), "destroyed", "closed", "ref", "holds", "held", "erasure", "refs", "Format", "")
		for _, field := range slices.Compact(slices.Sorted(slices.Values(names))) {
			t.Run(fmt.Sprintf("%s, %s", name, field), func(t *testing.T) {
				for _, value := range values {
					rowCase{edit: rowSet(name, field, value)}.sweep(t, w)
				}
			})
		}
	}
}

// sweep edits the rows and requires what holds for any edit.
func (c rowCase) sweep(t *testing.T, w *rowWorld) {
	t.Helper()
	store := &rowStore{}
	store.put(t, c.edited(w))
	r := w.process(t, store)
	final := func(err error) {
		t.Helper()
		require.Contains(t, []envelope.Action{envelope.Reject, envelope.Skip, envelope.Hold, envelope.Fix}, envelope.ActionFor(err), err)
	}
	for i, record := range w.records {
		for _, scope := range []string{record.scope, rowScopes[(i/2+1)%len(rowScopes)]} {
			got, err := rowScope(r, scope).Open(t.Context(), []byte(record.sealed), binding)
			if err != nil {
				final(err)
				continue
			}
			require.Equal(t, record.scope, scope)
			require.Equal(t, record.name, string(got))
		}
	}
	for _, scope := range rowScopes {
		sealed, err := rowScope(r, scope).Seal(t.Context(), []byte("x"), binding)
		if err != nil {
			final(err)
			continue
		}
		w.genuine(t, store, scope, sealed, true)
	}
	require.NoError(t, r.Close())
}

// TestRowsOfAnotherDeployment copies a store, as a whole and but for the row that names its deployment.
func TestRowsOfAnotherDeployment(t *testing.T) {
	w := newRowWorld(t, kmstest.NewFake("key"), "test")
	copied := *w
	copied.name = "prod"
	store := &rowStore{}
	store.put(t, w.rows)
	r := copied.process(t, store)
	for _, record := range w.records {
		_, err := rowScope(r, record.scope).Open(t.Context(), []byte(record.sealed), binding)
		require.ErrorIs(t, err, kms.ErrInvalid)
		require.Equal(t, envelope.Fix, envelope.ActionFor(err))
		require.NotErrorIs(t, err, envelope.ErrOpen)
	}
	for _, scope := range rowScopes {
		_, err := rowScope(r, scope).Seal(t.Context(), nil, binding)
		require.ErrorIs(t, err, kms.ErrInvalid)
	}
	require.Equal(t, w.rows, store.rows(t))

	rows := maps.Clone(w.rows)
	delete(rows, "fleet")
	store.put(t, rows)
	r = copied.process(t, store)
	for _, record := range w.records {
		_, err := rowScope(r, record.scope).Open(t.Context(), []byte(record.sealed), binding)
		require.ErrorIs(t, err, envelope.ErrOpen)
		require.Equal(t, envelope.Reject, envelope.ActionFor(err))
	}
	for _, scope := range rowScopes {
		_, err := rowScope(r, scope).Seal(t.Context(), nil, binding)
		require.ErrorIs(t, err, envelope.ErrOpen)
	}
	after := store.rows(t)
	delete(after, "fleet")
	require.Equal(t, rows, after)
}

// TestRowsOfOneKMSKey copies rows between two stores whose keys one KMS key wraps.
func TestRowsOfOneKMSKey(t *testing.T) {
	fake := kmstest.NewFake("key")
	w, prod := newRowWorld(t, fake, "test"), newRowWorld(t, fake, "prod")
	rows := maps.Clone(w.rows)
	for key, value := range prod.rows {
		if strings.HasPrefix(key, "tenant/acme/") || strings.HasPrefix(key, "id/") {
			rows[key] = value
		}
	}
	store := &rowStore{}
	store.put(t, rows)
	r := w.process(t, store)
	for _, record := range prod.records {
		for _, scope := range rowScopes {
			_, err := rowScope(r, scope).Open(t.Context(), []byte(record.sealed), binding)
			require.Error(t, err)
			require.Equal(t, envelope.Reject, envelope.ActionFor(err), err)
		}
	}
	for _, scope := range []string{"acme/", "acme/ada", "acme/bob"} {
		_, err := rowScope(r, scope).Seal(t.Context(), nil, binding)
		require.ErrorIs(t, err, envelope.ErrOpen)
	}
}

// TestRowsUndone has somebody undo what the Keyring did to a subject's state: nothing authenticates it.
func TestRowsUndone(t *testing.T) {
	w := newRowWorld(t, kmstest.NewFake("key"), "test")
	head, second := w.names["acme/ada"], w.names["acme/ada 2"]
	record := w.records[slices.IndexFunc(w.records, func(r rowRecord) bool { return r.name == "acme/ada/2" })]
	store := &rowStore{}
	open := func(rows map[string]string) error {
		store.put(t, rows)
		_, err := rowScope(w.process(t, store), "acme/ada").Open(t.Context(), []byte(record.sealed), binding)
		return err
	}
	store.put(t, w.rows)
	ada := rowScope(w.process(t, store), "acme/ada").(envelope.Subject)
	require.NoError(t, ada.Disable(t.Context(), "why"))
	rows := store.rows(t)
	require.ErrorIs(t, open(rows), envelope.ErrDisabled)
	rows[head] = w.rows[head]
	require.NoError(t, open(rows))

	store.put(t, w.rows)
	require.NoError(t, ada.Hold(t.Context(), "case 7"))
	_, err := ada.Erase(t.Context(), envelope.Erasure{Ref: "case 8"})
	require.ErrorIs(t, err, envelope.ErrHeld)
	_, err = rowScope(w.process(t, store), "acme/ada").(envelope.Subject).Erase(t.Context(), envelope.Erasure{Ref: "case 8"})
	require.ErrorIs(t, err, envelope.ErrHeld)
	rows = store.rows(t)
	rows[head] = w.rows[head]
	store.put(t, rows)
	_, err = rowScope(w.process(t, store), "acme/ada").(envelope.Subject).Erase(t.Context(), envelope.Erasure{Ref: "case 8"})
	require.NoError(t, err)

	rows = store.rows(t)
	require.ErrorIs(t, open(rows), envelope.ErrErased)
	rows[head] = w.rows[head]
	require.ErrorIs(t, open(rows), envelope.ErrErased, "the tombstone")
	rows[second] = w.rows[second]
	require.NoError(t, open(rows), "an old copy of the row, while its wrap key is there")
}

// TestRowsIDUnreadable has an id row that does not say whose the key is: who asks for another's record learns that, and its owner does not need it.
func TestRowsIDUnreadable(t *testing.T) {
	w := newRowWorld(t, kmstest.NewFake("key"), "test")
	record := w.records[slices.IndexFunc(w.records, func(r rowRecord) bool { return r.name == "acme//2" })]
	for _, edit := range []rowChange{rowIs("acme//2 id", "garbage"), rowSet("acme//2 id", "format", 2), rowSet("acme//2 id", "later", 1)} {
		store := &rowStore{}
		store.put(t, rowCase{edit: edit}.edited(w))
		r := w.process(t, store)
		for _, scope := range rowScopes {
			_, err := rowScope(r, scope).Open(t.Context(), []byte(record.sealed), binding)
			if scope == record.scope {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, envelope.ErrFormat)
			}
		}
	}
}
