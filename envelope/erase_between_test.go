package envelope_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// eraseBetween is a Store that does something before the next Apply, or before or after the next List of a sweep: what another process does meanwhile.
type eraseBetween struct {
	envelope.Store
	mu                  sync.Mutex
	apply, list, listed func()
}

func (s *eraseBetween) take(f *func()) {
	s.mu.Lock()
	do := *f
	*f = nil
	s.mu.Unlock()
	if do != nil {
		do()
	}
}

func (s *eraseBetween) Apply(ctx context.Context, changes ...envelope.Change) error {
	s.take(&s.apply)
	return s.Store.Apply(ctx, changes...)
}

func (s *eraseBetween) List(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
	if limit >= envelope.MaxChanges {
		return s.Store.List(ctx, prefix, after, limit)
	}
	s.take(&s.list)
	rows, err := s.Store.List(ctx, prefix, after, limit)
	s.take(&s.listed)
	return rows, err
}

// A hold that comes before the fence counts, whenever it comes.
func TestEraseHeldMeanwhile(t *testing.T) {
	type scopes struct {
		acme envelope.Tenant
		ada  envelope.Subject
	}
	erase := func(s scopes) error { _, err := s.ada.Erase(t.Context(), erasure); return err }
	destroy := func(s scopes) error { _, err := s.acme.Destroy(t.Context(), erasure, "acme"); return err }
	for name, test := range map[string]struct {
		erase func(s scopes) error
		hold  func(s scopes) error
	}{
		"subject":                      {erase, func(s scopes) error { return s.ada.Hold(t.Context(), "case-9") }},
		"tenant of the subject":        {erase, func(s scopes) error { return s.acme.Hold(t.Context(), "case-9") }},
		"tenant":                       {destroy, func(s scopes) error { return s.acme.Hold(t.Context(), "case-9") }},
		"subject of the tenant":        {destroy, func(s scopes) error { return s.ada.Hold(t.Context(), "case-9") }},
		"a new subject of the tenant":  {destroy, func(s scopes) error { return s.acme.Subject("new").Hold(t.Context(), "case-9") }},
		"the same that had no key yet": {func(s scopes) error { return erase(scopes{s.acme, s.acme.Subject("new")}) }, func(s scopes) error { return s.acme.Subject("new").Hold(t.Context(), "case-9") }},
	} {
		t.Run(name, func(t *testing.T) {
			fake, inner := kmstest.NewFake("key"), memstore.New()
			store := &eraseBetween{Store: inner}
			acme := eraseRing(t, fake, store, nil).Tenant("acme")
			record := eraseSeal(t, acme.Subject("ada"))
			other := eraseRing(t, fake, inner, nil).Tenant("acme")
			store.apply = func() { require.NoError(t, test.hold(scopes{other, other.Subject("ada")})) }
			require.ErrorIs(t, test.erase(scopes{acme, acme.Subject("ada")}), envelope.ErrHeld)
			require.Nil(t, store.apply)
			requireOpens(t, acme.Subject("ada"), record)
			requireOpens(t, other.Subject("ada"), record)
		})
	}
}

// A version that another process makes just before the fence is destroyed, too.
func TestEraseRotatedMeanwhile(t *testing.T) {
	fake, inner := kmstest.NewFake("key"), memstore.New()
	store := &eraseBetween{Store: inner}
	ada := eraseRing(t, fake, store, nil).Tenant("acme").Subject("ada")
	first := eraseSeal(t, ada)
	other := eraseRing(t, fake, inner, nil).Tenant("acme").Subject("ada")
	var second []byte
	store.apply = func() {
		_, err := other.Rotate(t.Context())
		require.NoError(t, err)
		second = eraseSeal(t, other)
	}
	receipt, err := ada.Erase(t.Context(), erasure)
	require.NoError(t, err)
	require.Len(t, receipt.Keys, 2)
	require.Equal(t, 2, requireBuried(t, inner, "subject/"))
	requireErased(t, ada, first, second)
}

// A repeat of an erasure does not destroy the keys of one who was readmitted meanwhile.
func TestEraseReadmittedMeanwhile(t *testing.T) {
	fake, inner := kmstest.NewFake("key"), memstore.New()
	store := &eraseBetween{Store: inner}
	ada := eraseRing(t, fake, store, nil).Tenant("acme").Subject("ada")
	eraseSeal(t, ada)
	_, err := ada.Erase(t.Context(), erasure)
	require.NoError(t, err)
	other := eraseRing(t, fake, inner, nil).Tenant("acme").Subject("ada")
	var record []byte
	store.list = func() {
		require.NoError(t, other.Readmit(t.Context(), "back"))
		record = eraseSeal(t, other)
	}
	_, err = ada.Erase(t.Context(), erasure)
	require.ErrorIs(t, err, envelope.ErrConflict)
	requireOpens(t, ada, record)
	requireOpens(t, eraseRing(t, fake, inner, nil).Tenant("acme").Subject("ada"), record)
}

