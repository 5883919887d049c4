package envelope_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

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
	key, err := kms.NewKey(fake.Driver(), &kms.Options{Attempts: 1, BreakAfter: 1000})
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

func TestRewrap(t *testing.T) {
	ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
	before := ringOf(t, fakeKey(t, ours), store, nil)
	records := fill(t, before, "acme", "a/b", "zulu")
	require.NoError(t, before.Tenant("zulu").Disable(t.Context(), "late bills"))
	subjects, data := copyOf(t, store, "subject/"), tenantKeys(t, store, "tenant/")
	require.Len(t, data, 3*rowsEach)

	r := ringOf(t, rollingFakes(t, theirs, ours), store, nil)
	report, err := r.Rewrap(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, envelope.Report{Cursor: "tenant/zulu/wrap/0000000001", Keys: 12, Rewrapped: 12}, report)
	require.Equal(t, 12, requireUnder(t, store, "tenant/", "theirs"))
	require.Equal(t, subjects, copyOf(t, store, "subject/"), "keys of subjects hang under wrap keys")
	for name, k := range tenantKeys(t, store, "tenant/") {
		require.Equal(t, []string{"fake:ours", "fake:theirs"}, k.Refs, name)
	}
	require.Equal(t, []int{12, 12}, []int{theirs.Count("wrap"), theirs.Count("unwrap")}, "each new blob is opened before it is written")

	report, err = r.Rewrap(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, envelope.Report{Cursor: "tenant/zulu/wrap/0000000001", Keys: 12, Fresh: 12}, report)
	require.Equal(t, 12, theirs.Count("wrap"))

	after := ringOf(t, fakeKey(t, theirs), store, nil)
	require.NoError(t, after.Tenant("zulu").Enable(t.Context()))
	requireOpen(t, after, records)
	requireOpen(t, r, records)

	back, err := ringOf(t, rollingFakes(t, ours, theirs), store, nil).Rewrap(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, 12, back.Rewrapped)
	for name, k := range tenantKeys(t, store, "tenant/") {
		require.Equal(t, []string{"fake:ours", "fake:theirs"}, k.Refs, name)
	}
}

func TestRewrapNewVersion(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	records := fill(t, ringOf(t, fakeKey(t, fake), store, nil), "acme")
	fake.Rotate()
	r := ringOf(t, fakeKey(t, fake), store, nil) // a process that has not heard of the version
	dry, err := r.Rewrap(t.Context(), &envelope.RewrapOptions{DryRun: true})
	require.NoError(t, err)
	require.Equal(t, rowsEach, dry.Rewrapped)
	report, err := r.Rewrap(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, rowsEach, report.Rewrapped)
	for name, k := range tenantKeys(t, store, "tenant/") {
		w, _, err := kms.ParseWrapped(k.Wrapped)
		require.NoError(t, err)
		require.Equal(t, "2", w.Version, name)
		require.Equal(t, []string{"fake:key"}, k.Refs, name)
	}
	requireOpen(t, r, records)
}

func TestRewrapDryRun(t *testing.T) {
	ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
	fill(t, ringOf(t, fakeKey(t, ours), store, nil), "acme", "zulu")
	key := rollingFakes(t, theirs, ours)
	_, err := ringOf(t, key, store, nil).Rewrap(t.Context(), &envelope.RewrapOptions{Tenants: []string{"zulu"}})
	require.NoError(t, err)
	rows := copyOf(t, store, "")
	calls := []int{ours.Count("wrap"), ours.Count("unwrap"), theirs.Count("wrap"), theirs.Count("unwrap")}

	events := &eventLog{}
	report, err := ringOf(t, key, store, &envelope.KeyringOptions{Audit: events}).Rewrap(t.Context(), &envelope.RewrapOptions{DryRun: true})
	require.NoError(t, err)
	require.Equal(t, envelope.Report{Cursor: "tenant/zulu/wrap/0000000001", Keys: 8, Rewrapped: 4, Fresh: 4}, report)
	require.Equal(t, rows, copyOf(t, store, ""))
	require.Equal(t, calls, []int{ours.Count("wrap"), ours.Count("unwrap"), theirs.Count("wrap"), theirs.Count("unwrap")})
	require.Empty(t, events.all)
}

