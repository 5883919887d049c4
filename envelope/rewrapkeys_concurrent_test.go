package envelope_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// What is written over a row meanwhile stays.
func TestRewrapConflicts(t *testing.T) {
	const row = "tenant/acme/data/0000000001"
	ours, theirs := kmstest.NewFake("ours"), kmstest.NewFake("theirs")
	origin := memstore.New()
	fill(t, ringOf(t, fakeKey(t, ours), origin, nil), "acme")
	rows, key := copyOf(t, origin, ""), rollingFakes(t, theirs, ours)
	for name, c := range map[string]struct {
		meanwhile func(t *testing.T, store envelope.Store)
		want      envelope.Report
	}{
		"a tombstone": {func(t *testing.T, store envelope.Store) {
			have, err := store.Get(t.Context(), row)
			require.NoError(t, err)
			var k map[string]any
			require.NoError(t, json.Unmarshal(have.Value, &k))
			delete(k, "wrapped")
			delete(k, "commitment")
			k["destroyed"] = time.Now()
			have.Value, err = json.Marshal(k)
			require.NoError(t, err)
			require.NoError(t, store.Apply(t.Context(), envelope.Change{Row: have}))
		}, envelope.Report{Keys: 3, Rewrapped: 3}},
		"another run": {func(t *testing.T, store envelope.Store) {
			_, err := ringOf(t, key, store, nil).Rewrap(t.Context(), nil)
			require.NoError(t, err)
		}, envelope.Report{Keys: 4, Fresh: 4}},
		"the same once more": {func(t *testing.T, store envelope.Store) {
			have, err := store.Get(t.Context(), row)
			require.NoError(t, err)
			require.NoError(t, store.Apply(t.Context(), envelope.Change{Row: have}))
		}, envelope.Report{Keys: 4, Rewrapped: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			store := restored(t, rows)
			var once sync.Once
			var left envelope.Row
			shaky := &shakyStore{Store: store}
			shaky.before = func(changes []envelope.Change) {
				if changes[0].Key != row {
					return
				}
				once.Do(func() {
					c.meanwhile(t, store)
					var err error
					left, err = store.Get(t.Context(), row)
					require.NoError(t, err)
				})
			}
			report, err := ringOf(t, key, shaky, nil).Rewrap(t.Context(), &envelope.RewrapOptions{Workers: 1})
			require.NoError(t, err)
			c.want.Cursor = "tenant/acme/wrap/0000000001"
			require.Equal(t, c.want, report)
			requireUnder(t, store, "tenant/", "theirs")
			if name != "the same once more" {
				now, err := store.Get(t.Context(), row)
				require.NoError(t, err)
				require.Equal(t, left, now)
			}
		})
	}
}

