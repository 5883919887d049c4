package sqltest

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/boltstore"
	"github.com/holdfast-go/holdfast/kms/local"
)

// TestLifeOfKeys goes through all that happens to keys, in every kind of store, each time with a process that knows nothing yet.
func TestLifeOfKeys(t *testing.T) {
	each(t, func(t *testing.T, d database) {
		store, _ := d.store(t)
		lifeOfKeys(t, store)
	})
	t.Run("bolt", func(t *testing.T) {
		store, err := boltstore.Open(filepath.Join(t.TempDir(), "keys.db"), nil)
		require.NoError(t, err)
		defer store.Close()
		lifeOfKeys(t, store)
	})
}

func lifeOfKeys(t *testing.T, store envelope.Store) {
	ctx, b := t.Context(), envelope.Bind("life")
	file, err := local.Create(filepath.Join(t.TempDir(), "key.json"), nil)
	require.NoError(t, err)
	defer file.Close()
	process := func() envelope.Tenant {
		ring, err := envelope.NewKeyring("life", store, envelope.SingleRoot(file.Key()), nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, ring.Close()) })
		return ring.Tenant("acme")
	}
	type sealed struct {
		person int // -1 for the tenant
		record []byte
	}
	var all []sealed
	for round := range 3 {
		acme := process()
		for person := -1; person < 5; person++ {
			var scope envelope.Scope = acme
			if person >= 0 {
				scope = acme.Subject(fmt.Sprint(person))
			}
			if round > 0 {
				_, err := scope.Rotate(ctx)
				require.NoError(t, err)
			}
			record, err := scope.Seal(ctx, fmt.Append(nil, "of ", person), b)
			require.NoError(t, err)
			all = append(all, sealed{person, record})
		}
		require.NoError(t, file.Rotate(ctx))
	}
	holds := func(erased ...int) {
		acme := process()
		for _, s := range all {
			var scope envelope.Scope = acme
			if s.person >= 0 {
				scope = acme.Subject(fmt.Sprint(s.person))
			}
			got, err := scope.Open(ctx, s.record, b)
			switch {
			case len(erased) > 0 && (erased[0] == -1 || s.person == erased[0]):
				require.ErrorIs(t, err, envelope.ErrErased)
			default:
				require.NoError(t, err)
				require.Equal(t, fmt.Sprint("of ", s.person), string(got))
			}
		}
	}
	holds()
	ring, err := envelope.NewKeyring("life", store, envelope.SingleRoot(file.Key()), nil)
	require.NoError(t, err)
	defer ring.Close()
	report, err := ring.Rewrap(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, 5, report.Rewrapped, "three data keys, a lookup and a wrap key")
	holds()
	receipt, err := process().Subject("2").Erase(ctx, envelope.Erasure{Ref: "case 1"})
	require.NoError(t, err)
	require.Len(t, receipt.Keys, 3)
	holds(2)
	done, err := ring.Compact(ctx, "acme")
	require.NoError(t, err)
	require.Equal(t, 12, done.Rewrapped)
	require.Equal(t, 1, done.Destroyed)
	holds(2)
	_, err = process().Destroy(ctx, envelope.Erasure{Ref: "case 2"}, "acme")
	require.NoError(t, err)
	holds(-1)
}
