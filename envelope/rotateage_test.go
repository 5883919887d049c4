package envelope_test

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// age has the first version of acme's key be from long ago.
func age(t testing.TB, store envelope.Store) {
	editRow(t, store, "tenant/acme/data/0000000001", func(row map[string]any) { row["created"] = "2020-01-01T00:00:00Z" })
}

// editRow writes a row anew as edit changes it.
func editRow(t testing.TB, store envelope.Store, name string, edit func(fields map[string]any)) {
	t.Helper()
	row, err := store.Get(t.Context(), name)
	require.NoError(t, err)
	row, _ = rowEdit(name, edit)(row)
	require.NoError(t, store.Apply(t.Context(), envelope.Change{Row: row}))
}

// rowEdit has the row with a name read as edit changes it.
func rowEdit(name string, edit func(fields map[string]any)) func(row envelope.Row) (envelope.Row, bool) {
	return func(row envelope.Row) (envelope.Row, bool) {
		if row.Key != name || row.Revision == 0 {
			return row, true
		}
		var fields map[string]any
		if err := json.Unmarshal(row.Value, &fields); err != nil {
			panic(err)
		}
		edit(fields)
		row.Value, _ = json.Marshal(fields)
		return row, true
	}
}

func countVersions(t testing.TB, s envelope.Scope) (n int) {
	for _, err := range s.Versions(t.Context()) {
		require.NoError(t, err)
		n++
	}
	return n
}

// TestAgeRotatesOnce has many callers and many processes meet a key whose time is over: one new version is made.
func TestAgeRotatesOnce(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	old := warm(t, newKeyring(t, fake, store, nil).Tenant("acme"))
	age(t, store)
	var fleet []envelope.Tenant
	for range 4 {
		acme := newKeyring(t, fake, store, nil).Tenant("acme")
		require.NoError(t, warmed{acme, old.record}.open(t)) // knows the rows from before
		fleet = append(fleet, acme)
	}
	fake.Always(kmstest.Fault{Op: "wrap", Latency: 20 * time.Millisecond})
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() { require.NoError(t, sealFor(t, fleet[i%len(fleet)])) })
	}
	wg.Wait()
	require.Equal(t, 2, countVersions(t, fleet[0]))
}

// TestAgeRotatesAKeyInUse has a key grow old while it seals without a pause: the next load sees to it.
func TestAgeRotatesAKeyInUse(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, &envelope.KeyringOptions{RotateAfter: 24 * time.Hour})
		acme := warm(t, g.Tenant("acme"))
		for end := time.Now().Add(23 * time.Hour); time.Now().Before(end); sleep(time.Minute) {
			require.NoError(t, acme.both(t))
		}
		require.Equal(t, 1, countVersions(t, acme))
		for end := time.Now().Add(2 * time.Hour); time.Now().Before(end); sleep(time.Minute) {
			require.NoError(t, acme.both(t))
		}
		require.Equal(t, 2, countVersions(t, acme))
	})
}
