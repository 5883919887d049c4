package envelope_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/internal/bubble"
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

func TestRewrapTenThousand(t *testing.T) {
	if testing.Short() {
		t.Skip("10 000 keys")
	}
	const tenants = 10_000
	ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
	before := ringOf(t, fakeKey(t, ours), store, nil)
	for i := range tenants {
		_, err := before.Tenant(fmt.Sprint("t", i)).Create(t.Context())
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
	require.Equal(t, tenants, total)
	require.Zero(t, report.Fresh, "it does not start over")
	require.Equal(t, tenants, requireUnder(t, store, "tenant/", "theirs"))
}

// Only keys that need the KMS are paced.
func TestRewrapPace(t *testing.T) {
	byokClock(t)
	bubble.Test(t, func(t *testing.T) {
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
