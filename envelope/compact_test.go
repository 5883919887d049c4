package envelope_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// compactWraps returns the ids of the tenant's wrap keys, and of those that are not destroyed.
func compactWraps(t testing.TB, store envelope.Store, tenant string) (all, living []string) {
	t.Helper()
	for _, r := range eraseRows(t, store, "tenant/"+tenant+"/wrap/") {
		all = append(all, r.ID)
		if r.Destroyed == nil {
			living = append(living, r.ID)
		} else {
			require.Empty(t, r.Wrapped)
		}
	}
	return all, living
}

// requireUnderLiving requires that the keys of all subjects are wrapped under wrap keys that are there, and returns how many there are.
func requireUnderLiving(t testing.TB, store envelope.Store, tenant string) (keys int) {
	t.Helper()
	_, living := compactWraps(t, store, tenant)
	for _, r := range eraseRows(t, store, "subject/"+tenant+"/") {
		if len(r.Wrapped) > 0 {
			require.Contains(t, living, aead.KeyID(r.Wrapped[1:17]).String(), r.Name)
			keys++
		}
	}
	return keys
}

func TestCompact(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	r := eraseRing(t, fake, store, nil)
	acme := r.Tenant("acme")
	var records [][]byte
	for i := range 200 { // more than a page
		records = append(records, eraseSeal(t, acme.Subject(eraseName(i))))
	}
	ada := acme.Subject(eraseName(3))
	tenants := eraseSeal(t, acme)
	_, err := ada.Rotate(t.Context())
	require.NoError(t, err)
	gone := acme.Subject("gone")
	eraseSeal(t, gone)
	_, err = gone.Erase(t.Context(), erasure)
	require.NoError(t, err)
	require.NoError(t, acme.Subject(eraseName(5)).Disable(t.Context(), "why"))
	warm := eraseRing(t, fake, store, nil)
	requireOpens(t, warm.Tenant("acme").Subject(eraseName(3)), records[3])

	before, _ := compactWraps(t, store, "acme")
	require.Len(t, before, 1)
	for n := range 2 {
		calls := fake.Count("")
		done, err := r.Compact(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, 201, done.Rewrapped)
		require.Equal(t, 1, done.Destroyed)
		require.LessOrEqual(t, fake.Count("")-calls, 12)
		all, living := compactWraps(t, store, "acme")
		require.Len(t, all, n+2)
		require.Equal(t, []string{done.Key.String()}, living)
		require.Equal(t, 201, requireUnderLiving(t, store, "acme"))
	}
	require.NoError(t, acme.Subject(eraseName(5)).Enable(t.Context()))
	for n, r := range []*envelope.Keyring{r, warm, eraseRing(t, fake, store, nil)} {
		acme := r.Tenant("acme")
		for i := range 200 {
			requireOpens(t, acme.Subject(eraseName(i)), records[i])
		}
		requireOpens(t, acme, tenants)
		requireErased(t, acme.Subject("gone"))
		eraseSeal(t, acme.Subject(eraseName(1000+n)))
	}
	requireUnderLiving(t, store, "acme")
}

func TestCompactNothing(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	r := eraseRing(t, fake, store, nil)
	eraseSeal(t, r.Tenant("acme"))
	rows := eraseDump(t, store, "")
	for _, tenant := range []string{"acme", "unknown"} {
		done, err := r.Compact(t.Context(), tenant)
		require.NoError(t, err)
		require.Equal(t, envelope.Compaction{}, done)
	}
	require.Equal(t, rows, eraseDump(t, store, ""))
	_, err := r.Compact(t.Context(), "")
	require.ErrorIs(t, err, kms.ErrInvalid)
	_, err = (&envelope.Keyring{}).Compact(t.Context(), "acme")
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.NoError(t, r.Tenant("acme").Disable(t.Context(), "why"))
	_, err = r.Compact(t.Context(), "acme")
	require.ErrorIs(t, err, envelope.ErrDisabled)
}

// What Compact is for: rows of an erased subject from a copy of the store don't open with the store that lives on.
func TestCompactBuriesOldRows(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	r := eraseRing(t, fake, store, nil)
	ada := r.Tenant("acme").Subject("ada")
	record := eraseSeal(t, ada)
	bobs := eraseSeal(t, r.Tenant("acme").Subject("bob"))
	backup := eraseClone(t, store)
	receipt, err := ada.Erase(t.Context(), erasure)
	require.NoError(t, err)
	restore := func(store envelope.Store) {
		for _, row := range eraseDump(t, backup, "subject/acme/"+receipt.SubjectRef+"/") {
			erasePut(t, store, row.Key, row.Value)
		}
	}
	without := eraseClone(t, store)
	restore(without)
	requireOpens(t, eraseRing(t, fake, without, nil).Tenant("acme").Subject("ada"), record) // as the receipt says

	_, err = r.Compact(t.Context(), "acme")
	require.NoError(t, err)
	restore(store)
	cold := eraseRing(t, fake, store, nil).Tenant("acme")
	_, err = cold.Subject("ada").Open(t.Context(), record, eraseBinding)
	require.ErrorIs(t, err, envelope.ErrOpen)
	require.Equal(t, envelope.Reject, envelope.ActionFor(err))
	requireOpens(t, cold.Subject("bob"), bobs)
	requireOpens(t, eraseRing(t, fake, backup, nil).Tenant("acme").Subject("ada"), record) // a whole copy still does, as the receipt says
}

