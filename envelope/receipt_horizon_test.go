package envelope_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// horizonCase is an erased subject whose tenant moved from one KMS key to another.
type horizonCase struct {
	store      *memstore.Store
	old, new   *kmstest.Fake
	oldKey     *kms.Key
	r          *envelope.Keyring
	ada        envelope.Subject
	compact    func()
	rewrap     func()
	toNewAlone func()
}

func newHorizonCase(t *testing.T) *horizonCase {
	c := &horizonCase{store: memstore.New(), old: kmstest.NewFake("old"), new: kmstest.NewFake("new")}
	c.oldKey = eraseKey(t, c.old)
	newKey := eraseKey(t, c.new)
	both, err := kms.Rolling(newKey, c.oldKey)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, both.Close()) })
	root := c.oldKey
	c.r, err = envelope.NewKeyring("test", c.store, func(context.Context, string) (*kms.Key, error) { return root, nil }, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.r.Close()) })
	c.ada = c.r.Tenant("acme").Subject("ada")
	eraseSeal(t, c.ada)
	eraseSeal(t, c.r.Tenant("acme").Subject("bob"))
	c.compact = func() {
		_, err := c.r.Compact(t.Context(), "acme")
		require.NoError(t, err)
	}
	c.rewrap = func() {
		root = both
		_, err := c.r.Rewrap(t.Context(), nil)
		require.NoError(t, err)
	}
	c.toNewAlone = func() { root = newKey }
	return c
}

// receipt erases again.
func (c *horizonCase) receipt(t *testing.T, retired ...*kms.Key) *envelope.Receipt {
	t.Helper()
	receipt, err := c.ada.Erase(t.Context(), envelope.Erasure{Ref: "DSR-118", Retired: retired})
	require.NoError(t, err)
	require.NotEmpty(t, receipt.Note)
	return receipt
}

func TestHorizon(t *testing.T) {
	c := newHorizonCase(t)
	first := c.receipt(t, c.oldKey)
	require.True(t, first.BackupsUnreadableAfter.IsZero())
	c.compact() // the old wrap key is gone, the KMS key that opens it in a backup is not
	require.Equal(t, first, c.receipt(t, c.oldKey))
	c.rewrap()
	c.toNewAlone()
	require.Equal(t, first, c.receipt(t, c.oldKey))
	c.old.SetState(kms.Disabled)
	require.Equal(t, first, c.receipt(t, c.oldKey))
	c.old.SetState(kms.PendingDeletion) // until nobody knows when
	require.Equal(t, first, c.receipt(t, c.oldKey))
	c.old.SetState(kms.Enabled)
	at, err := c.oldKey.Destroy(t.Context(), 48*time.Hour)
	require.NoError(t, err)
	require.Equal(t, first, c.receipt(t))                     // nobody asks the old key
	require.Equal(t, first, c.receipt(t, eraseKey(t, c.new))) // nor does another tell

	final := c.receipt(t, eraseKey(t, c.new), c.oldKey)
	require.WithinDuration(t, at, final.BackupsUnreadableAfter, time.Millisecond)
	require.False(t, final.BackupsUnreadableAfter.Before(at))
	require.NotEqual(t, first.Note, final.Note)
	same := *final
	same.BackupsUnreadableAfter, same.Note = first.BackupsUnreadableAfter, first.Note
	require.Equal(t, first, &same)

	c.old.Always(kmstest.Fault{Err: kms.ErrUnavailable})
	require.Equal(t, first, c.receipt(t, c.oldKey)) // not known
	c.old.Always()
	c.old.SetState(kms.Destroyed)
	gone := c.receipt(t, c.oldKey)
	require.False(t, gone.BackupsUnreadableAfter.IsZero())
	require.False(t, gone.BackupsUnreadableAfter.After(time.Now().Add(time.Millisecond)))
}

func TestHorizonNotYet(t *testing.T) {
	for name, prepare := range map[string]func(c *horizonCase){
		"no compaction": func(c *horizonCase) { c.rewrap() },
		"rewrapped before": func(c *horizonCase) { // so that the new KMS key opens what a later backup has of the wrap key
			c.rewrap()
			c.compact()
		},
		"no compaction since": func(c *horizonCase) { c.compact() },
	} {
		t.Run(name, func(t *testing.T) {
			c := newHorizonCase(t)
			if name == "no compaction since" {
				prepare(c)
				c.receipt(t)
			} else {
				c.receipt(t)
				prepare(c)
			}
			_, err := c.oldKey.Destroy(t.Context(), time.Hour)
			require.NoError(t, err)
			require.True(t, c.receipt(t, c.oldKey).BackupsUnreadableAfter.IsZero())
		})
	}
}

