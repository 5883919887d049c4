package envelope_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// eraseEach runs do with a store in which the n-th call fails and every one after it, for each n and before or after its work, until do meets no failure.
func eraseEach(t *testing.T, do func(t *testing.T, arm func(*eraseFault)) (met bool)) {
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			met := false
			ok := t.Run(fmt.Sprintf("after=%v/call=%d", after, n), func(t *testing.T) {
				met = do(t, func(s *eraseFault) { s.arm(n, after) })
			})
			if !ok || !met {
				require.Greater(t, n, 5)
				break
			}
		}
	}
}

// At whatever call of the store an erasure is cut off, nothing opens from the fence on, and a repeat does the rest.
func TestEraseCutOff(t *testing.T) {
	eraseEach(t, func(t *testing.T, arm func(*eraseFault)) bool {
		fake, inner := kmstest.NewFake("key"), memstore.New()
		store := &eraseFault{Store: inner}
		r := eraseRing(t, fake, store, nil)
		ada := r.Tenant("acme").Subject("ada")
		var records [][]byte
		var ids []aead.KeyID
		for range 3 {
			_, err := ada.Rotate(t.Context())
			require.NoError(t, err)
			records = append(records, eraseSeal(t, ada))
			ids = append(ids, recordKeyID(records[len(records)-1]))
		}
		prefix := subjectRows(t, inner, "acme")[0]

		arm(store)
		receipt, err := ada.Erase(t.Context(), erasure)
		met := store.met()
		store.arm(0, false)
		if !met {
			require.NoError(t, err)
		} else if err != nil {
			require.ErrorIs(t, err, envelope.ErrUnavailable)
			require.ErrorIs(t, err, errEraseFault)
			require.Nil(t, receipt)
		}
		state := eraseRows(t, inner, prefix)[0].State
		cold := eraseRing(t, fake, inner, nil).Tenant("acme").Subject("ada")
		if state == "active" {
			require.Error(t, err)
			requireOpens(t, ada, records[0])
			requireOpens(t, cold, records[2])
		} else {
			requireErased(t, ada, records...)
			requireErased(t, cold, records...)
			_, err = cold.Rotate(t.Context())
			require.ErrorIs(t, err, envelope.ErrErased)
			require.ErrorIs(t, cold.Hold(t.Context(), "case"), envelope.ErrErased)
			if state == "erasing" {
				require.ErrorIs(t, cold.Readmit(t.Context(), "back"), envelope.ErrErased)
			}
		}

		for _, s := range []envelope.Subject{cold, ada} {
			again, err := s.Erase(t.Context(), envelope.Erasure{Ref: "again", Basis: "another"})
			require.NoError(t, err)
			require.Equal(t, ids, again.Keys)
			if state != "active" { // that of the first call counts
				require.Equal(t, erasure.Ref, again.Ref)
				require.Equal(t, erasure.Basis, again.Basis)
			}
			if receipt != nil {
				require.Equal(t, receipt, again)
			}
			receipt = again
		}
		require.Equal(t, 3, requireBuried(t, inner, prefix))
		requireErased(t, ada, records...)
		return met
	})
}

// An error names what remains.
func TestEraseNamesWhatRemains(t *testing.T) {
	fake, inner := kmstest.NewFake("key"), memstore.New()
	store := &eraseFault{Store: inner}
	ada := eraseRing(t, fake, store, nil).Tenant("acme").Subject("ada")
	for range 130 {
		_, err := ada.Rotate(t.Context())
		require.NoError(t, err)
	}
	rows := eraseClone(t, inner)
	seen := map[string]bool{}
	for n := 1; ; n++ {
		inner = eraseClone(t, rows)
		store := &eraseFault{Store: inner}
		ada := eraseRing(t, fake, store, nil).Tenant("acme").Subject("ada")
		_, err := ada.Create(t.Context())
		require.NoError(t, err)
		store.arm(n, false)
		_, err = ada.Erase(t.Context(), erasure)
		if !store.met() {
			require.NoError(t, err)
			break
		}
		require.ErrorIs(t, err, errEraseFault)
		buried, living := 0, 0
		for _, r := range eraseRows(t, inner, subjectRows(t, inner, "acme")[0]) {
			if r.Destroyed != nil {
				buried++
			} else if r.Kind != "" {
				living++
			}
		}
		if buried > 0 && living > 0 {
			require.Contains(t, err.Error(), fmt.Sprintf("fenced; %d of 130 key versions destroyed; remaining: data/0000000%03d, ", buried, buried+1))
			seen["some"] = true
		} else if buried > 0 {
			require.Contains(t, err.Error(), "receipt")
			seen["receipt"] = true
		}
	}
	require.Len(t, seen, 2)
}

// A KMS that goes away after the fence does not stop an erasure.
func TestEraseNeedsNoKMSWhenWarm(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	ada := eraseRing(t, fake, store, nil).Tenant("acme").Subject("ada")
	record := eraseSeal(t, ada)
	calls := fake.Count("")
	_, err := ada.Erase(t.Context(), erasure)
	require.NoError(t, err)
	require.Equal(t, calls, fake.Count(""))
	requireErased(t, ada, record)
}
