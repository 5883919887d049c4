package envelope_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// verdicts are what only this package says of records and keys.
var verdicts = []error{
	envelope.ErrErased, envelope.ErrWrongScope, envelope.ErrUnknownKey, envelope.ErrHeld, envelope.ErrDisabled, envelope.ErrOpen, envelope.ErrFormat,
	envelope.ErrTruncated, envelope.ErrUnbound, envelope.ErrTooLarge, envelope.ErrConflict,
}

// auditorFunc is an Auditor.
type auditorFunc func(e envelope.Event) error

func (f auditorFunc) Record(_ context.Context, e envelope.Event) error { return f(e) }

// TestForeignVerdicts has a Root, an Auditor or a Store fail with what this package says of records: it is an outage all the same, and no record is thrown away for it.
func TestForeignVerdicts(t *testing.T) {
	for _, verdict := range verdicts {
		for _, who := range []string{"root", "auditor", "store"} {
			t.Run(who+" "+envelope.Class(verdict), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					fails := map[string]*atomic.Bool{"root": {}, "auditor": {}, "store": {}}
					fail := func(part string) error {
						if fails[part].Load() {
							return fmt.Errorf("nested keyring: %w", verdict)
						}
						return nil
					}
					key, err := kms.NewKey(kmstest.NewFake("key").Driver(), &kms.Options{Attempts: 1, BreakAfter: 1000})
					require.NoError(t, err)
					defer key.Close()
					store := &watchedStore{Store: memstore.New()}
					r, err := envelope.NewKeyring("test", store,
						func(context.Context, string) (*kms.Key, error) { return key, fail("root") },
						&envelope.KeyringOptions{Audit: auditorFunc(func(envelope.Event) error { return fail("auditor") })})
					require.NoError(t, err)
					defer r.Close()
					acme := warm(t, r.Tenant("acme"))
					fails[who].Store(true)
					if who == "store" && verdict != envelope.ErrConflict { // which a Store may say
						store.set(fail(who))
					}
					for _, err := range []error{sealFor(t, r.Tenant("cold")), r.Tenant("acme").Hold(t.Context(), "case 1")} {
						if err != nil {
							require.Equal(t, envelope.Retry, envelope.ActionFor(err), err)
							require.NotErrorIs(t, err, verdict)
						}
					}
					sleep(6 * time.Minute) // the rows are too old
					if err := acme.open(t); err != nil {
						require.Equal(t, envelope.Retry, envelope.ActionFor(err), err)
						require.NotErrorIs(t, err, verdict)
					}
					fails[who].Store(false)
					store.set(nil)
					sleep(3 * time.Second)
					acme.open(t)
					sleep(3 * time.Second)
					require.NoError(t, acme.both(t), "it comes back")
				})
			})
		}
	}
}

// TestKMSRefusalIsNoConflict has a driver say that a call conflicts: that is no reason to try again.
func TestKMSRefusalIsNoConflict(t *testing.T) {
	fake := kmstest.NewFake("key")
	fake.Always(kmstest.Fault{Op: "wrap", Err: fmt.Errorf("%w: %w", kms.ErrAccessDenied, envelope.ErrConflict)})
	r := newKeyring(t, fake, memstore.New(), nil)
	err := sealFor(t, r.Tenant("acme"))
	require.ErrorIs(t, err, kms.ErrAccessDenied)
	require.Equal(t, 1, fake.Count("wrap"))
}

func TestHoldTakesTextOnly(t *testing.T) {
	acme := newKeyring(t, kmstest.NewFake("key"), memstore.New(), nil).Tenant("acme")
	require.ErrorIs(t, acme.Hold(t.Context(), "case \xff"), kms.ErrInvalid)
	require.ErrorIs(t, acme.Hold(t.Context(), ""), kms.ErrInvalid)
	require.NoError(t, acme.Hold(t.Context(), "case ÿ"))
	require.NoError(t, acme.Release(t.Context(), "case ÿ"))
}