// A row that does not open may still be mended: so no wrap key is destroyed.
func TestCompactDamagedRows(t *testing.T) {
	damages := map[string]func(row map[string]any){
		"blob":    func(row map[string]any) { row["wrapped"] = flipBase64(row["wrapped"].(string)) },
		"no blob": func(row map[string]any) { delete(row, "wrapped") },
		"version": func(row map[string]any) { row["version"] = 2 },
		"unknown": func(row map[string]any) { row["unknown"] = 1 },
		"wrap key": func(row map[string]any) {
			row["wrapped"] = "9" + row["wrapped"].(string)[1:2] + "AAAA" + row["wrapped"].(string)[6:]
		},
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			fake, store := kmstest.NewFake("key"), memstore.New()
			r := eraseRing(t, fake, store, nil)
			acme := r.Tenant("acme")
			ada, bob := acme.Subject("ada"), acme.Subject("bob")
			record := eraseSeal(t, ada)
			key := subjectRows(t, store, "acme")[0] + "data/0000000001"
			bobs := eraseSeal(t, bob)
			good, err := store.Get(t.Context(), key)
			require.NoError(t, err)
			var row map[string]any
			require.NoError(t, json.Unmarshal(good.Value, &row))
			damage(row)
			bad, err := json.Marshal(row)
			require.NoError(t, err)
			erasePut(t, store, key, bad)

			for range 2 {
				done, err := r.Compact(t.Context(), "acme")
				require.True(t, envelope.ActionFor(err) == envelope.Reject, err)
				require.Zero(t, done.Destroyed)
				require.Equal(t, 1, done.Rewrapped) // bob's
			}
			_, living := compactWraps(t, store, "acme")
			require.Len(t, living, 3)
			cold := eraseRing(t, fake, store, nil).Tenant("acme")
			requireOpens(t, cold.Subject("bob"), bobs)

			mended := eraseClone(t, store)
			erasePut(t, mended, key, good.Value)
			r2 := eraseRing(t, fake, mended, nil)
			done, err := r2.Compact(t.Context(), "acme")
			require.NoError(t, err)
			require.Equal(t, 3, done.Destroyed)
			require.Equal(t, 2, requireUnderLiving(t, mended, "acme"))
			requireOpens(t, eraseRing(t, fake, mended, nil).Tenant("acme").Subject("ada"), record)

			_, err = cold.Subject("ada").Erase(t.Context(), erasure)
			require.NoError(t, err)
			_, err = r.Compact(t.Context(), "acme")
			require.NoError(t, err)
			_, living = compactWraps(t, store, "acme")
			require.Len(t, living, 1)
			requireOpens(t, eraseRing(t, fake, store, nil).Tenant("acme").Subject("bob"), bobs)
		})
	}
}

// A key that comes back from a copy after its subject was erased is not wrapped anew, and keeps no wrap key alive.
func TestCompactLeavesTheErased(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	r := eraseRing(t, fake, store, nil)
	ada := r.Tenant("acme").Subject("ada")
	eraseSeal(t, ada)
	eraseSeal(t, r.Tenant("acme").Subject("bob"))
	backup := eraseClone(t, store)
	receipt, err := ada.Erase(t.Context(), erasure)
	require.NoError(t, err)
	name := "subject/acme/" + receipt.SubjectRef + "/data/0000000001"
	row, err := backup.Get(t.Context(), name)
	require.NoError(t, err)
	erasePut(t, store, name, row.Value)
	done, err := r.Compact(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, 1, done.Rewrapped)
	require.Equal(t, 1, done.Destroyed)
	again, err := store.Get(t.Context(), name)
	require.NoError(t, err)
	require.Equal(t, row.Value, again.Value)
}

// A process that read a subject's rows before finds the key where it is now.
func TestCompactSeenByWarmProcess(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	r, other := eraseRing(t, fake, store, nil), eraseRing(t, fake, store, nil)
	ada := r.Tenant("acme").Subject("ada")
	first := eraseSeal(t, ada)
	_, err := ada.Rotate(t.Context())
	require.NoError(t, err)
	second := eraseSeal(t, ada)
	theirs := other.Tenant("acme").Subject("ada")
	requireOpens(t, theirs, second) // not the first
	_, err = r.Compact(t.Context(), "acme")
	require.NoError(t, err)
	eraseSeal(t, other.Tenant("acme").Subject("bob")) // has it learn that the wrap key is gone
	requireUnderLiving(t, store, "acme")
	requireOpens(t, theirs, first)
	requireOpens(t, theirs, second)
}
