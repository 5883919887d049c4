package envelope_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

func TestErase(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	r := eraseRing(t, fake, store, nil)
	acme := r.Tenant("acme")
	ada, bob := acme.Subject("ada"), acme.Subject("bob")
	var records [][]byte
	var ids []aead.KeyID
	for range 3 {
		record := eraseSeal(t, ada)
		records, ids = append(records, record), append(ids, recordKeyID(record))
		_, err := ada.Rotate(t.Context())
		require.NoError(t, err)
	}
	last := eraseSeal(t, ada)
	records, ids = append(records, last), append(ids, recordKeyID(last))
	bobs, acmes := eraseSeal(t, bob), eraseSeal(t, acme)

	start := time.Now().Add(-time.Millisecond)
	var receipt *envelope.Receipt
	var err error
	requireCleared(t, func() { receipt, err = ada.Erase(t.Context(), erasure) }, ada)
	require.NoError(t, err)
	require.Equal(t, ids, receipt.Keys)
	require.Equal(t, "test", receipt.Deployment)
	require.Equal(t, "acme", receipt.Tenant)
	require.Regexp(t, "^[0-9a-f]{64}$", receipt.SubjectRef)
	require.Equal(t, erasure.Ref, receipt.Ref)
	require.Equal(t, erasure.Basis, receipt.Basis)
	require.Equal(t, []string{"fake:key"}, receipt.KMSKeys)
	require.False(t, receipt.Requested.Before(start))
	require.False(t, receipt.Fenced.Before(receipt.Requested))
	require.False(t, receipt.Destroyed.Before(receipt.Fenced))
	require.False(t, receipt.Destroyed.After(time.Now()))
	require.False(t, receipt.CachesClearBy.Before(receipt.Fenced.Add(5*time.Minute)))
	require.Less(t, receipt.CachesClearBy.Sub(receipt.Destroyed), 5*time.Minute+5*time.Second)
	require.True(t, receipt.BackupsUnreadableAfter.IsZero())
	require.NotEmpty(t, receipt.Note)

	require.Equal(t, 4, requireBuried(t, store, "subject/acme/"+receipt.SubjectRef+"/"))
	requireErased(t, ada, records...)
	other := eraseRing(t, fake, store, nil)
	requireErased(t, other.Tenant("acme").Subject("ada"), records...)
	for _, r := range []*envelope.Keyring{r, other} {
		requireOpens(t, r.Tenant("acme").Subject("bob"), bobs)
		requireOpens(t, r.Tenant("acme"), acmes)
	}
	said := (*envelope.Error)(nil)
	_, err = ada.Open(t.Context(), last, eraseBinding)
	require.ErrorAs(t, err, &said)
	require.Equal(t, erasure.Ref, said.Ref)
	require.Equal(t, receipt.Destroyed, said.Since)

	// No way to a new key.
	for name, do := range map[string]func(s envelope.Subject) error{
		"rotate":  func(s envelope.Subject) error { _, err := s.Rotate(t.Context()); return err },
		"create":  func(s envelope.Subject) error { _, err := s.Create(t.Context()); return err },
		"enable":  func(s envelope.Subject) error { return s.Enable(t.Context()) },
		"disable": func(s envelope.Subject) error { return s.Disable(t.Context(), "why") },
		"hold":    func(s envelope.Subject) error { return s.Hold(t.Context(), "case") },
		"reseal":  func(s envelope.Subject) error { _, err := s.Reseal(t.Context(), last, eraseBinding); return err },
	} {
		require.ErrorIs(t, do(ada), envelope.ErrErased, name)
		require.ErrorIs(t, do(other.Tenant("acme").Subject("ada")), envelope.ErrErased, name)
	}
	_, err = r.Stale(t.Context(), last)
	require.ErrorIs(t, err, envelope.ErrErased)
	n := 0
	for info, err := range ada.Versions(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, ids[n], info.ID)
		require.False(t, info.Destroyed.IsZero())
		n++
	}
	require.Equal(t, 4, n)

	// The same facts again, under whatever reference.
	rows := eraseDump(t, store, "")
	for _, r := range []*envelope.Keyring{r, other} {
		again, err := r.Tenant("acme").Subject("ada").Erase(t.Context(), envelope.Erasure{Ref: "another"})
		require.NoError(t, err)
		require.Equal(t, receipt, again)
	}
	require.Equal(t, rows, eraseDump(t, store, ""))
}

func TestEraseNeverSeen(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	r := eraseRing(t, fake, store, nil)
	ada := r.Tenant("acme").Subject("ada")
	receipt, err := ada.Erase(t.Context(), erasure)
	require.NoError(t, err)
	require.Empty(t, receipt.Keys)
	require.Empty(t, receipt.KMSKeys)
	require.True(t, receipt.BackupsUnreadableAfter.IsZero())
	requireErased(t, ada)
	requireErased(t, eraseRing(t, fake, store, nil).Tenant("acme").Subject("ada"))
	again, err := ada.Erase(t.Context(), erasure)
	require.NoError(t, err)
	require.Equal(t, receipt, again)
	eraseSeal(t, r.Tenant("acme").Subject("bob"))
}