// TestStaleTrustsNoRow edits the row that a key's id names: nothing but the rows of one scope is read for it.
func TestStaleTrustsNoRow(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	acme := warm(t, newKeyring(t, fake, store, nil).Tenant("acme"))
	for _, name := range []string{
		"tenant/data/0000000001", "data/0000000001", "/data/0000000001", "tenant//data/0000000001x", "tenant/acme/data/1", "tenant/acme/data/00000000001", "tenant/acme/data/", "subject/acme/data/0000000001",
		"subject/acme/xx/data/0000000001", "subject//data/0000000001", "fleet", "id/data/0000000001", "tenant/ac%6De/data/0000000001",
	} {
		editRow(t, store, "id/"+aead.KeyID(acme.record[1:17]).String(), func(row map[string]any) { row["row"] = name })
		watched := newHaltStore(store, func(op, key string, _ []byte) bool {
			require.False(t, op == "list", "lists %s for %s", key, name)
			return false
		})
		_, err := newKeyring(t, fake, watched, nil).Stale(t.Context(), acme.record)
		require.ErrorIs(t, err, envelope.ErrFormat, name)
	}
}

// TestHighestVersion has a row be of the highest version that a name can hold.
func TestHighestVersion(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	acme := warm(t, newKeyring(t, fake, store, nil).Tenant("acme"))
	require.NoError(t, store.Apply(t.Context(), envelope.Change{Row: envelope.Row{Key: "tenant/acme/data/9999999999", Value: []byte("garbage")}}))
	r := newKeyring(t, fake, store, nil)
	require.NoError(t, warmed{r.Tenant("acme"), acme.record}.both(t))
	_, err := r.Tenant("acme").Rotate(t.Context())
	require.ErrorIs(t, err, envelope.ErrFormat)
	rows, err := store.List(t.Context(), "tenant/acme/data/", "", 10)
	require.NoError(t, err)
	require.Len(t, rows, 2)
}

// TestWrongScopeIsRemembered asks again and again for a record of another's: the store is asked in pauses.
func TestWrongScopeIsRemembered(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, nil)
		keys := warmAll(t, g.Tenant("acme").Subject("ada"), g.Tenant("acme").Subject("bob"), g.Tenant("other"))
		calls := g.store.calls.Load()
		for range 100 {
			for _, w := range keys[1:] {
				_, err := keys[0].Open(t.Context(), w.record, binding)
				require.ErrorIs(t, err, envelope.ErrWrongScope)
			}
		}
		require.LessOrEqual(t, g.store.calls.Load()-calls, int64(6))
	})
}

// TestLookupKeyIsNotReplaced has the row of the key that finds subjects be lost: no other one is made while there are subjects, who would not be found under it.
func TestLookupKeyIsNotReplaced(t *testing.T) {
	const name = "tenant/acme/lookup/0000000001"
	for what, edit := range map[string]func(row envelope.Row) (envelope.Row, bool){
		"gone":        func(row envelope.Row) (envelope.Row, bool) { return row, row.Key != name },
		"a tombstone": rowEdit(name, func(row map[string]any) { row["destroyed"] = "2026-01-01T00:00:00Z" }),
		"closed":      rowEdit(name, func(row map[string]any) { row["closed"] = true }),
	} {
		t.Run(what, func(t *testing.T) {
			fake, store := kmstest.NewFake("key"), &watchedStore{Store: memstore.New()}
			r := newKeyring(t, fake, store, nil)
			ada := warm(t, r.Tenant("acme").Subject("ada"))
			_, err := r.Tenant("acme").Subject("bob").Erase(t.Context(), envelope.Erasure{Ref: "case 1"})
			require.NoError(t, err)
			before, err := store.List(t.Context(), "", "", 100)
			require.NoError(t, err)
			store.edit(edit)
			cold := newKeyring(t, fake, store, nil).Tenant("acme")
			for _, id := range []string{"ada", "bob", "new"} {
				require.ErrorIs(t, sealFor(t, cold.Subject(id)), envelope.ErrFormat)
				_, err := cold.Subject(id).Erase(t.Context(), envelope.Erasure{Ref: "case 2"})
				require.ErrorIs(t, err, envelope.ErrFormat)
				require.ErrorIs(t, cold.Subject(id).Disable(t.Context(), "why"), envelope.ErrFormat)
			}
			require.NoError(t, sealFor(t, cold), "the tenant itself goes on")
			store.edit(nil)
			after, err := store.List(t.Context(), "subject/", "", 100)
			require.NoError(t, err)
			require.Subset(t, before, after)
			again := newKeyring(t, fake, store, nil).Tenant("acme")
			require.NoError(t, warmed{again.Subject("ada"), ada.record}.both(t), "it is restored")
			require.ErrorIs(t, sealFor(t, again.Subject("bob")), envelope.ErrErased)
		})
	}
}
