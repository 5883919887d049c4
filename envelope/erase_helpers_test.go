package envelope_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// eraseFault is a Store whose n-th call fails: instead of its work, or after it.
type eraseFault struct {
	envelope.Store
	mu    sync.Mutex
	calls int
	at    int // 0 for none
	after bool
}

var errEraseFault = errors.New("cut off")

func (s *eraseFault) arm(at int, after bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls, s.at, s.after = 0, at, after
}

// met tells whether the call that fails was made.
func (s *eraseFault) met() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at != 0 && s.calls >= s.at
}

func (s *eraseFault) enter() (before, after error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	switch {
	case s.at == 0 || s.calls < s.at: // a process that was cut off does nothing more
		return nil, nil
	case s.after && s.calls == s.at:
		return nil, errEraseFault
	}
	return errEraseFault, nil
}

func (s *eraseFault) Get(ctx context.Context, key string) (envelope.Row, error) {
	before, after := s.enter()
	if before != nil {
		return envelope.Row{}, before
	}
	row, err := s.Store.Get(ctx, key)
	return row, errors.Join(err, after)
}

func (s *eraseFault) List(ctx context.Context, prefix, start string, limit int) ([]envelope.Row, error) {
	before, after := s.enter()
	if before != nil {
		return nil, before
	}
	rows, err := s.Store.List(ctx, prefix, start, limit)
	return rows, errors.Join(err, after)
}

func (s *eraseFault) Apply(ctx context.Context, changes ...envelope.Change) error {
	before, after := s.enter()
	if before != nil {
		return before
	}
	if err := s.Store.Apply(ctx, changes...); err != nil {
		return err
	}
	return after
}

// eraseKey returns a client of a KMS.
func eraseKey(t testing.TB, fake *kmstest.Fake) *kms.Key {
	t.Helper()
	key, err := kms.NewKey(fake.Driver(), &kms.Options{Attempts: 1, BreakAfter: 1000})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, key.Close()) })
	return key
}

// eraseRing returns a Keyring that stands for a process.
func eraseRing(t testing.TB, fake *kmstest.Fake, store envelope.Store, o *envelope.KeyringOptions) *envelope.Keyring {
	t.Helper()
	return eraseRingOf(t, eraseKey(t, fake), store, o)
}

