package envelope_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

func TestDestroy(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	r := eraseRing(t, fake, store, nil)
	acme, other := r.Tenant("acme"), r.Tenant("acme2")
	warm := acme.Subject("ada")
	records := map[envelope.Scope][]byte{acme: eraseSeal(t, acme), warm: eraseSeal(t, warm), acme.Subject("bob"): eraseSeal(t, acme.Subject("bob"))}
	_, err := acme.Rotate(t.Context())
	require.NoError(t, err)
	_, err = acme.Subject("bob").Rotate(t.Context())
	require.NoError(t, err)
	others, person := eraseSeal(t, other), eraseSeal(t, other.Subject("ada"))
	earlier, err := acme.Subject("eve").Erase(t.Context(), envelope.Erasure{Ref: "earlier"})
	require.NoError(t, err)
	rows := eraseDump(t, store, "")

	for _, confirm := range []string{"", "acme2", "Acme"} {
		_, err := acme.Destroy(t.Context(), erasure, confirm)
		require.ErrorIs(t, err, kms.ErrInvalid)
	}
	require.Equal(t, rows, eraseDump(t, store, ""))

	fake.Always(kmstest.Fault{Err: kms.ErrAccessDenied}) // it needs no KMS
	var receipt *envelope.Receipt
	requireCleared(t, func() { receipt, err = acme.Destroy(t.Context(), erasure, "acme") }, acme, warm, acme.Subject("bob"))
	require.NoError(t, err)
	require.Empty(t, receipt.SubjectRef)
	require.Equal(t, "acme", receipt.Tenant)
	require.Len(t, receipt.Keys, 4) // two data keys, a lookup and a wrap key
	require.Equal(t, 3, receipt.Subjects)
	require.Equal(t, 3, receipt.SubjectKeys)
	require.Equal(t, []string{"fake:key"}, receipt.KMSKeys)
	require.Equal(t, 4, requireBuried(t, store, "tenant/acme/"))
	require.Equal(t, 3, requireBuried(t, store, "subject/acme/"))
	fake.Always()

	cold := eraseRing(t, fake, store, nil)
	for _, ring := range []*envelope.Keyring{r, cold} {
		acme := ring.Tenant("acme")
		requireErased(t, acme, records[r.Tenant("acme")])
		for _, record := range records {
			requireErased(t, acme.Subject("ada"), record)
		}
		requireErased(t, acme.Subject("new"))
		_, err = acme.Rotate(t.Context())
		require.ErrorIs(t, err, envelope.ErrErased)
		require.ErrorIs(t, acme.Enable(t.Context()), envelope.ErrErased)
		require.ErrorIs(t, acme.Hold(t.Context(), "case"), envelope.ErrErased)
		_, err = acme.Subject("ada").Erase(t.Context(), erasure)
		require.ErrorIs(t, err, envelope.ErrErased)
		_, err = ring.Compact(t.Context(), "acme")
		require.ErrorIs(t, err, envelope.ErrErased)
		requireOpens(t, ring.Tenant("acme2"), others)
		requireOpens(t, ring.Tenant("acme2").Subject("ada"), person)
		again, err := acme.Destroy(t.Context(), envelope.Erasure{Ref: "another"}, "acme")
		require.NoError(t, err)
		require.Equal(t, receipt, again)
	}
	require.NotEqual(t, earlier.SubjectRef, "")
}

func TestDestroyHeld(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	acme := eraseRing(t, fake, store, nil).Tenant("acme")
	record := eraseSeal(t, acme)
	for name, scope := range map[string]envelope.Scope{"tenant": acme, "subject": acme.Subject("ada"), "subject without a key": acme.Subject("bob")} {
		if name == "subject" {
			eraseSeal(t, scope)
		}
		require.NoError(t, scope.Hold(t.Context(), "case-9"))
		rows := eraseDump(t, store, "")
		_, err := acme.Destroy(t.Context(), erasure, "acme")
		require.ErrorIs(t, err, envelope.ErrHeld, name)
		require.Equal(t, rows, eraseDump(t, store, ""))
		requireOpens(t, acme, record)
		require.NoError(t, scope.Release(t.Context(), "case-9"))
	}
	_, err := acme.Destroy(t.Context(), erasure, "acme")
	require.NoError(t, err)
	require.ErrorIs(t, acme.Subject("ada").Hold(t.Context(), "late"), envelope.ErrErased)
}