func TestEraseDisabled(t *testing.T) {
	for name, disable := range map[string]func(acme envelope.Tenant, ada envelope.Subject) error{
		"subject": func(_ envelope.Tenant, ada envelope.Subject) error { return ada.Disable(t.Context(), "why") },
		"tenant":  func(acme envelope.Tenant, _ envelope.Subject) error { return acme.Disable(t.Context(), "why") },
	} {
		t.Run(name, func(t *testing.T) {
			fake, store := kmstest.NewFake("key"), memstore.New()
			acme := eraseRing(t, fake, store, nil).Tenant("acme")
			record := eraseSeal(t, acme.Subject("ada"))
			require.NoError(t, disable(acme, acme.Subject("ada")))
			cold := eraseRing(t, fake, store, nil).Tenant("acme")
			receipt, err := cold.Subject("ada").Erase(t.Context(), erasure)
			require.NoError(t, err)
			require.Len(t, receipt.Keys, 1)
			require.Equal(t, 1, requireBuried(t, store, "subject/"))
			if name == "tenant" {
				_, err = cold.Seal(t.Context(), nil, eraseBinding)
				require.ErrorIs(t, err, envelope.ErrDisabled)
				require.NoError(t, cold.Enable(t.Context()))
			}
			requireErased(t, cold.Subject("ada"), record)
		})
	}
}

func TestEraseHeld(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	acme := eraseRing(t, fake, store, nil).Tenant("acme")
	ada := acme.Subject("ada")
	record := eraseSeal(t, ada)
	for name, scope := range map[string]envelope.Scope{"subject": ada, "tenant": acme} {
		require.NoError(t, scope.Hold(t.Context(), "case-9"))
		rows := eraseDump(t, store, "")
		_, err := ada.Erase(t.Context(), erasure)
		require.ErrorIs(t, err, envelope.ErrHeld, name)
		said := (*envelope.Error)(nil)
		require.ErrorAs(t, err, &said)
		require.Equal(t, "case-9", said.Ref)
		require.Equal(t, rows, eraseDump(t, store, ""))
		requireOpens(t, ada, record)
		require.NoError(t, scope.Release(t.Context(), "case-9"))
	}
	require.NoError(t, acme.Subject("bob").Hold(t.Context(), "case-9")) // another's
	_, err := ada.Erase(t.Context(), erasure)
	require.NoError(t, err)
	requireErased(t, ada, record)
}

func TestEraseRefuses(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	acme := eraseRing(t, fake, store, nil).Tenant("acme")
	long := string(make([]byte, 256))
	for name, e := range map[string]envelope.Erasure{
		"no ref": {}, "long ref": {Ref: long}, "bad ref": {Ref: "\xff"}, "long basis": {Ref: "x", Basis: long}, "bad basis": {Ref: "x", Basis: "\xff"},
		"nil key": {Ref: "x", Retired: []*kms.Key{nil}},
	} {
		_, err := acme.Subject("ada").Erase(t.Context(), e)
		require.ErrorIs(t, err, kms.ErrInvalid, name)
		_, err = acme.Destroy(t.Context(), e, "acme")
		require.ErrorIs(t, err, kms.ErrInvalid, name)
	}
	_, err := envelope.Subject{}.Erase(t.Context(), erasure)
	require.ErrorIs(t, err, kms.ErrInvalid)
	_, err = acme.Subject("").Erase(t.Context(), erasure)
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.Empty(t, eraseDump(t, store, ""))
	fake.Always(kmstest.Fault{Err: kms.ErrUnavailable})
	_, err = acme.Subject("ada").Erase(t.Context(), erasure)
	require.ErrorIs(t, err, kms.ErrUnavailable)
}

// Rows that were damaged or put there hold nothing afterwards, either.
func TestEraseDamagedRows(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	acme := eraseRing(t, fake, store, nil).Tenant("acme")
	ada, bob := acme.Subject("ada"), acme.Subject("bob")
	records := [][]byte{eraseSeal(t, ada)}
	for range 4 {
		_, err := ada.Rotate(t.Context())
		require.NoError(t, err)
		records = append(records, eraseSeal(t, ada))
	}
	prefix := subjectRows(t, store, "acme")[0]
	eraseSeal(t, bob)
	bobs := ""
	for _, p := range subjectRows(t, store, "acme") {
		if p != prefix {
			bobs = p
		}
	}
	get := func(name string) string {
		row, err := store.Get(t.Context(), name)
		require.NoError(t, err)
		return string(row.Value)
	}
	edit := func(n, from, to string) {
		name := prefix + "data/000000000" + n
		value := get(name)
		require.Contains(t, value, from)
		erasePut(t, store, name, []byte(replaceOnce(value, from, to)))
	}
	edit("1", `"version":1`, `"version":7`)
	edit("2", `"format":1`, `"unknown":1,"format":1`)
	edit("3", `"wrapped"`, `"destroyed":"2020-01-01T00:00:00Z","wrapped"`)
	erasePut(t, store, prefix+"data/0000000004", []byte("garbage"))
	erasePut(t, store, prefix+"odd", []byte(get(bobs+"data/0000000001")))

	fresh := eraseRing(t, fake, store, nil).Tenant("acme")
	receipt, err := fresh.Subject("ada").Erase(t.Context(), erasure)
	require.NoError(t, err)
	require.Equal(t, 6, requireBuried(t, store, prefix))
	require.Contains(t, receipt.Keys, recordKeyID(records[1]))
	requireErased(t, fresh.Subject("ada"), records...)
	again, err := fresh.Subject("ada").Erase(t.Context(), erasure)
	require.NoError(t, err)
	require.Equal(t, receipt, again)
	require.NoError(t, fresh.Subject("ada").Readmit(t.Context(), "back"))
	for i, want := range []error{envelope.ErrErased, envelope.ErrErased, envelope.ErrErased, envelope.ErrUnknownKey, envelope.ErrErased} { // of garbage not even the id is left
		_, err = fresh.Subject("ada").Open(t.Context(), records[i], eraseBinding)
		require.ErrorIs(t, err, want, i)
	}
}