// A wrap key that the store has lost may be one that another KMS key wrapped.
func TestHorizonLostRow(t *testing.T) {
	c := newHorizonCase(t)
	c.compact()
	c.receipt(t)
	c.compact()
	_, err := c.oldKey.Destroy(t.Context(), time.Hour)
	require.NoError(t, err)
	require.False(t, c.receipt(t, c.oldKey).BackupsUnreadableAfter.IsZero())
	c.old.SetState(kms.Enabled)
	for _, lost := range []string{"1", "2"} {
		store := memstore.New()
		for _, row := range eraseDump(t, c.store, "") {
			if row.Key != "tenant/acme/wrap/000000000"+lost {
				erasePut(t, store, row.Key, row.Value)
			}
		}
		acme := eraseRingOf(t, c.oldKey, store, nil).Tenant("acme")
		ada := acme.Subject("ada")
		requireErased(t, ada) // warm
		_, err := c.oldKey.Destroy(t.Context(), time.Hour)
		require.NoError(t, err)
		receipt, err := ada.Erase(t.Context(), envelope.Erasure{Ref: "again"})
		require.NoError(t, err)
		require.True(t, receipt.BackupsUnreadableAfter.IsZero())
		c.old.SetState(kms.Enabled)
	}
}

// A tenant's own KMS key, which the Root still returns, ends with the tenant.
func TestHorizonOfTenant(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	key := eraseKey(t, fake)
	acme := eraseRingOf(t, key, store, nil).Tenant("acme")
	eraseSeal(t, acme)
	eraseSeal(t, acme.Subject("ada"))
	first, err := acme.Destroy(t.Context(), erasure, "acme")
	require.NoError(t, err)
	require.True(t, first.BackupsUnreadableAfter.IsZero())
	at, err := key.Destroy(t.Context(), time.Hour)
	require.NoError(t, err)
	receipt, err := acme.Destroy(t.Context(), erasure, "acme")
	require.NoError(t, err)
	require.WithinDuration(t, at, receipt.BackupsUnreadableAfter, time.Millisecond)
}

// Each key of a group opens alone, so all must be gone.
func TestHorizonOfGroup(t *testing.T) {
	a, b, store := kmstest.NewFake("a"), kmstest.NewFake("b"), memstore.New()
	keys := []*kms.Key{eraseKey(t, a), eraseKey(t, b)}
	group, err := kms.AnyOf(keys, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, group.Close()) })
	acme := eraseRingOf(t, group, store, nil).Tenant("acme")
	eraseSeal(t, acme)
	first, err := acme.Destroy(t.Context(), erasure, "acme")
	require.NoError(t, err)
	require.Equal(t, []string{"fake:a", "fake:b"}, first.KMSKeys)
	all := envelope.Erasure{Ref: "x", Retired: append(keys, group)}
	later, err := keys[0].Destroy(t.Context(), 48*time.Hour)
	require.NoError(t, err)
	_, err = keys[1].Destroy(t.Context(), 24*time.Hour)
	require.NoError(t, err)
	scheduled, err := acme.Destroy(t.Context(), all, "acme")
	require.NoError(t, err)
	require.WithinDuration(t, later, scheduled.BackupsUnreadableAfter, time.Millisecond)
	a.SetState(kms.Enabled)
	b.SetState(kms.Enabled)
	for _, f := range []*kmstest.Fake{a, b} {
		receipt, err := acme.Destroy(t.Context(), all, "acme")
		require.NoError(t, err)
		require.Equal(t, first, receipt)
		f.SetState(kms.Destroyed)
	}
	for i := range keys { // one that nobody is asked for may be there
		receipt, err := acme.Destroy(t.Context(), envelope.Erasure{Ref: "x", Retired: keys[i : i+1]}, "acme")
		require.NoError(t, err)
		require.Equal(t, first, receipt)
	}
	receipt, err := acme.Destroy(t.Context(), all, "acme")
	require.NoError(t, err)
	require.False(t, receipt.BackupsUnreadableAfter.IsZero())
}
