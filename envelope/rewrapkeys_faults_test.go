package envelope_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// requireCursor requires that every key up to the cursor of a report is under a KMS key.
func requireCursor(t testing.TB, store envelope.Store, report envelope.Report, id string) {
	t.Helper()
	for name, k := range tenantKeys(t, store, "tenant/") {
		if name <= report.Cursor {
			require.Equal(t, id, k.under(t), name)
		}
	}
}

// Each run goes on where the one before was cut off, at every call of the store.
func TestRewrapResumes(t *testing.T) {
	ours, theirs := kmstest.NewFake("ours"), kmstest.NewFake("theirs")
	origin := memstore.New()
	records := fill(t, ringOf(t, fakeKey(t, ours), origin, nil), "acme", "zulu")
	rows, key := copyOf(t, origin, ""), rollingFakes(t, theirs, ours)
	for _, workers := range []int{1, 3} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("workers=%d/after=%v", workers, after), func(t *testing.T) {
				for failAt, whole := 1, false; !whole; failAt++ {
					store := restored(t, rows)
					shaky := &shakyStore{Store: store, failAt: failAt, after: after}
					var last envelope.Report
					report, err := ringOf(t, key, shaky, nil).Rewrap(t.Context(), &envelope.RewrapOptions{
						Workers: workers, Progress: func(r envelope.Report) {
							requireCursor(t, store, r, "theirs") // a kill now would leave this
							last = r
						},
					})
					require.Equal(t, last.Cursor, report.Cursor)
					requireCursor(t, store, report, "theirs")
					if whole = err == nil; whole {
						require.Equal(t, 8, report.Rewrapped)
					} else {
						require.Equal(t, envelope.Retry, envelope.ActionFor(err))
					}
					requireOpen(t, ringOf(t, key, store, nil), records)

					rest, err := ringOf(t, key, store, nil).Rewrap(t.Context(), &envelope.RewrapOptions{Cursor: report.Cursor})
					require.NoError(t, err)
					require.LessOrEqual(t, rest.Keys, 8)
					require.Equal(t, 8, requireUnder(t, store, "tenant/", "theirs"))
					again, err := ringOf(t, key, store, nil).Rewrap(t.Context(), &envelope.RewrapOptions{Cursor: rest.Cursor})
					require.NoError(t, err)
					require.Zero(t, again.Keys, "all is behind the cursor")
					require.Equal(t, rest.Cursor, again.Cursor)
				}
				require.NotZero(t, ours.Count("unwrap"))
			})
		}
	}
}

// Ended by its context or by Close, a run says what it has done.
func TestRewrapEnds(t *testing.T) {
	ours, theirs := kmstest.NewFake("ours"), kmstest.NewFake("theirs")
	origin := memstore.New()
	fill(t, ringOf(t, fakeKey(t, ours), origin, nil), "acme", "zulu")
	rows := copyOf(t, origin, "")
	for name, c := range map[string]struct {
		end  func(cancel func(), r *envelope.Keyring)
		want error
	}{
		"context": {func(cancel func(), _ *envelope.Keyring) { cancel() }, context.Canceled},
		"Close":   {func(_ func(), r *envelope.Keyring) { go r.Close() }, envelope.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			store := restored(t, rows)
			r := ringOf(t, rollingFakes(t, theirs, ours), store, nil)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			report, err := r.Rewrap(ctx, &envelope.RewrapOptions{Workers: 1, Progress: func(p envelope.Report) {
				if p.Keys == 3 {
					theirs.Always(kmstest.Fault{Hang: true, Arrived: func() { c.end(cancel, r) }})
				}
			}})
			theirs.Always()
			require.ErrorIs(t, err, c.want)
			require.Equal(t, envelope.Report{Cursor: "tenant/acme/lookup/0000000001", Keys: 3, Rewrapped: 3}, report)
			requireCursor(t, store, report, "theirs")
		})
	}
}

