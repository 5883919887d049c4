package envelope_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
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
	key, err := kms.NewKey(w.fake.Driver(), &kms.Options{Attempts: 1, BreakAfter: 1000})
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
	newer []string         // scopes whose newest version is not usable: an older one seals, but not in a process that has sealed with the newest
	other error            // of every call

	rejects []string // scopes that must not seal, for whatever reason
	// lazy says that nothing changes for a process that has the keys of subjects in memory: it asks for what they hang under when it loads one.
	lazy bool
}

// run edits the rows and looks at them with a new process.
func (c rowCase) run(t *testing.T, w *rowWorld) {
	t.Helper()
	store := &rowStore{}
	store.put(t, c.edited(w))
	r := w.process(t, store)
	c.open(t, w, r)
	c.seal(t, w, store, r)
	store.put(t, c.edited(w))
	r = w.process(t, store)
	c.seal(t, w, store, r)
	c.open(t, w, r)
}

// runWarm edits the rows and looks at them with a process that has used all keys before, after the time for which it does not look itself.
func (c rowCase) runWarm(t *testing.T, w *rowWorld) {
	t.Helper()
	store := &rowStore{}
	store.put(t, w.rows)
	r := w.process(t, store)
	rowCase{}.open(t, w, r)
	rowCase{}.seal(t, w, store, r)
	store.put(t, c.edited(w))
	time.Sleep(5*time.Minute + time.Second)
	if c.lazy {
		c = rowCase{}
	}
	c.open(t, w, r)
	c.rejects, c.newer = c.newer, nil
	for scope, err := range c.seals {
		if envelope.ActionFor(err) == envelope.Reject { // for another reason: the version that it has sealed with is gone
			c.rejects = append(c.rejects, scope)
		}
	}
	c.seal(t, w, store, r)
}

func (c rowCase) edited(w *rowWorld) map[string]string {
	rows := maps.Clone(w.rows)
	c.edit(w, rows)
	return rows
}

// open opens every record.
func (c rowCase) open(t *testing.T, w *rowWorld, r *envelope.Keyring) {
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
}

// seal seals for every scope.
func (c rowCase) seal(t *testing.T, w *rowWorld, store *rowStore, r *envelope.Keyring) {
	t.Helper()
	for _, scope := range rowScopes {
		sealed, err := rowScope(r, scope).Seal(t.Context(), []byte("x"), binding)
		if slices.Contains(c.rejects, scope) {
			require.Equal(t, envelope.Reject, envelope.ActionFor(err), "%s: %v", scope, err)
			require.Nil(t, sealed)
			continue
		}
		want := c.seals[scope]
		if c.other != nil {
			want = c.other
		}
		if want == nil {
			require.NoError(t, err, scope)
			w.genuine(t, store, scope, sealed, slices.Contains(c.newer, scope))
		} else {
			require.ErrorIs(t, err, want, scope)
			require.Nil(t, sealed)
		}
	}
}

// genuine requires that the key that sealed is the newest, or one made since, and has a row of the scope's own, whose key material nobody edited.
func (w *rowWorld) genuine(t testing.TB, store *rowStore, scope string, sealed []byte, older bool) {
	t.Helper()
	id := fmt.Sprintf("%x", sealed[1:17])
	made, prefix := w.rows["id/"+id] == "", w.names[scope]
	if made { // for a subject perhaps under another reference, where the lookup key is gone
		prefix = prefix[:strings.Index(prefix, "/")+len("/acme/")]
	}
	require.True(t, made || older || "id/"+id == w.names[scope+"/2 id"], "%s sealed with an old key", scope)
	for key, value := range store.rows(t) {
		var row, was rowMaterial
		if json.Unmarshal([]byte(value), &row) != nil || row.ID != id || !strings.HasPrefix(key, prefix) {
			continue
		}
		if made || json.Unmarshal([]byte(w.rows[key]), &was) == nil && row == was {
			return
		}
	}
	require.Fail(t, "sealed with a key that no row holds", "%s, key %s", scope, id)
}

// rowMaterial is what a row of a key authenticates.
type rowMaterial struct {
	ID, Commitment, Kind, Wrapped, Destroyed string
	Version                                  int
}