func TestRewrapSomeTenants(t *testing.T) {
	ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
	fill(t, ringOf(t, fakeKey(t, ours), store, nil), "a", "a-b", "b", "c")
	r := ringOf(t, rollingFakes(t, theirs, ours), store, nil)
	for name, c := range map[string]struct {
		tenants []string
		keys    int
	}{
		"none":           {[]string{}, 0},
		"unknown":        {[]string{"d"}, 0},
		"two, and twice": {[]string{"c", "a", "c"}, 2 * rowsEach},
	} {
		report, err := r.Rewrap(t.Context(), &envelope.RewrapOptions{Tenants: c.tenants})
		require.NoError(t, err, name)
		require.Equal(t, c.keys, report.Keys, name)
	}
	for tenant, id := range map[string]string{"a": "theirs", "a-b": "ours", "b": "ours", "c": "theirs"} {
		require.Equal(t, rowsEach, requireUnder(t, store, "tenant/"+tenant+"/", id), tenant)
	}
}

func TestRewrapRefuses(t *testing.T) {
	r := newKeyring(t, kmstest.NewFake("key"), memstore.New(), nil)
	for name, o := range map[string]envelope.RewrapOptions{
		"workers":           {Workers: -1},
		"many workers":      {Workers: 257},
		"pace":              {PerSecond: -1},
		"fast pace":         {PerSecond: 10_001},
		"no tenant":         {Tenants: []string{""}},
		"odd tenant":        {Tenants: []string{"\xff"}},
		"cursor":            {Cursor: "acme"},
		"cursor of subject": {Cursor: "subject/acme/00/data/0000000001"},
		"cursor cut":        {Cursor: "tenant/acme"},
		"cursor escaped":    {Cursor: "tenant/%zz/data/0000000001"},
		"long cursor":       {Cursor: "tenant/acme/" + strings.Repeat("x", envelope.MaxRowKey)},
	} {
		_, err := r.Rewrap(t.Context(), &o)
		require.ErrorIs(t, err, kms.ErrInvalid, name)
	}
	fake, store := kmstest.NewFake("key"), memstore.New()
	fill(t, newKeyring(t, fake, store, nil), "acme")
	fake.Rotate()
	calls := fake.Count("")
	other, err := envelope.NewKeyring("other", store, envelope.SingleRoot(fakeKey(t, fake)), nil)
	require.NoError(t, err)
	defer other.Close()
	report, err := other.Rewrap(t.Context(), nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.Zero(t, report, "nothing of another deployment is looked at")
	require.Equal(t, calls, fake.Count(""))

	_, err = (*envelope.Keyring)(nil).Rewrap(t.Context(), nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.NoError(t, r.Close())
	_, err = r.Rewrap(t.Context(), nil)
	require.ErrorIs(t, err, envelope.ErrClosed)
}

// eventLog keeps events.
type eventLog struct {
	mu   sync.Mutex
	all  []envelope.Event
	fail func(envelope.Event) error
}

func (l *eventLog) Record(_ context.Context, e envelope.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, e)
	if l.fail != nil {
		return l.fail(e)
	}
	return nil
}

func TestRewrapAudit(t *testing.T) {
	ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
	fill(t, ringOf(t, fakeKey(t, ours), store, nil), "acme")
	key := rollingFakes(t, theirs, ours)

	refusing := &eventLog{fail: func(envelope.Event) error { return context.DeadlineExceeded }}
	report, err := ringOf(t, key, store, &envelope.KeyringOptions{Audit: refusing}).Rewrap(t.Context(), nil)
	require.ErrorIs(t, err, envelope.ErrUnavailable)
	require.Equal(t, rowsEach, report.Failed)
	require.Equal(t, rowsEach, requireUnder(t, store, "tenant/", "ours"))
	require.Zero(t, theirs.Count("wrap"))

	events := &eventLog{}
	_, err = ringOf(t, key, store, &envelope.KeyringOptions{Audit: events}).
		Rewrap(envelope.WithActor(t.Context(), "ops", "move to theirs"), &envelope.RewrapOptions{Workers: 1})
	require.NoError(t, err)
	require.Len(t, events.all, 2*rowsEach)
	ids := map[string]bool{}
	for i, e := range events.all {
		require.Equal(t, []string{"rewrap", "acme", "", "ops", "move to theirs"}, []string{e.Op, e.Tenant, e.SubjectRef, e.Actor, e.Purpose})
		require.Equal(t, []string{envelope.Started, envelope.Done}[i%2], e.Outcome)
		ids[e.KeyID.String()] = true
	}
	require.Len(t, ids, rowsEach)
}
