package envelope_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// rowWorld is a deployment with two tenants of two subjects each, and the rows of its store, which somebody else edits.
type rowWorld struct {
	fake    *kmstest.Fake
	name    string // of the deployment
	rows    map[string]string
	records []rowRecord
	names   map[string]string // of rows that cases speak of
}

// rowRecord is a record with its plaintext, which names it: tenant, subject, version.
type rowRecord struct{ scope, name, sealed string }

var rowScopes = []string{"acme/", "acme/ada", "acme/bob", "other/", "other/ada", "other/bob"}

func newRowWorld(t testing.TB, fake *kmstest.Fake, name string) *rowWorld {
	t.Helper()
	w := &rowWorld{fake: fake, name: name, names: map[string]string{"fleet": "fleet"}}
	store := &rowStore{}
	store.put(t, nil)
	r := w.process(t, store)
	for _, scope := range rowScopes {
		before := store.rows(t)
		s := rowScope(r, scope)
		for version := 1; version <= 2; version++ {
			if version > 1 {
				_, err := s.Rotate(t.Context())
				require.NoError(t, err)
			}
			record := rowRecord{scope: scope, name: fmt.Sprintf("%s/%d", scope, version)}
			sealed, err := s.Seal(t.Context(), []byte(record.name), binding)
			require.NoError(t, err)
			record.sealed = string(sealed)
			w.records = append(w.records, record)
			w.names[record.name+" id"] = fmt.Sprintf("id/%x", sealed[1:17])
		}
		w.rows = store.rows(t)
		tenant, subject, _ := strings.Cut(scope, "/")
		for key := range w.rows {
			if before[key] == "" && strings.HasSuffix(key, "/") && strings.HasPrefix(key, map[bool]string{true: "tenant/", false: "subject/"}[subject == ""]) {
				w.names[scope] = key
				w.names[scope+" 1"], w.names[scope+" 2"] = key+"data/0000000001", key+"data/0000000002"
				w.names[scope+" 3"] = key + "data/0000000003"
			}
		}
		w.names[tenant+" lookup"], w.names[tenant+" wrap"] = w.names[tenant+"/"]+"lookup/0000000001", w.names[tenant+"/"]+"wrap/0000000001"
	}
	for name, key := range w.names {
		if !strings.HasSuffix(name, " 3") {
			require.Contains(t, w.rows, key, name)
		}
	}
	return w
}

// process returns a Keyring that has seen nothing yet.
func (w *rowWorld) process(t testing.TB, store envelope.Store) *envelope.Keyring {
	t.Helper()
	key, err := kms.NewKey(w.fake.Driver(), &kms.Options{Attempts: 1, BreakAfter: 100_000})
	require.NoError(t, err)
	r, err := envelope.NewKeyring(w.name, store, envelope.SingleRoot(key), nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, r.Close())
		require.NoError(t, key.Close())
	})
	return r
}

func rowScope(r *envelope.Keyring, name string) envelope.Scope {
	tenant, subject, _ := strings.Cut(name, "/")
	if subject == "" {
		return r.Tenant(tenant)
	}
	return r.Tenant(tenant).Subject(subject)
}

// rowStore is a memstore whose rows somebody with SQL replaces.
type rowStore struct {
	now atomic.Pointer[memstore.Store]
}

func (s *rowStore) Get(ctx context.Context, key string) (envelope.Row, error) {
	return s.now.Load().Get(ctx, key)
}

func (s *rowStore) List(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
	return s.now.Load().List(ctx, prefix, after, limit)
}

func (s *rowStore) Apply(ctx context.Context, changes ...envelope.Change) error {
	return s.now.Load().Apply(ctx, changes...)
}

func (s *rowStore) Close() error { return nil }

func (s *rowStore) put(t testing.TB, rows map[string]string) {
	t.Helper()
	store := memstore.New()
	for key, value := range rows {
		require.NoError(t, store.Apply(t.Context(), envelope.Change{Row: envelope.Row{Key: key, Value: []byte(value)}}))
	}
	s.now.Store(store)
}

func (s *rowStore) rows(t testing.TB) map[string]string {
	t.Helper()
	page, err := s.List(t.Context(), "", "", 1000)
	require.NoError(t, err)
	require.Less(t, len(page), 1000)
	rows := map[string]string{}
	for _, r := range page {
		rows[r.Key] = string(r.Value)
	}
	return rows
}