func eraseRingOf(t testing.TB, key *kms.Key, store envelope.Store, o *envelope.KeyringOptions) *envelope.Keyring {
	t.Helper()
	r, err := envelope.NewKeyring("test", store, envelope.SingleRoot(key), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func eraseSeal(t testing.TB, s envelope.Scope) []byte {
	t.Helper()
	record, err := s.Seal(t.Context(), []byte("plaintext"), eraseBinding)
	require.NoError(t, err)
	return record
}

var (
	eraseBinding = envelope.Bind("people", "name")
	erasure      = envelope.Erasure{Ref: "DSR-118", Basis: "Art. 17(1)(b)"}
)

func requireOpens(t testing.TB, s envelope.Scope, record []byte) {
	t.Helper()
	got, err := s.Open(t.Context(), record, eraseBinding)
	require.NoError(t, err)
	require.Equal(t, "plaintext", string(got))
}

func requireErased(t testing.TB, s envelope.Scope, records ...[]byte) {
	t.Helper()
	for _, record := range records {
		_, err := s.Open(t.Context(), record, eraseBinding)
		require.ErrorIs(t, err, envelope.ErrErased)
		require.Equal(t, envelope.Skip, envelope.ActionFor(err))
	}
	_, err := s.Seal(t.Context(), nil, eraseBinding)
	require.ErrorIs(t, err, envelope.ErrErased)
}

// eraseRow is what the tests look at in the row of a head or key.
type eraseRow struct {
	Name       string          `json:"-"`
	Revision   uint64          `json:"-"`
	State      string          `json:"state"`
	Kind       string          `json:"kind"`
	ID         string          `json:"id"`
	Commitment string          `json:"commitment"`
	Wrapped    []byte          `json:"wrapped"`
	Closed     bool            `json:"closed"`
	Destroyed  *string         `json:"destroyed"`
	Erasure    json.RawMessage `json:"erasure"`
}

func eraseRows(t testing.TB, store envelope.Store, prefix string) []eraseRow {
	t.Helper()
	var all []eraseRow
	for _, row := range eraseDump(t, store, prefix) {
		r := eraseRow{Name: row.Key, Revision: row.Revision}
		require.NoError(t, json.Unmarshal(row.Value, &r), row.Key)
		all = append(all, r)
	}
	return all
}

func eraseDump(t testing.TB, store envelope.Store, prefix string) (all []envelope.Row) {
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

// requireBuried requires that no row under a prefix holds a key, and returns how many versions are destroyed.
func requireBuried(t testing.TB, store envelope.Store, prefix string) (tombstones int) {
	t.Helper()
	for _, r := range eraseRows(t, store, prefix) {
		require.Empty(t, r.Wrapped, r.Name)
		require.Empty(t, r.Commitment, r.Name)
		if strings.HasSuffix(r.Name, "/") {
			require.Equal(t, "erased", r.State)
			continue
		}
		require.NotNil(t, r.Destroyed, r.Name)
		tombstones++
	}
	return tombstones
}

// erasePut writes a row over whatever is there.
func erasePut(t testing.TB, store envelope.Store, key string, value []byte) {
	t.Helper()
	row, err := store.Get(t.Context(), key)
	require.NoError(t, err)
	row.Key, row.Value = key, value
	require.NoError(t, store.Apply(t.Context(), envelope.Change{Row: row}))
}

// eraseClone returns a store with the same rows.
func eraseClone(t testing.TB, store envelope.Store) *memstore.Store {
	t.Helper()
	clone := memstore.New()
	for rows := range slices.Chunk(eraseDump(t, store, ""), envelope.MaxChanges) {
		changes := make([]envelope.Change, len(rows))
		for i, row := range rows {
			changes[i].Key, changes[i].Value = row.Key, row.Value
		}
		require.NoError(t, clone.Apply(t.Context(), changes...))
	}
	return clone
}

// requireCleared does something, after which nothing is left in memory of the keys of scopes.
func requireCleared(t testing.TB, do func(), scopes ...envelope.Scope) {
	t.Helper()
	var keys []envelope.LiveKey
	for _, s := range scopes {
		keys = append(keys, envelope.LiveKeys(s)...)
	}
	require.GreaterOrEqual(t, len(keys), len(scopes))
	do()
	for _, k := range keys {
		require.True(t, k.Cleared(), k.Kind)
	}
	for _, s := range scopes {
		require.Empty(t, envelope.LiveKeys(s))
	}
}

func subjectRows(t testing.TB, store envelope.Store, tenant string) (prefixes []string) {
	t.Helper()
	for _, r := range eraseRows(t, store, "subject/"+tenant+"/") {
		if strings.HasSuffix(r.Name, "/") {
			prefixes = append(prefixes, r.Name)
		}
	}
	return prefixes
}

func recordKeyID(record []byte) aead.KeyID { return aead.KeyID(record[1:17]) }

func eraseName(i int) string { return fmt.Sprintf("person-%04d", i) }

func replaceOnce(s, from, to string) string { return strings.Replace(s, from, to, 1) }

// eraseAuditor keeps events, and refuses those with one outcome.
type eraseAuditor struct {
	mu     sync.Mutex
	events []envelope.Event
	refuse string
}

func (a *eraseAuditor) Record(_ context.Context, e envelope.Event) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = append(a.events, e)
	if a.refuse != "" && e.Outcome == a.refuse && e.Op == "erase" {
		return errEraseFault
	}
	return nil
}

// eraseLost is a Store that has lost the row of the fleet, once it is told to.
type eraseLost struct {
	envelope.Store
	lost bool
}

func (s *eraseLost) Get(ctx context.Context, key string) (envelope.Row, error) {
	if key == "fleet" && s.lost {
		return envelope.Row{}, nil
	}
	return s.Store.Get(ctx, key)
}