// A tenant of 300 subjects, whose destruction is cut off at whatever call.
func TestDestroyCutOff(t *testing.T) {
	fake, full := kmstest.NewFake("key"), memstore.New()
	const people = 300
	acme := eraseRing(t, fake, full, nil).Tenant("acme")
	records := [][]byte{eraseSeal(t, acme)}
	for i := range people {
		records = append(records, eraseSeal(t, acme.Subject(eraseName(i))))
	}
	_, err := acme.Subject(eraseName(7)).Rotate(t.Context())
	require.NoError(t, err)
	eraseEach(t, func(t *testing.T, arm func(*eraseFault)) bool {
		inner := eraseClone(t, full)
		store := &eraseFault{Store: inner}
		acme := eraseRing(t, fake, store, nil).Tenant("acme")
		requireOpens(t, acme, records[0])
		requireOpens(t, acme.Subject(eraseName(1)), records[2])
		arm(store)
		receipt, err := acme.Destroy(t.Context(), erasure, "acme")
		met := store.met()
		store.arm(0, false)
		if !met {
			require.NoError(t, err)
		} else if err != nil {
			require.ErrorIs(t, err, errEraseFault)
		}
		cold := eraseRing(t, fake, inner, nil).Tenant("acme")
		if state := eraseRows(t, inner, "tenant/acme/")[0].State; state == "active" {
			require.Error(t, err)
			requireOpens(t, acme, records[0])
			requireOpens(t, cold.Subject(eraseName(299)), records[300])
		} else {
			for _, acme := range []envelope.Tenant{acme, cold} {
				requireErased(t, acme, records[0])
				requireErased(t, acme.Subject(eraseName(1)), records[2])
				requireErased(t, acme.Subject("new"))
			}
		}
		again, err := cold.Destroy(t.Context(), erasure, "acme")
		require.NoError(t, err)
		if receipt != nil {
			require.Equal(t, receipt, again)
		}
		receipt = again
		require.Equal(t, people, receipt.Subjects)
		require.Equal(t, people+1, receipt.SubjectKeys)
		require.Len(t, receipt.Keys, 3)
		require.Equal(t, people+1, requireBuried(t, inner, "subject/acme/"))
		require.Equal(t, 3, requireBuried(t, inner, "tenant/acme/"))
		return met
	})
}

// Whatever goes on in the tenant meanwhile, no key is left.
func TestDestroyDuringUse(t *testing.T) {
	for round := range 4 {
		fake, store := kmstest.NewFake("key"), memstore.New()
		rings := []*envelope.Keyring{eraseRing(t, fake, store, nil), eraseRing(t, fake, store, nil)}
		for i := range 20 {
			eraseSeal(t, rings[0].Tenant("acme").Subject(eraseName(i)))
		}
		var wg sync.WaitGroup
		begun := make(chan struct{}, 8)
		for i := range 8 {
			r := rings[i%2]
			acme := r.Tenant("acme")
			wg.Go(func() {
				for n := 0; ; n++ {
					var err error
					s := acme.Subject(fmt.Sprintf("new %d %d", i, n))
					switch {
					case i < 4:
						_, err = s.Seal(t.Context(), nil, eraseBinding)
					case i == 4:
						_, err = acme.Subject(eraseName(n % 20)).Rotate(t.Context())
					case i == 5:
						_, err = r.Compact(t.Context(), "acme")
					case i == 6:
						if _, err = s.Erase(t.Context(), erasure); err == nil {
							err = s.Readmit(t.Context(), "back")
						}
					default:
						_, err = acme.Rotate(t.Context())
					}
					if n == 0 {
						begun <- struct{}{}
					}
					if errors.Is(err, envelope.ErrErased) {
						return
					}
					if err != nil && !errors.Is(err, envelope.ErrConflict) {
						t.Errorf("unexpected of %d: %v", i, err)
						return
					}
				}
			})
		}
		for range 2 * round {
			<-begun
		}
		var err error
		for err = envelope.ErrConflict; errors.Is(err, envelope.ErrConflict); {
			_, err = rings[1].Tenant("acme").Destroy(t.Context(), erasure, "acme")
		}
		require.NoError(t, err)
		wg.Wait()
		for _, r := range eraseRows(t, store, "") {
			require.Empty(t, r.Wrapped, r.Name)
		}
		requireErased(t, eraseRing(t, fake, store, nil).Tenant("acme").Subject(eraseName(1)))
	}
}

// Another process with warm keys of subjects ceases to use them.
func TestDestroyReachesOtherProcesses(t *testing.T) {
	envelope.NeedClock(t)
	bubble.Test(t, func(t *testing.T) {
		fake, store := kmstest.NewFake("key"), memstore.New()
		acme := eraseRing(t, fake, store, nil).Tenant("acme")
		other := eraseRing(t, fake, store, nil).Tenant("acme")
		record, person := eraseSeal(t, acme), eraseSeal(t, acme.Subject("ada"))
		requireOpens(t, other, record)
		requireOpens(t, other.Subject("ada"), person)
		receipt, err := acme.Destroy(t.Context(), erasure, "acme")
		require.NoError(t, err)
		requireOpens(t, other.Subject("ada"), person) // warm yet
		time.Sleep(time.Until(receipt.CachesClearBy))
		requireErased(t, other.Subject("ada"), person)
		requireErased(t, other, record)
	})
}