// What is made under an old wrap key until it is closed is moved, and nothing is made under it later.
func TestCompactCreatedMeanwhile(t *testing.T) {
	fake, inner := kmstest.NewFake("key"), memstore.New()
	store := &eraseBetween{Store: inner}
	r := eraseRing(t, fake, store, nil)
	ada := eraseSeal(t, r.Tenant("acme").Subject("ada"))
	other := eraseRing(t, fake, inner, nil).Tenant("acme")
	requireOpens(t, other.Subject("ada"), ada)
	var bob, eve []byte
	store.apply = func() { // the new wrap key
		store.apply = func() { // ada's key
			store.apply = func() { bob = eraseSeal(t, other.Subject("bob")) } // closing the old one
		}
	}
	store.list = func() { // the first sweep
		store.list = func() { eve = eraseSeal(t, other.Subject("eve")) } // the second
	}
	done, err := r.Compact(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, 2, done.Rewrapped)
	require.Equal(t, 3, requireUnderLiving(t, inner, "acme"))
	for _, acme := range []envelope.Tenant{r.Tenant("acme"), other, eraseRing(t, fake, inner, nil).Tenant("acme")} {
		requireOpens(t, acme.Subject("ada"), ada)
		requireOpens(t, acme.Subject("bob"), bob)
		requireOpens(t, acme.Subject("eve"), eve)
	}
}

// Two runs of Compact that meet: neither destroys what the other has wrapped under.
func TestCompactMeetsCompact(t *testing.T) {
	for _, when := range []string{"make", "list", "list again", "move", "close", "destroy"} {
		t.Run(when, func(t *testing.T) {
			fake, inner := kmstest.NewFake("key"), memstore.New()
			store := &eraseBetween{Store: inner}
			r := eraseRing(t, fake, store, nil)
			ada := eraseSeal(t, r.Tenant("acme").Subject("ada"))
			other := eraseRing(t, fake, inner, nil)
			run := func() {
				_, err := other.Compact(t.Context(), "acme")
				require.NoError(t, err)
			}
			steps := map[string]int{"make": 0, "move": 1, "close": 2, "destroy": 3}
			next := run
			for range steps[when] {
				after := next
				next = func() { store.apply = after }
			}
			switch when {
			case "list":
				store.listed = run
			case "list again":
				store.listed = func() { store.listed = run }
			default:
				store.apply = next
			}
			_, err := r.Compact(t.Context(), "acme")
			require.NoError(t, err)
			require.Nil(t, store.apply)
			require.Nil(t, store.listed)
			require.Equal(t, 1, requireUnderLiving(t, inner, "acme"))
			_, living := compactWraps(t, inner, "acme")
			require.Len(t, living, 1)
			requireOpens(t, eraseRing(t, fake, inner, nil).Tenant("acme").Subject("ada"), ada)
		})
	}
}

// Nobody is readmitted to a tenant that is destroyed meanwhile.
func TestReadmitDestroyedMeanwhile(t *testing.T) {
	fake, inner := kmstest.NewFake("key"), memstore.New()
	store := &eraseBetween{Store: inner}
	ada := eraseRing(t, fake, store, nil).Tenant("acme").Subject("ada")
	eraseSeal(t, ada)
	_, err := ada.Erase(t.Context(), erasure)
	require.NoError(t, err)
	store.apply = func() {
		_, err := eraseRing(t, fake, inner, nil).Tenant("acme").Destroy(t.Context(), erasure, "acme")
		require.NoError(t, err)
	}
	require.ErrorIs(t, ada.Readmit(t.Context(), "back"), envelope.ErrErased)
	require.Nil(t, store.apply)
	require.Equal(t, 1, requireBuried(t, inner, "subject/"))
}

// Nothing is moved under a wrap key that is closed.
func TestCompactTargetClosed(t *testing.T) {
	fake, inner := kmstest.NewFake("key"), memstore.New()
	store := &eraseBetween{Store: inner}
	r := eraseRing(t, fake, store, nil)
	ada := eraseSeal(t, r.Tenant("acme").Subject("ada"))
	before := eraseRows(t, inner, "subject/")
	store.apply = func() { // the new wrap key
		store.apply = func() { // ada's key
			row, err := inner.Get(t.Context(), "tenant/acme/wrap/0000000002")
			require.NoError(t, err)
			erasePut(t, inner, row.Key, []byte(replaceOnce(string(row.Value), `"format":1`, `"format":1,"closed":true`)))
		}
	}
	_, err := r.Compact(t.Context(), "acme")
	require.NoError(t, err) // under the first wrap key, which is the newest now
	require.Equal(t, before, eraseRows(t, inner, "subject/"))
	requireOpens(t, eraseRing(t, fake, inner, nil).Tenant("acme").Subject("ada"), ada)
}