// A KMS that answers wrongly changes no row.
func TestRewrapLies(t *testing.T) {
	ours, theirs := kmstest.NewFake("ours"), kmstest.NewFake("theirs")
	origin := memstore.New()
	records := fill(t, ringOf(t, fakeKey(t, ours), origin, nil), "acme")
	rows := copyOf(t, origin, "")
	flip := func(b []byte) []byte {
		b[0] ^= 1
		return b
	}
	for name, c := range map[string]struct {
		liar  *kmstest.Fake
		fault kmstest.Fault
		want  error
	}{
		"old unwraps to another key":  {ours, kmstest.Fault{Op: "unwrap", Unwrap: flip}, envelope.ErrOpen},
		"old unwraps to a shorter":    {ours, kmstest.Fault{Op: "unwrap", Unwrap: func(b []byte) []byte { return b[:31] }}, envelope.ErrOpen},
		"new unwraps to another key":  {theirs, kmstest.Fault{Op: "unwrap", Unwrap: flip}, envelope.ErrOpen},
		"new can't unwrap":            {theirs, kmstest.Fault{Op: "unwrap", Err: kms.ErrAccessDenied}, kms.ErrAccessDenied},
		"new wraps what opens not":    {theirs, kmstest.Fault{Op: "wrap", Wrap: func(w kms.Wrapped) kms.Wrapped { flip(w.Blob); return w }}, envelope.ErrOpen},
		"new wraps under another key": {theirs, kmstest.Fault{Op: "wrap", Wrap: func(w kms.Wrapped) kms.Wrapped { w.KeyID = "other"; return w }}, kms.ErrInvalid},
		"new wraps under old version": {theirs, kmstest.Fault{Op: "wrap", Wrap: func(w kms.Wrapped) kms.Wrapped { w.Version = "0"; return w }}, nil},
		"new throttles":               {theirs, kmstest.Fault{Op: "wrap", Err: kms.ErrThrottled}, envelope.ErrUnavailable},
		"new is a blob above a row":   {theirs, kmstest.Fault{Op: "wrap", Wrap: func(w kms.Wrapped) kms.Wrapped { w.Blob = make([]byte, 60_000); return w }}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			store := restored(t, rows)
			c.liar.Always(c.fault)
			defer c.liar.Always()
			report, err := ringOf(t, rollingFakes(t, theirs, ours), store, nil).Rewrap(t.Context(), nil)
			require.Error(t, err)
			if c.want != nil {
				require.ErrorIs(t, err, c.want)
			}
			require.Equal(t, envelope.Report{
				Keys: rowsEach, Failed: rowsEach, Reasons: map[string]int{envelope.Class(err): rowsEach},
				Failures: []envelope.RewrapFailure{{Tenant: "acme", Reason: envelope.Class(err), Keys: rowsEach, Err: report.Failures[0].Err}},
			}, report)
			require.Equal(t, copyOf(t, restored(t, rows), ""), copyOf(t, store, ""))
			c.liar.Always()
			requireOpen(t, ringOf(t, fakeKey(t, ours), store, nil), records)
		})
	}
}

// A key is never left under fewer KMS keys than it should be.
func TestRewrapMissingRecipient(t *testing.T) {
	ours, theirs, recovery := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), kmstest.NewFake("recovery")
	store := memstore.New()
	records := fill(t, ringOf(t, fakeKey(t, ours), store, nil), "acme")
	both, err := kms.AnyOf([]*kms.Key{fakeKey(t, theirs), fakeKey(t, recovery)}, &kms.AnyOptions{Minimum: 1})
	require.NoError(t, err)
	key, err := kms.Rolling(both, fakeKey(t, ours))
	require.NoError(t, err)
	r := ringOf(t, key, store, nil)

	recovery.Always(kmstest.Fault{Err: kms.ErrUnavailable})
	report, err := r.Rewrap(t.Context(), nil)
	require.ErrorIs(t, err, envelope.ErrUnavailable)
	require.Equal(t, map[string]int{"kms_unavailable": rowsEach}, report.Reasons)
	require.Equal(t, rowsEach, requireUnder(t, store, "tenant/", "ours"))

	recovery.Always()
	_, err = r.Rewrap(t.Context(), nil)
	require.NoError(t, err)
	requireOpen(t, ringOf(t, fakeKey(t, recovery), store, nil), records)
	requireOpen(t, ringOf(t, fakeKey(t, theirs), store, nil), records)
}

