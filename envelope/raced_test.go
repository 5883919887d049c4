package envelope_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// haltStore is a Store that halts the first call that the test picks: before Get and Apply, after List.
type haltStore struct {
	envelope.Store
	picks  func(op, key string, value []byte) bool
	met    atomic.Bool
	halted chan struct{}
	goOn   chan struct{}
}

func newHaltStore(inner envelope.Store, picks func(op, key string, value []byte) bool) *haltStore {
	return &haltStore{Store: inner, picks: picks, halted: make(chan struct{}), goOn: make(chan struct{})}
}

func (s *haltStore) halt(op, key string, value []byte) {
	if s.picks(op, key, value) && s.met.CompareAndSwap(false, true) {
		close(s.halted)
		<-s.goOn
	}
}

func (s *haltStore) Get(ctx context.Context, key string) (envelope.Row, error) {
	s.halt("get", key, nil)
	return s.Store.Get(ctx, key)
}

func (s *haltStore) List(ctx context.Context, prefix, after string, limit int) ([]envelope.Row, error) {
	rows, err := s.Store.List(context.WithoutCancel(ctx), prefix, after, limit)
	s.halt("list", prefix, nil)
	return rows, err
}

func (s *haltStore) Apply(ctx context.Context, changes ...envelope.Change) error {
	s.halt("apply", changes[0].Key, changes[0].Value)
	return s.Store.Apply(ctx, changes...)
}

// TestCloseMeetsFirstCall closes the Keyring while the first call reads rows.
func TestCloseMeetsFirstCall(t *testing.T) {
	for _, made := range []bool{false, true} {
		for _, person := range []bool{false, true} {
			t.Run(fmt.Sprintf("made %v, subject %v", made, person), func(t *testing.T) {
				fake, store := kmstest.NewFake("key"), memstore.New()
				if made {
					require.NoError(t, sealFor(t, newKeyring(t, fake, store, nil).Tenant("acme").Subject("ada")))
				}
				slow := newHaltStore(store, func(op, _ string, _ []byte) bool { return op == "list" })
				r := newKeyring(t, fake, slow, nil)
				var scope envelope.Scope = r.Tenant("acme")
				if person {
					scope = r.Tenant("acme").Subject("ada")
				}
				sealed, closed := make(chan error), make(chan struct{})
				go func() { sealed <- sealFor(t, scope) }()
				<-slow.halted
				go func() { r.Close(); close(closed) }()
				require.Eventually(t, func() bool { return r.Tenant("other").Disable(t.Context(), "why") != nil }, 10*time.Second, time.Millisecond, "Close has begun")
				close(slow.goOn)
				require.ErrorIs(t, <-sealed, envelope.ErrClosed)
				<-closed
			})
		}
	}
}

// TestErasureReachesKeysetsInUse erases a subject whose keyset the cache has let go while a call holds it.
func TestErasureReachesKeysetsInUse(t *testing.T) {
	for _, entries := range []int{1, 2} {
		fake := kmstest.NewFake("key")
		slow := newHaltStore(memstore.New(), func(op, key string, _ []byte) bool { return op == "get" && strings.HasPrefix(key, "id/") })
		r := newKeyring(t, fake, slow, &envelope.KeyringOptions{CacheEntries: entries})
		ada := warm(t, r.Tenant("acme").Subject("ada"))
		unknown := bytes.Clone(ada.record)
		unknown[5] ^= 1
		held := make(chan error)
		go func() {
			_, err := ada.Open(t.Context(), unknown, binding)
			held <- err
		}()
		<-slow.halted
		for i := range 400 {
			_, err := r.Tenant("acme").Subject(fmt.Sprint("bob", i%(8*entries))).Open(t.Context(), ada.record, binding)
			require.ErrorIs(t, err, envelope.ErrWrongScope)
		}
		_, err := ada.Scope.(envelope.Subject).Erase(t.Context(), envelope.Erasure{Ref: "case 1"})
		require.NoError(t, err)
		require.ErrorIs(t, ada.seal(t), envelope.ErrErased)
		require.ErrorIs(t, ada.open(t), envelope.ErrErased)
		close(slow.goOn)
		require.Error(t, <-held)
		require.ErrorIs(t, ada.seal(t), envelope.ErrErased)
	}
}

// TestFirstSealMeetsCompaction has a process unwrap the wrap key for a new subject while another replaces it: before the old one is closed, and after all is over.
func TestFirstSealMeetsCompaction(t *testing.T) {
	for _, midway := range []bool{false, true} {
		t.Run(fmt.Sprintf("midway %v", midway), func(t *testing.T) {
			fake, store := kmstest.NewFake("key"), memstore.New()
			slow := newHaltStore(store, func(op, key string, value []byte) bool {
				return midway && op == "apply" && strings.Contains(key, "/wrap/") && bytes.Contains(value, []byte(`"destroyed"`))
			})
			other := newKeyring(t, fake, slow, nil)
			require.NoError(t, sealFor(t, other.Tenant("acme").Subject("bob")))

			driver := fake.Driver()
			key, err := kms.NewKey(driver, &kms.Options{Attempts: 1, BreakAfter: 1000})
			require.NoError(t, err)
			r, err := envelope.NewKeyring("test", store, envelope.SingleRoot(key), nil)
			require.NoError(t, err)
			t.Cleanup(func() {
				require.NoError(t, r.Close())
				require.NoError(t, key.Close())
			})
			require.NoError(t, sealFor(t, r.Tenant("acme"))) // without subjects the wrap key is not in memory
			asked, answer := make(chan struct{}), make(chan struct{})
			fake.Script(kmstest.Fault{Driver: driver, Op: "unwrap"}, // the lookup key
				kmstest.Fault{Driver: driver, Op: "unwrap", Arrived: func() { close(asked); <-answer }}) // the wrap key
			var record []byte
			sealed, compacted := make(chan error), make(chan error, 1)
			go func() {
				var err error
				record, err = r.Tenant("acme").Subject("ada").Seal(t.Context(), []byte("precious"), binding)
				sealed <- err
			}()
			<-asked
			go func() {
				_, err := other.Compact(t.Context(), "acme")
				compacted <- err
			}()
			if midway {
				<-slow.halted
			} else {
				require.NoError(t, <-compacted)
			}
			_, err = r.Tenant("acme").Rotate(t.Context()) // reads the tenant's rows again
			require.NoError(t, err)
			close(answer)
			require.NoError(t, <-sealed)
			if midway {
				close(slow.goOn)
				require.NoError(t, <-compacted)
			}
			ada := newKeyring(t, fake, store, nil).Tenant("acme").Subject("ada")
			got, err := ada.Open(t.Context(), record, binding)
			require.NoError(t, err)
			require.Equal(t, "precious", string(got))
			require.NoError(t, sealFor(t, ada))
		})
	}
}
