package envelope_test

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// Whoever seals, rotates or creates while a subject is erased, no key is left.
func TestEraseDuringUse(t *testing.T) {
	for round := range 8 {
		fake, store := kmstest.NewFake("key"), memstore.New()
		rings := []*envelope.Keyring{eraseRing(t, fake, store, nil), eraseRing(t, fake, store, nil)}
		eraseSeal(t, rings[0].Tenant("acme").Subject("other"))
		var mu sync.Mutex
		byKey := map[aead.KeyID][]byte{} // a record of each key that sealed
		var wg sync.WaitGroup
		begun := make(chan struct{}, 8)
		for i := range 8 {
			ada := rings[i%2].Tenant("acme").Subject("ada")
			wg.Go(func() {
				for n := 0; ; n++ {
					record, err := ada.Seal(t.Context(), []byte("plaintext"), eraseBinding)
					if err == nil && i >= 4 {
						_, err = ada.Rotate(t.Context())
					}
					if n == 0 {
						begun <- struct{}{}
					}
					mu.Lock()
					if record != nil {
						byKey[recordKeyID(record)] = record
					}
					mu.Unlock()
					if errors.Is(err, envelope.ErrErased) {
						return
					}
					if err != nil && !errors.Is(err, envelope.ErrConflict) { // so many at once
						t.Errorf("unexpected: %v", err)
						return
					}
				}
			})
		}
		for range round { // from before the first key on
			<-begun
		}
		receipts := make([]*envelope.Receipt, 2)
		for i := range receipts {
			wg.Go(func() {
				for {
					var err error
					receipts[i], err = rings[i].Tenant("acme").Subject("ada").Erase(t.Context(), erasure)
					if !errors.Is(err, envelope.ErrConflict) {
						if err != nil {
							t.Errorf("erase: %v", err)
						}
						return
					}
				}
			})
		}
		wg.Wait()
		require.NotNil(t, receipts[0])
		require.Equal(t, receipts[0], receipts[1])
		require.Equal(t, len(receipts[0].Keys), requireBuried(t, store, "subject/acme/"+receipts[0].SubjectRef+"/"))
		require.Subset(t, receipts[0].Keys, slices.Collect(maps.Keys(byKey)))
		for _, r := range append(rings, eraseRing(t, fake, store, nil)) {
			requireErased(t, r.Tenant("acme").Subject("ada"), slices.Collect(maps.Values(byKey))...)
		}
	}
}

// A process with warm keys ceases to use them within its CacheTTL, and before the receipt says so.
func TestEraseReachesOtherProcesses(t *testing.T) {
	envelope.NeedClock(t)
	bubble.Test(t, func(t *testing.T) {
		fake, store := kmstest.NewFake("key"), memstore.New()
		here := eraseRing(t, fake, store, &envelope.KeyringOptions{CacheTTL: time.Minute})
		others := map[time.Duration]envelope.Subject{}
		for _, ttl := range []time.Duration{time.Second, time.Minute, 10 * time.Minute} {
			others[ttl] = eraseRing(t, fake, store, &envelope.KeyringOptions{CacheTTL: ttl}).Tenant("acme").Subject("ada")
		}
		ada := here.Tenant("acme").Subject("ada")
		record := eraseSeal(t, ada)
		for _, s := range others {
			requireOpens(t, s, record)
		}
		fake.Always(kmstest.Fault{Err: errEraseFault}) // an outage does not prolong it
		fence := time.Now()
		receipt, err := ada.Erase(t.Context(), erasure)
		require.NoError(t, err)
		fake.Always()
		requireErased(t, ada, record)
		require.False(t, receipt.CachesClearBy.Before(fence.Add(10*time.Minute)))
		require.Less(t, receipt.CachesClearBy.Sub(fence), 10*time.Minute+5*time.Second)
		opened := map[time.Duration]bool{}
		for at := time.Duration(0); at < 11*time.Minute; at += 500 * time.Millisecond {
			for ttl, s := range others {
				if time.Since(fence) > ttl || !time.Now().Before(receipt.CachesClearBy) {
					requireErased(t, s, record)
				} else if _, err := s.Open(t.Context(), record, eraseBinding); err == nil {
					opened[ttl] = true
				} else {
					require.ErrorIs(t, err, envelope.ErrErased)
				}
			}
			time.Sleep(500 * time.Millisecond)
		}
		require.Len(t, opened, 3, "no other process had warm keys")
	})
}

// A store whose row of the fleet is lost has the longest time count that there can be.
func TestEraseUnknownFleet(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	lossy := &eraseLost{Store: store}
	ada := eraseRing(t, fake, lossy, nil).Tenant("acme").Subject("ada")
	eraseSeal(t, ada)
	lossy.lost = true
	receipt, err := ada.Erase(t.Context(), erasure)
	require.NoError(t, err)
	require.False(t, receipt.CachesClearBy.Before(receipt.Fenced.Add(24*time.Hour)))
}