// Rows that hold no key fail, and no other does.
func TestRewrapDamagedRows(t *testing.T) {
	ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
	fill(t, ringOf(t, fakeKey(t, ours), store, nil), "a", "b", "c")
	put := func(key, value string) {
		t.Helper()
		row, err := store.Get(t.Context(), key)
		require.NoError(t, err)
		row.Value = []byte(value)
		require.NoError(t, store.Apply(t.Context(), envelope.Change{Row: row}))
	}
	moved, err := store.Get(t.Context(), "tenant/a/data/0000000001")
	require.NoError(t, err)
	put("tenant/b/lookup/0000000001", string(moved.Value))
	put("tenant/b/data/0000000003", "{}")
	put("tenant/b/data/0000000004", "no JSON")
	put("tenant/%zz/data/0000000001", "{}")
	var huge map[string]any
	require.NoError(t, json.Unmarshal(moved.Value, &huge))
	huge["refs"] = []string{strings.Repeat("x", envelope.MaxRowValue-len(moved.Value))}
	text, err := json.Marshal(huge)
	require.NoError(t, err)
	require.LessOrEqual(t, len(text), envelope.MaxRowValue)
	put(moved.Key, string(text))

	report, err := ringOf(t, rollingFakes(t, theirs, ours), store, nil).Rewrap(t.Context(), &envelope.RewrapOptions{Workers: 1})
	require.Error(t, err)
	require.Equal(t, map[string]int{"open": 1, "format": 3, "too_large": 1}, report.Reasons)
	require.Equal(t, []int{15, 10, 5}, []int{report.Keys, report.Rewrapped, report.Failed})
	require.Empty(t, report.Cursor, "the first row failed")
	var failures []string
	for _, f := range report.Failures {
		failures = append(failures, fmt.Sprintf("%s %s %d", f.Tenant, f.Reason, f.Keys))
	}
	require.Equal(t, []string{" format 1", "a too_large 1", "b format 2", "b open 1"}, failures)
	left, err := store.Get(t.Context(), moved.Key)
	require.NoError(t, err)
	require.Equal(t, text, left.Value)
}

// Failures beyond a thousand tenants are counted, and the error stays small.
func TestRewrapManyFailures(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	for i := range 1200 {
		require.NoError(t, store.Apply(t.Context(), envelope.Change{Row: envelope.Row{Key: fmt.Sprintf("tenant/%d/data/0000000001", i), Value: []byte("{}")}}))
	}
	report, err := newKeyring(t, fake, store, nil).Rewrap(t.Context(), nil)
	require.ErrorIs(t, err, envelope.ErrFormat)
	require.Less(t, len(err.Error()), 500)
	require.Equal(t, 1200, report.Failed)
	require.Equal(t, map[string]int{"format": 1200}, report.Reasons)
	require.Len(t, report.Failures, 1000)
}

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

func TestRewrapTenThousand(t *testing.T) {
	if testing.Short() {
		t.Skip("10 000 keys")
	}
	const tenants = 5000
	ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
	before := ringOf(t, fakeKey(t, ours), store, nil)
	for i := range tenants {
		_, err := before.Tenant(fmt.Sprint("t", i)).Create(t.Context())
		require.NoError(t, err)
		_, err = before.Tenant(fmt.Sprint("t", i)).Rotate(t.Context())
		require.NoError(t, err)
	}
	r := ringOf(t, rollingFakes(t, theirs, ours), store, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	total := 0
	report, err := r.Rewrap(ctx, &envelope.RewrapOptions{Workers: 1, Progress: func(p envelope.Report) {
		if p.Keys == 3333 {
			cancel() // and goes on below
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
	total += report.Rewrapped
	report, err = r.Rewrap(t.Context(), &envelope.RewrapOptions{Cursor: report.Cursor})
	require.NoError(t, err)
	total += report.Rewrapped
	require.Equal(t, 2*tenants, total)
	require.Zero(t, report.Fresh, "it does not start over")
	require.Equal(t, 2*tenants, requireUnder(t, store, "tenant/", "theirs"))
}

// Only keys that need the KMS are paced.
func TestRewrapPace(t *testing.T) {
	byokClock(t)
	synctest.Test(t, func(t *testing.T) {
		ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
		fill(t, ringOf(t, fakeKey(t, ours), store, nil), "a", "b", "c", "d", "e")
		r := ringOf(t, rollingFakes(t, theirs, ours), store, nil)
		o := &envelope.RewrapOptions{PerSecond: 10}
		start := time.Now()
		_, err := r.Rewrap(t.Context(), o)
		require.NoError(t, err)
		require.Equal(t, 2*time.Second, time.Since(start)) // 20 keys
		_, err = r.Rewrap(t.Context(), o)
		require.NoError(t, err)
		require.Equal(t, 2*time.Second, time.Since(start))
	})
}

func TestRewrapProgress(t *testing.T) {
	ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
	fill(t, ringOf(t, fakeKey(t, ours), store, nil), "a", "b")
	var seen []envelope.Report
	report, err := ringOf(t, rollingFakes(t, theirs, ours), store, nil).Rewrap(t.Context(), &envelope.RewrapOptions{
		Workers: 4, Progress: func(r envelope.Report) { seen = append(seen, r) },
	})
	require.NoError(t, err)
	require.Len(t, seen, 8)
	for i, r := range seen {
		require.Equal(t, i+1, r.Keys)
	}
	require.True(t, slices.IsSortedFunc(seen, func(a, b envelope.Report) int { return strings.Compare(a.Cursor, b.Cursor) }))
	require.Equal(t, report, seen[7])
	require.Contains(t, slices.Collect(maps.Keys(tenantKeys(t, store, "tenant/"))), report.Cursor)
}
