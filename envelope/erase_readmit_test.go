package envelope_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

func TestReadmit(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	r := eraseRing(t, fake, store, nil)
	acme := r.Tenant("acme")
	ada := acme.Subject("ada")
	require.ErrorIs(t, ada.Readmit(t.Context(), "back"), kms.ErrInvalid) // never there
	old := eraseSeal(t, ada)
	require.ErrorIs(t, ada.Readmit(t.Context(), "back"), kms.ErrInvalid) // not erased
	require.NoError(t, ada.Disable(t.Context(), "back"))
	require.ErrorIs(t, ada.Readmit(t.Context(), "back"), kms.ErrInvalid)
	first, err := ada.Erase(t.Context(), erasure)
	require.NoError(t, err)
	for _, ref := range []string{"", "\xff", string(make([]byte, 256))} {
		require.ErrorIs(t, ada.Readmit(t.Context(), ref), kms.ErrInvalid)
	}
	requireErased(t, ada, old)
	require.NoError(t, ada.Readmit(t.Context(), "back"))
	require.NoError(t, ada.Readmit(t.Context(), "back")) // so that it may be repeated
	require.ErrorIs(t, ada.Readmit(t.Context(), "another"), kms.ErrInvalid)

	// The old stays erased, the new has a key of its own, version 2.
	_, err = ada.Open(t.Context(), old, eraseBinding)
	require.ErrorIs(t, err, envelope.ErrErased)
	fresh := eraseSeal(t, ada)
	require.NotEqual(t, recordKeyID(old), recordKeyID(fresh))
	requireOpens(t, ada, fresh)
	cold := eraseRing(t, fake, store, nil).Tenant("acme").Subject("ada")
	requireOpens(t, cold, fresh)
	_, err = cold.Open(t.Context(), old, eraseBinding)
	require.ErrorIs(t, err, envelope.ErrErased)
	var versions []uint64
	for info, err := range ada.Versions(t.Context()) {
		require.NoError(t, err)
		versions = append(versions, info.Version)
	}
	require.Equal(t, []uint64{1, 2}, versions)

	// It can be held and erased again.
	require.NoError(t, ada.Hold(t.Context(), "case"))
	_, err = ada.Erase(t.Context(), erasure)
	require.ErrorIs(t, err, envelope.ErrHeld)
	require.NoError(t, ada.Release(t.Context(), "case"))
	second, err := ada.Erase(t.Context(), envelope.Erasure{Ref: "DSR-200"})
	require.NoError(t, err)
	require.Equal(t, "DSR-200", second.Ref)
	require.Empty(t, second.Basis)
	require.Equal(t, first.SubjectRef, second.SubjectRef)
	require.Equal(t, append(first.Keys, recordKeyID(fresh)), second.Keys)
	requireErased(t, ada, old, fresh)

	// Not when the tenant is gone.
	_, err = acme.Destroy(t.Context(), erasure, "acme")
	require.NoError(t, err)
	require.ErrorIs(t, ada.Readmit(t.Context(), "back"), envelope.ErrErased)
	require.ErrorIs(t, eraseRing(t, fake, store, nil).Tenant("acme").Subject("ada").Readmit(t.Context(), "back"), envelope.ErrErased)
}

// At whatever call a readmission is cut off, a repeat does the rest.
func TestReadmitCutOff(t *testing.T) {
	eraseEach(t, func(t *testing.T, arm func(*eraseFault)) bool {
		fake, inner := kmstest.NewFake("key"), memstore.New()
		store := &eraseFault{Store: inner}
		ada := eraseRing(t, fake, store, nil).Tenant("acme").Subject("ada")
		old := eraseSeal(t, ada)
		_, err := ada.Erase(t.Context(), erasure)
		require.NoError(t, err)
		arm(store)
		err = ada.Readmit(t.Context(), "back")
		met := store.met()
		store.arm(0, false)
		if !met {
			require.NoError(t, err)
		}
		cold := eraseRing(t, fake, inner, nil).Tenant("acme").Subject("ada")
		require.NoError(t, cold.Readmit(t.Context(), "back"))
		_, err = cold.Open(t.Context(), old, eraseBinding)
		require.ErrorIs(t, err, envelope.ErrErased)
		requireOpens(t, cold, eraseSeal(t, cold))
		return met
	})
}

// Other processes see a readmission, and an erasure after it.
func TestReadmitReachesOtherProcesses(t *testing.T) {
	envelope.NeedClock(t)
	bubble.Test(t, func(t *testing.T) {
		fake, store := kmstest.NewFake("key"), memstore.New()
		ada := eraseRing(t, fake, store, nil).Tenant("acme").Subject("ada")
		other := eraseRing(t, fake, store, nil).Tenant("acme").Subject("ada")
		old := eraseSeal(t, ada)
		requireOpens(t, other, old)
		_, err := ada.Erase(t.Context(), erasure)
		require.NoError(t, err)
		time.Sleep(5*time.Minute + time.Second)
		requireErased(t, other, old)
		require.NoError(t, ada.Readmit(t.Context(), "back"))
		time.Sleep(3 * time.Second)
		record := eraseSeal(t, other)
		requireOpens(t, ada, record)
		_, err = other.Open(t.Context(), old, eraseBinding)
		require.ErrorIs(t, err, envelope.ErrErased)
		_, err = ada.Erase(t.Context(), erasure)
		require.NoError(t, err)
		time.Sleep(5*time.Minute + time.Second)
		requireErased(t, other, old, record)
	})
}

// No erasure is hidden by rows that come back from a copy of the store.
func TestEraseRestoredRow(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	ada := eraseRing(t, fake, store, nil).Tenant("acme").Subject("ada")
	record := eraseSeal(t, ada)
	before := eraseClone(t, store)
	receipt, err := ada.Erase(t.Context(), erasure)
	require.NoError(t, err)
	prefix := subjectRows(t, store, "acme")[0]
	restore := func() {
		row, err := before.Get(t.Context(), prefix+"data/0000000001")
		require.NoError(t, err)
		erasePut(t, store, row.Key, row.Value)
	}
	restore()
	requireErased(t, eraseRing(t, fake, store, nil).Tenant("acme").Subject("ada"), record)
	again, err := ada.Erase(t.Context(), erasure)
	require.NoError(t, err)
	require.Equal(t, receipt, again)
	requireBuried(t, store, prefix)
	restore()
	require.NoError(t, ada.Readmit(t.Context(), "back"))
	_, err = ada.Open(t.Context(), record, eraseBinding)
	require.ErrorIs(t, err, envelope.ErrErased)
	require.NotEqual(t, recordKeyID(record), recordKeyID(eraseSeal(t, ada)))
}