// rowCase is what somebody does to the rows, and what follows. What is not named in opens and seals goes on as if nothing had happened.
type rowCase struct {
	name  string
	edit  func(w *rowWorld, rows map[string]string)
	opens map[string]error // by record: errors of Open
	seals map[string]error // by scope: errors of Seal
	warm  map[string]error // of Seal in a process that has sealed with the newest versions before
	other error            // of every call
}

// run applies the case to a store and looks at it with a new process and with one that has used all keys before.
func (c rowCase) run(t *testing.T, w *rowWorld) {
	t.Helper()
	rows := maps.Clone(w.rows)
	c.edit(w, rows)
	t.Run(c.name, func(t *testing.T) {
		store := &rowStore{}
		store.put(t, rows)
		c.look(t, w, store, w.process(t, store), c.seals)
	})
}

// runWarm is run for a process that has used all keys before.
func (c rowCase) runWarm(t *testing.T, w *rowWorld) {
	t.Helper()
	rows := maps.Clone(w.rows)
	c.edit(w, rows)
	t.Run(c.name, func(t *testing.T) {
		store := &rowStore{}
		store.put(t, w.rows)
		r := w.process(t, store)
		rowCase{}.look(t, w, store, r, nil)
		store.put(t, rows)
		time.Sleep(5*time.Minute + time.Second)
		seals := maps.Clone(c.seals)
		if seals == nil {
			seals = map[string]error{}
		}
		maps.Copy(seals, c.warm)
		c.look(t, w, store, r, seals)
	})
}

// look opens every record and seals for every scope.
func (c rowCase) look(t *testing.T, w *rowWorld, store *rowStore, r *envelope.Keyring, seals map[string]error) {
	t.Helper()
	for _, record := range w.records {
		got, err := rowScope(r, record.scope).Open(t.Context(), []byte(record.sealed), binding)
		want := c.opens[record.name]
		if c.other != nil {
			want = c.other
		}
		if want == nil {
			require.NoError(t, err, record.name)
			require.Equal(t, record.name, string(got))
		} else {
			require.ErrorIs(t, err, want, record.name)
			require.Nil(t, got)
		}
		for _, other := range rowScopes {
			if other != record.scope {
				got, err := rowScope(r, other).Open(t.Context(), []byte(record.sealed), binding)
				require.Error(t, err, "%s opened by %s", record.name, other)
				require.NotEqual(t, envelope.Retry, envelope.ActionFor(err), "%s opened by %s: %v", record.name, other, err)
				require.Nil(t, got)
			}
		}
	}
	for _, scope := range rowScopes {
		sealed, err := rowScope(r, scope).Seal(t.Context(), []byte("x"), binding)
		want := seals[scope]
		if c.other != nil {
			want = c.other
		}
		if want == nil {
			require.NoError(t, err, scope)
			w.genuine(t, store, scope, sealed)
		} else {
			require.ErrorIs(t, err, want, scope)
			require.Nil(t, sealed)
		}
	}
}

// genuine requires that the key that sealed has a row which was not edited.
func (w *rowWorld) genuine(t testing.TB, store *rowStore, scope string, sealed []byte) {
	t.Helper()
	id := fmt.Sprintf("%x", sealed[1:17])
	rows := store.rows(t)
	for key, value := range rows {
		if strings.Contains(key, "/data/") && strings.Contains(value, `"id":"`+id+`"`) && (w.rows[key] == value || !w.known(id)) {
			require.True(t, strings.HasPrefix(key, w.names[scope]), "%s sealed with the key in %s", scope, key)
			return
		}
	}
	require.Fail(t, "sealed with a key that no row holds", "%s, key %s", scope, id)
}

// known tells whether the key was there before anything was edited.
func (w *rowWorld) known(id string) bool {
	return w.rows["id/"+id] != ""
}

// rowEdit sets a field of a row.
func rowEdit(name, field string, value any) func(*rowWorld, map[string]string) {
	return func(w *rowWorld, rows map[string]string) {
		rows[w.names[name]] = vectorEdit(rows[w.names[name]], field, value)
	}
}

var _ = synctest.Test
