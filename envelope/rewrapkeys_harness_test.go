package envelope_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// shakyStore fails or runs something before calls.
type shakyStore struct {
	envelope.Store
	mu       sync.Mutex
	calls    int
	failAt   int              // fails this call and all that follow, 0 for none
	after    bool             // does what it is asked before it fails
	failures map[string]error // by method
	before   func(changes []envelope.Change)
}

func (s *shakyStore) enter(method string) (error, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if err := s.failures[method]; err != nil {
		return err, false
	}
	if s.failAt > 0 && s.calls >= s.failAt {
		return fmt.Errorf("call %d", s.calls), s.after && s.calls == s.failAt
	}
	return nil, false
}

func (s *shakyStore) Get(ctx context.Context, key string) (envelope.Row, error) {
	if err, _ := s.enter("get"); err != nil {
		return envelope.Row{}, err
	}
	return s.Store.Get(ctx, key)
}

func (s *shakyStore) List(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
	if err, _ := s.enter("list"); err != nil {
		return nil, err
	}
	return s.Store.List(ctx, prefix, after, limit)
}

func (s *shakyStore) Apply(ctx context.Context, changes ...envelope.Change) error {
	err, done := s.enter("apply")
	if err != nil && !done {
		return err
	}
	if s.before != nil {
		s.before(changes)
	}
	if own := s.Store.Apply(ctx, changes...); own != nil {
		return own
	}
	return err
}

// fakeKey returns a KMS key of a client of the fake's.
func fakeKey(t testing.TB, fake *kmstest.Fake) *kms.Key {
	t.Helper()
	key, err := kms.NewKey(fake.Driver(), &kms.Options{Attempts: 1, BreakAfter: 1000, Timeout: time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, key.Close()) })
	return key
}

// rollingFakes returns a key that moves to the first fake from the second.
func rollingFakes(t testing.TB, to, from *kmstest.Fake) *kms.Key {
	t.Helper()
	key, err := kms.Rolling(fakeKey(t, to), fakeKey(t, from))
	require.NoError(t, err)
	return key
}

// ringOf returns a Keyring of the deployment that newKeyring's have, with a KMS key for all tenants.
func ringOf(t testing.TB, key *kms.Key, store envelope.Store, o *envelope.KeyringOptions) *envelope.Keyring {
	t.Helper()
	return ringOfRoot(t, envelope.SingleRoot(key), store, o)
}

func ringOfRoot(t testing.TB, root envelope.Root, store envelope.Store, o *envelope.KeyringOptions) *envelope.Keyring {
	t.Helper()
	r, err := envelope.NewKeyring("test", store, root, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// sealedBy is a record of a tenant or one of its subjects.
type sealedBy struct {
	tenant, subject string
	record          []byte
}

func (s sealedBy) scope(r *envelope.Keyring) envelope.Scope {
	if s.subject == "" {
		return r.Tenant(s.tenant)
	}
	return r.Tenant(s.tenant).Subject(s.subject)
}

// fill seals for each tenant, under two versions of its key, and for a person of each: four rows of keys a tenant.
func fill(t testing.TB, r *envelope.Keyring, tenants ...string) (all []sealedBy) {
	t.Helper()
	seal := func(tenant, subject string) {
		s := sealedBy{tenant: tenant, subject: subject}
		record, err := s.scope(r).Seal(t.Context(), []byte("of "+tenant+subject), binding)
		require.NoError(t, err)
		s.record = record
		all = append(all, s)
	}
	for _, tenant := range tenants {
		seal(tenant, "")
		_, err := r.Tenant(tenant).Rotate(t.Context())
		require.NoError(t, err)
		seal(tenant, "")
		seal(tenant, "ada")
	}
	return all
}

const rowsEach = 4 // that hold a key of a tenant, after fill

// requireOpen opens all records.
func requireOpen(t testing.TB, r *envelope.Keyring, all []sealedBy) {
	t.Helper()
	for _, s := range all {
		got, err := s.scope(r).Open(t.Context(), s.record, binding)
		require.NoError(t, err)
		require.Equal(t, "of "+s.tenant+s.subject, string(got))
	}
}

// keyRowOf is what tests look at in the row of a tenant's key.
type keyRowOf struct {
	Wrapped   []byte   `json:"wrapped"`
	Refs      []string `json:"refs"`
	Destroyed string   `json:"destroyed"`
}

// tenantKeys returns the rows of keys under a prefix, by name, without the tombstones.
func tenantKeys(t testing.TB, store envelope.Store, prefix string) map[string]keyRowOf {
	t.Helper()
	all := map[string]keyRowOf{}
	for _, row := range copyOf(t, store, prefix) {
		if strings.HasSuffix(row.Key, "/") {
			continue
		}
		var k keyRowOf
		require.NoError(t, json.Unmarshal(row.Value, &k))
		if k.Destroyed == "" {
			all[row.Key] = k
		}
	}
	return all
}

// copyOf returns the rows under a prefix.
func copyOf(t testing.TB, store envelope.Store, prefix string) (all []envelope.Row) {
	t.Helper()
	for after := ""; ; {
		page, err := store.List(t.Context(), prefix, after, 1000)
		require.NoError(t, err)
		all = append(all, page...)
		if len(page) < 1000 {
			return all
		}
		after = page[len(page)-1].Key
	}
}

// restored returns a store with copies of rows.
func restored(t testing.TB, rows []envelope.Row) *memstore.Store {
	t.Helper()
	store := memstore.New()
	for _, row := range rows {
		row.Revision = 0
		require.NoError(t, store.Apply(t.Context(), envelope.Change{Row: row}))
	}
	return store
}

// under returns the id of the KMS key that wraps the key in a row.
func (k keyRowOf) under(t testing.TB) string {
	t.Helper()
	w, _, err := kms.ParseWrapped(k.Wrapped)
	require.NoError(t, err)
	return w.KeyID
}

// requireUnder requires that all keys under a prefix are wrapped by one KMS key, and tells how many.
func requireUnder(t testing.TB, store envelope.Store, prefix, id string) int {
	t.Helper()
	keys := tenantKeys(t, store, prefix)
	for name, k := range keys {
		require.Equal(t, id, k.under(t), name)
	}
	return len(keys)
}
