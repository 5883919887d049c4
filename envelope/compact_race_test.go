package envelope_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

func flipBase64(s string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	b[50] ^= 1
	return base64.StdEncoding.EncodeToString(b)
}

// At whatever call it is cut off everything opens, and a repeat leaves one wrap key.
func TestCompactCutOff(t *testing.T) {
	fake, full := kmstest.NewFake("key"), memstore.New()
	acme := eraseRing(t, fake, full, nil).Tenant("acme")
	var records [][]byte
	const people = 140
	for i := range people {
		records = append(records, eraseSeal(t, acme.Subject(eraseName(i))))
	}
	eraseEach(t, func(t *testing.T, arm func(*eraseFault)) bool {
		inner := eraseClone(t, full)
		store := &eraseFault{Store: inner}
		r := eraseRing(t, fake, store, nil)
		acme := r.Tenant("acme")
		requireOpens(t, acme.Subject(eraseName(1)), records[1])
		arm(store)
		_, err := r.Compact(t.Context(), "acme")
		met := store.met()
		store.arm(0, false)
		if !met {
			require.NoError(t, err)
		} else if err != nil {
			require.ErrorIs(t, err, errEraseFault)
		}
		cold := eraseRing(t, fake, inner, nil)
		require.Equal(t, people, requireUnderLiving(t, inner, "acme"))
		for _, i := range []int{0, 127, people - 1} {
			requireOpens(t, cold.Tenant("acme").Subject(eraseName(i)), records[i])
			requireOpens(t, acme.Subject(eraseName(i)), records[i])
		}
		eraseSeal(t, cold.Tenant("acme").Subject("new"))
		done, err := cold.Compact(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, people+1, done.Rewrapped)
		_, living := compactWraps(t, inner, "acme")
		require.Equal(t, []string{done.Key.String()}, living)
		require.Equal(t, people+1, requireUnderLiving(t, inner, "acme"))
		requireOpens(t, acme.Subject(eraseName(60)), records[60])
		return met
	})
}

// Several runs at once, in several processes, while keys are made, rotated and erased.
func TestCompactDuringUse(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	rings := []*envelope.Keyring{eraseRing(t, fake, store, nil), eraseRing(t, fake, store, nil), eraseRing(t, fake, store, &envelope.KeyringOptions{CacheEntries: 4})}
	const people = 40
	type sealed struct {
		person int
		record []byte
	}
	var mu sync.Mutex
	var all []sealed
	var old [][]byte
	for i := range people {
		old = append(old, eraseSeal(t, rings[0].Tenant("acme").Subject(eraseName(i))))
	}
	stop := make(chan struct{})
	var users, runs sync.WaitGroup
	for i := range 6 {
		acme := rings[i%3].Tenant("acme")
		users.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				person := people + 100*i + n%20
				s := acme.Subject(eraseName(person))
				record, err := s.Seal(t.Context(), []byte("plaintext"), eraseBinding)
				if err == nil && n%7 == 0 && n < 50 {
					_, err = s.Rotate(t.Context())
				}
				if err == nil {
					_, err = s.Open(t.Context(), record, eraseBinding)
				}
				if err == nil {
					_, err = acme.Subject(eraseName(n%people)).Open(t.Context(), old[n%people], eraseBinding)
				}
				if err == nil && n%11 == 0 && n < 100 {
					_, err = acme.Subject(fmt.Sprintf("gone %d %d", i, n)).Erase(t.Context(), erasure)
				}
				if err != nil && !errors.Is(err, envelope.ErrConflict) {
					t.Errorf("user %d: %v", i, err)
					return
				}
				if n < 100 && record != nil {
					mu.Lock()
					all = append(all, sealed{person, record})
					mu.Unlock()
				}
			}
		})
	}
	for i := range 3 {
		runs.Go(func() {
			for range 3 {
				if _, err := rings[i].Compact(t.Context(), "acme"); err != nil && !errors.Is(err, envelope.ErrConflict) {
					t.Errorf("run %d: %v", i, err)
				}
			}
		})
	}
	runs.Wait()
	close(stop)
	users.Wait()
	requireUnderLiving(t, store, "acme")
	cold := eraseRing(t, fake, store, nil)
	for i, record := range old {
		requireOpens(t, cold.Tenant("acme").Subject(eraseName(i)), record)
	}
	for _, s := range all {
		requireOpens(t, cold.Tenant("acme").Subject(eraseName(s.person)), s.record)
	}
	done, err := cold.Compact(t.Context(), "acme")
	require.NoError(t, err)
	_, living := compactWraps(t, store, "acme")
	require.Equal(t, []string{done.Key.String()}, living)
}