// Two processes share the work: each key is written by one.
func TestRewrapTwice(t *testing.T) {
	ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
	var tenants []string
	for i := range 20 {
		tenants = append(tenants, fmt.Sprint("t", i))
	}
	records := fill(t, ringOf(t, fakeKey(t, ours), store, nil), tenants...)
	var wg sync.WaitGroup
	var reports [2]envelope.Report
	var errs [2]error
	for i := range reports {
		r := ringOf(t, rollingFakes(t, theirs, ours), store, nil)
		wg.Go(func() { reports[i], errs[i] = r.Rewrap(t.Context(), nil) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs[:]...))
	require.Equal(t, 80, requireUnder(t, store, "tenant/", "theirs"))
	require.Equal(t, []int{80, 80}, []int{reports[0].Keys, reports[1].Keys})
	require.Equal(t, 80, reports[0].Rewrapped+reports[1].Rewrapped)
	requireOpen(t, ringOf(t, fakeKey(t, theirs), store, nil), records)
}

// Services create, rotate, seal and open all the while, in the process that rewraps and in another.
func TestRewrapAtWork(t *testing.T) {
	ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
	tenants := []string{"a", "b", "c", "d", "e"}
	records := fill(t, ringOf(t, fakeKey(t, ours), store, nil), tenants...)
	key := rollingFakes(t, theirs, ours)
	rings := []*envelope.Keyring{ringOf(t, key, store, nil), ringOf(t, key, store, nil)}
	var wg sync.WaitGroup
	var mu sync.Mutex
	errs := []error{}
	do := func(f func(r *envelope.Keyring, tenant string, i int) (sealedBy, error)) {
		for i, r := range rings {
			wg.Go(func() {
				for n := range 40 {
					s, err := f(r, tenants[n%len(tenants)], 100*i+n)
					mu.Lock()
					if errs = append(errs, err); s.record != nil {
						records = append(records, s)
					}
					mu.Unlock()
				}
			})
		}
	}
	do(func(r *envelope.Keyring, tenant string, _ int) (sealedBy, error) {
		_, err := r.Tenant(tenant).Rotate(t.Context())
		return sealedBy{}, err
	})
	do(func(r *envelope.Keyring, tenant string, i int) (sealedBy, error) {
		s := sealedBy{tenant: tenant, subject: fmt.Sprint("person", i)}
		record, err := s.scope(r).Seal(t.Context(), []byte("of "+s.tenant+s.subject), binding)
		s.record = record
		return s, err
	})
	for range 3 {
		wg.Go(func() {
			_, err := rings[0].Rewrap(t.Context(), nil)
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	_, err := rings[1].Rewrap(t.Context(), nil)
	require.NoError(t, err)
	requireUnder(t, store, "tenant/", "theirs")
	requireOpen(t, rings[0], records)
	requireOpen(t, ringOf(t, fakeKey(t, theirs), store, nil), records)
}

// Erasures and compactions go on meanwhile, and no key comes back.
func TestRewrapDuringErasure(t *testing.T) {
	ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
	var tenants []string
	for i := range 12 {
		tenants = append(tenants, fmt.Sprintf("t%02d", i))
	}
	records := fill(t, ringOf(t, fakeKey(t, ours), store, nil), tenants...)
	key := rollingFakes(t, theirs, ours)
	r, other := ringOf(t, key, store, nil), ringOf(t, key, store, nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	do := func(f func() error) {
		wg.Go(func() {
			err := f()
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	erasure := envelope.Erasure{Ref: "case 7"}
	for i, tenant := range tenants {
		do(func() (err error) {
			switch i % 3 {
			case 0:
				_, err = other.Tenant(tenant).Destroy(t.Context(), erasure, tenant)
			case 1:
				_, err = other.Tenant(tenant).Subject("ada").Erase(t.Context(), erasure)
			}
			return err
		})
		do(func() error {
			if i%3 == 0 {
				return nil
			}
			_, err := r.Compact(t.Context(), tenant)
			return err
		})
	}
	for range 2 {
		do(func() error {
			_, err := r.Rewrap(t.Context(), nil)
			return err
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	_, err := r.Rewrap(t.Context(), nil)
	require.NoError(t, err)
	for i, tenant := range tenants {
		n := requireUnder(t, store, "tenant/"+tenant+"/", "theirs")
		if i%3 == 0 {
			require.Zero(t, n, "every key is a tombstone")
		} else {
			require.Equal(t, rowsEach, n, "compaction has put one wrap key in the place of another")
		}
	}
	after := ringOf(t, fakeKey(t, theirs), store, nil)
	for i, s := range records {
		if erased := []bool{true, s.subject != "", false}[i/3%3]; !erased {
			requireOpen(t, after, []sealedBy{s})
			continue
		}
		_, err := s.scope(after).Open(t.Context(), s.record, binding)
		require.ErrorIs(t, err, envelope.ErrErased)
	}
}

// A process that has read the rows before goes on with them after, also where it is not the one that rewrapped.
func TestRewrapThenCreate(t *testing.T) {
	for name, same := range map[string]bool{"same process": true, "another": false} {
		t.Run(name, func(t *testing.T) {
			ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
			key := rollingFakes(t, theirs, ours)
			fill(t, ringOf(t, fakeKey(t, ours), store, nil), "acme")
			r := ringOf(t, key, store, nil)
			records := fill(t, r, "acme") // has the rows in memory
			mover := r
			if !same {
				mover = ringOf(t, key, store, nil)
			}
			report, err := mover.Rewrap(t.Context(), nil)
			require.NoError(t, err)
			require.NotZero(t, report.Rewrapped)
			_, err = r.Tenant("acme").Subject("bob").Create(t.Context())
			require.NoError(t, err)
			requireOpen(t, r, append(records, fill(t, r, "acme")...))
		})
	}
}
