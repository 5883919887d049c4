package envelope_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// TestColdCalls counts what a process that has just started asks of the KMS.
func TestColdCalls(t *testing.T) {
	first := newRig(t, nil)
	scopes := func(r *rig) []envelope.Scope {
		acme := r.Tenant("acme")
		return []envelope.Scope{acme, acme.Subject("ada"), acme.Subject("bob")}
	}
	records := warmAll(t, scopes(first)...)
	for _, c := range []struct {
		name  string
		order []int // of the scopes
		calls []int // that the use of each costs
	}{
		{"tenant", []int{0, 0}, []int{1, 0}},
		{"subject", []int{1, 1}, []int{2, 0}},
		{"second subject", []int{1, 2}, []int{2, 0}},
		{"subjects of a tenant in memory", []int{0, 1, 2, 0}, []int{1, 2, 0, 0}},
	} {
		for _, sealing := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, sealing=%t", c.name, sealing), func(t *testing.T) {
				r := joinRig(t, first.fake, first.store, nil)
				for i, n := range c.order {
					before := r.fake.Count("")
					key := warmed{scopes(r)[n], records[n].record}
					if sealing {
						require.NoError(t, key.seal(t))
					} else {
						require.NoError(t, key.open(t))
					}
					require.Equal(t, c.calls[i], r.fake.Count("")-before)
					before = r.fake.Count("")
					require.NoError(t, key.both(t))
					require.Equal(t, before, r.fake.Count(""), "once more")
				}
			})
		}
	}
}

// TestOneLoadForManyCallers has callers come while a key is being loaded or made.
func TestOneLoadForManyCallers(t *testing.T) {
	for _, c := range []struct {
		name  string
		made  bool
		calls int
	}{{"load", true, 1}, {"make", false, 3}} { // make: wrap, read back, and what a rival of the same process may cost
		for _, person := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, subject=%t", c.name, person), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					g := newRig(t, nil)
					scope := func(r *rig) envelope.Scope {
						if person {
							return r.Tenant("acme").Subject("ada")
						}
						return r.Tenant("acme")
					}
					limit := c.calls
					if person {
						limit *= 3 // data key, wrap key, lookup key
					}
					cold := g
					if c.made {
						warm(t, scope(g))
						cold = joinRig(t, g.fake, g.store, nil)
					}
					g.fake.Always(kmstest.Fault{Latency: time.Second})
					before := g.fake.Count("")
					var callers sync.WaitGroup
					errs := make(chan error, 100)
					for range cap(errs) {
						callers.Go(func() { errs <- sealFor(t, scope(cold)) })
					}
					callers.Wait()
					for range cap(errs) {
						assert.NoError(t, <-errs)
					}
					require.LessOrEqual(t, g.fake.Count("")-before, limit)
				})
			})
		}
	}
}

// TestCallerWhoLeaves cancels the caller who began a load that others wait for.
func TestCallerWhoLeaves(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, nil)
		record := warm(t, g.Tenant("acme")).record
		g = joinRig(t, g.fake, g.store, nil)
		g.fake.Always(kmstest.Fault{Latency: 5 * time.Second})
		ctx, cancel := context.WithCancelCause(t.Context())
		start := time.Now()
		var first, late error
		var left time.Duration
		var callers sync.WaitGroup
		callers.Go(func() {
			_, first = g.Tenant("acme").Open(ctx, record, binding)
			left = time.Since(start)
		})
		synctest.Wait()
		for range 10 {
			callers.Go(func() {
				if err := (warmed{g.Tenant("acme"), record}).open(t); err != nil {
					late = err
				}
			})
		}
		sleep(time.Second)
		cancel(errors.New("enough"))
		callers.Wait()
		require.ErrorIs(t, first, context.Canceled)
		require.Equal(t, time.Second, left)
		require.NotErrorIs(t, first, envelope.ErrUnavailable)
		require.NoError(t, late)
		require.Equal(t, 5*time.Second, time.Since(start), "they did not begin anew")
	})
}

// TestUnknownKeysAreAskedForInPauses opens records of keys that do not exist, or whose rows are gone.
func TestUnknownKeysAreAskedForInPauses(t *testing.T) {
	for name, hide := range map[string]string{"no such key": "", "its row is missing": "tenant/acme/data/0000000002", "its rows are another scope's": "tenant/other/data/0000000001"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				g := newRig(t, nil)
				acme := warm(t, g.Tenant("acme"))
				record := append([]byte{acme.record[0]}, make([]byte, len(acme.record)-1)...)
				rand.Read(record[1:])
				switch hide {
				case "tenant/acme/data/0000000002":
					_, err := acme.Rotate(t.Context())
					require.NoError(t, err)
					record = warm(t, acme.Scope).record
					g.store.edit(func(row envelope.Row) (envelope.Row, bool) { return row, row.Key != hide })
					sleep(10 * time.Minute)
					require.NoError(t, acme.open(t))
				case "tenant/other/data/0000000001":
					record = warm(t, g.Tenant("other")).record
				}
				reads, calls := g.store.calls.Load(), g.fake.Count("")
				const seconds = 20
				for range seconds * 50 {
					_, err := acme.Open(t.Context(), record, binding)
					require.Equal(t, envelope.Reject, envelope.ActionFor(err), "%v", err)
					sleep(time.Second / 50)
				}
				require.LessOrEqual(t, g.store.calls.Load()-reads, int64(3*seconds), "of the store")
				require.LessOrEqual(t, g.fake.Count("")-calls, 2*seconds, "of the KMS")
			})
		})
	}
}

// TestFailedLoadsAreRepeatedInPauses has callers insist while nothing can be loaded.
func TestFailedLoadsAreRepeatedInPauses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, nil)
		record := warm(t, g.Tenant("acme")).record
		g = joinRig(t, g.fake, g.store, nil)
		g.fake.Always(kmstest.Fault{Err: kms.ErrUnavailable})
		before := g.fake.Count("")
		const seconds = 20
		for range seconds * 50 {
			kmsOutage(t, warmed{g.Tenant("acme"), record}.open(t))
			sleep(time.Second / 50)
		}
		require.LessOrEqual(t, g.fake.Count("")-before, seconds)
		g.fake.Always()
		sleep(2 * time.Second)
		require.NoError(t, warmed{g.Tenant("acme"), record}.open(t))
	})
}
