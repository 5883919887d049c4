package envelope_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// customers is a Root that tests change.
type customers struct {
	mu   sync.Mutex
	keys map[string]*kms.Key
}

func (c *customers) root(_ context.Context, tenant string) (*kms.Key, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.keys[tenant], nil
}

func (c *customers) set(tenant string, key *kms.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys[tenant] = key
}

// twoCustomers returns the KMS of a and of b, each with its own.
func twoCustomers(t testing.TB) (a, b *kmstest.Fake, c *customers) {
	a, b = kmstest.NewFake("a"), kmstest.NewFake("b")
	return a, b, &customers{keys: map[string]*kms.Key{"a": fakeKey(t, a), "b": fakeKey(t, b)}}
}

func TestOwnKeyOutage(t *testing.T) {
	byokClock(t)
	bubble.Test(t, func(t *testing.T) {
		a, b, roots := twoCustomers(t)
		r := ringOfRoot(t, roots.root, memstore.New(), nil)
		records := fill(t, r, "a", "b")
		ofA, ofB := records[:3], records[3:]
		a.Always(kmstest.Fault{Err: kms.ErrUnavailable})
		for range 20 { // two hours
			time.Sleep(6 * time.Minute)
			requireOpen(t, r, append(ofB, fill(t, r, "b")...))
			for _, s := range ofA {
				s.scope(r).Open(t.Context(), s.record, binding)
			}
		}
		require.Equal(t, kms.HealthDegraded, r.Health(t.Context(), "a").Status.Health)
		healthy := r.Health(t.Context(), "b")
		require.NoError(t, healthy.Err)
		require.Equal(t, kms.HealthUsable, healthy.Status.Health)
		for _, s := range ofA {
			_, err := s.scope(r).Open(t.Context(), s.record, binding)
			require.ErrorIs(t, err, kms.ErrUnavailable)
			require.Equal(t, envelope.Retry, envelope.ActionFor(err))
		}
		for _, call := range b.Calls() {
			require.NoError(t, call.Err)
		}
		a.Always()
		time.Sleep(2 * time.Second)
		requireOpen(t, r, records)
	})
}

// While one customer's KMS gives no answer, the keys of others are made, loaded and rewrapped.
func TestOwnKeyHangs(t *testing.T) {
	a, b, roots := twoCustomers(t)
	store := memstore.New()
	records := fill(t, ringOfRoot(t, roots.root, store, nil), "a", "b")
	r := ringOfRoot(t, roots.root, store, nil)
	b.Rotate()
	const stuck = 8
	arrived := make(chan struct{}, 2*stuck)
	a.Always(kmstest.Fault{Hang: true, Op: "unwrap", Arrived: func() { arrived <- struct{}{} }})
	var wg sync.WaitGroup
	errs := make([]error, stuck+1)
	for i := range stuck {
		wg.Go(func() { _, errs[i] = r.Tenant("a").Open(t.Context(), records[0].record, binding) })
	}
	<-arrived
	requireOpen(t, r, records[3:])
	requireOpen(t, r, fill(t, r, "b"))
	roots.set("a", rollingFakes(t, kmstest.NewFake("new"), a))
	done := make(chan struct{})
	wg.Go(func() {
		_, errs[stuck] = r.Rewrap(t.Context(), &envelope.RewrapOptions{Workers: 5, Progress: func(p envelope.Report) {
			if p.Rewrapped == rowsEach { // b's, the last in order; a's four wait
				close(done)
			}
		}})
	})
	<-done
	a.Always()
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, rowsEach, requireUnder(t, store, "tenant/a/", "new"))
}

// A customer's revocation ends what the process has of the customer, at the first answer of the KMS that says so, and of nobody else.
func TestOwnKeyRevoked(t *testing.T) {
	for name, c := range map[string]struct {
		state kms.State
		want  error
		shows kms.Health
	}{
		"disabled":         {kms.Disabled, kms.ErrDisabled, kms.HealthDisabled},
		"pending deletion": {kms.PendingDeletion, kms.ErrPendingDeletion, kms.HealthDisabled},
	} {
		t.Run(name, func(t *testing.T) {
			byokClock(t)
			bubble.Test(t, func(t *testing.T) {
				a, b, roots := twoCustomers(t)
				store := memstore.New()
				old := fill(t, ringOfRoot(t, roots.root, store, nil), "a", "b")
				r := ringOfRoot(t, roots.root, store, nil)
				warm := map[string]sealedBy{}
				for _, s := range old[1:] { // all but a's first version
					requireOpen(t, r, []sealedBy{s})
					warm[s.tenant+s.subject] = s
				}
				a.SetState(c.state)
				calls := b.Count("")
				requireOpen(t, r, []sealedBy{warm["a"], warm["aada"]}) // nobody has asked yet

				_, err := r.Tenant("a").Open(t.Context(), old[0].record, binding) // the KMS is asked, and refuses
				require.ErrorIs(t, err, c.want)
				for _, s := range []sealedBy{warm["a"], warm["aada"]} {
					_, err := s.scope(r).Open(t.Context(), s.record, binding)
					require.ErrorIs(t, err, c.want, "%s %s", s.tenant, s.subject)
					require.Equal(t, envelope.Hold, envelope.ActionFor(err))
					_, err = s.scope(r).Seal(t.Context(), nil, binding)
					require.ErrorIs(t, err, c.want)
				}
				h := r.Health(t.Context(), "a")
				require.ErrorIs(t, h.Err, c.want)
				require.Equal(t, c.shows, h.Status.Health)
				require.Zero(t, h.ReadsUntil)
				requireOpen(t, r, old[3:])
				require.Equal(t, calls, b.Count(""), "b's keys stay in memory")

				a.SetState(kms.Enabled)
				time.Sleep(2 * time.Second)
				requireOpen(t, r, old)
				h = r.Health(t.Context(), "a")
				require.NoError(t, h.Err)
				require.Equal(t, kms.HealthUsable, h.Status.Health)
				require.NotZero(t, h.ReadsUntil)
			})
		})
	}
}

// The documented worst case: CacheTTL while the KMS answers.
func TestOwnKeyRevokedInUse(t *testing.T) {
	byokClock(t)
	bubble.Test(t, func(t *testing.T) {
		a, _, roots := twoCustomers(t)
		const ttl = time.Minute
		r := ringOfRoot(t, roots.root, memstore.New(), &envelope.KeyringOptions{CacheTTL: ttl})
		records := fill(t, r, "a", "b")
		for range 5 {
			time.Sleep(ttl / 7)
			requireOpen(t, r, records)
		}
		a.SetState(kms.Disabled)
		revoked := time.Now()
		for time.Since(revoked) <= ttl {
			requireOpen(t, r, records[3:])
			for _, s := range records[:3] {
				s.scope(r).Open(t.Context(), s.record, binding)
			}
			time.Sleep(time.Second)
		}
		for _, s := range records[:3] {
			_, err := s.scope(r).Open(t.Context(), s.record, binding)
			require.ErrorIs(t, err, kms.ErrDisabled)
		}
	})
}

// A tenant moves from our key to the customer's, cut off after every key; both keys are needed until it is done, and then theirs alone.
func TestOwnKeyMove(t *testing.T) {
	ours, theirs := kmstest.NewFake("ours"), kmstest.NewFake("theirs")
	origin := memstore.New()
	old := fakeKey(t, ours)
	records := fill(t, ringOf(t, old, origin, nil), "acme", "other")
	backup := copyOf(t, origin, "")
	for cut := range rowsEach + 1 {
		t.Run(fmt.Sprintf("cut=%d", cut), func(t *testing.T) {
			store := restored(t, backup)
			both := rollingFakes(t, theirs, ours)
			roots := &customers{keys: map[string]*kms.Key{"acme": both, "other": old}}
			r := ringOfRoot(t, roots.root, store, nil)
			requireOpen(t, r, records)
			o := envelope.RewrapOptions{Tenants: []string{"acme"}, Workers: 1}
			if cut < rowsEach { // the KMS fails from then on, as if the process were killed
				for range cut {
					theirs.Script(kmstest.Fault{Op: "wrap"})
				}
				theirs.Script(kmstest.Fault{Op: "wrap", Err: kms.ErrUnavailable})
				ctx, cancel := context.WithCancel(t.Context())
				o.Progress = func(p envelope.Report) {
					if p.Failed > 0 {
						cancel()
					}
				}
				report, err := r.Rewrap(ctx, &o)
				cancel()
				require.Error(t, err)
				require.Equal(t, cut, report.Rewrapped)
				requireCursor(t, restored(t, copyOf(t, store, "tenant/acme/")), report, "theirs")
				requireOpen(t, ringOfRoot(t, roots.root, store, nil), records)
				o.Cursor, o.Progress = report.Cursor, nil
			}
			report, err := r.Rewrap(t.Context(), &o)
			require.NoError(t, err)
			require.Equal(t, rowsEach-cut%rowsEach, report.Rewrapped)
			require.Equal(t, rowsEach, requireUnder(t, store, "tenant/acme/", "theirs"))
			require.Equal(t, rowsEach, requireUnder(t, store, "tenant/other/", "ours"))

			roots.set("acme", fakeKey(t, theirs))
			records := append(records, fill(t, ringOfRoot(t, roots.root, store, nil), "acme")...)
			requireOpen(t, ringOfRoot(t, roots.root, store, nil), records)
			_, err = ringOf(t, old, store, nil).Tenant("acme").Open(t.Context(), records[0].record, binding)
			require.ErrorIs(t, err, kms.ErrNotFound, "our key is out of it")
		})
	}
	// A copy of the store from before still opens under ours: the move revokes nothing.
	requireOpen(t, ringOf(t, old, restored(t, backup), nil), records)
}

// A process that holds rows from before the move gets over it by itself.
func TestOwnKeyMoveBehindAProcess(t *testing.T) {
	byokClock(t)
	bubble.Test(t, func(t *testing.T) {
		ours, theirs, store := kmstest.NewFake("ours"), kmstest.NewFake("theirs"), memstore.New()
		roots := &customers{keys: map[string]*kms.Key{"acme": rollingFakes(t, theirs, ours)}}
		records := fill(t, ringOf(t, fakeKey(t, ours), store, nil), "acme")
		r := ringOfRoot(t, roots.root, store, nil)
		requireOpen(t, r, records[1:]) // the first version is not in memory
		_, err := ringOfRoot(t, roots.root, store, nil).Rewrap(t.Context(), nil)
		require.NoError(t, err)
		time.Sleep(5*time.Minute + time.Millisecond) // CacheTTL, as the documentation says
		roots.set("acme", fakeKey(t, theirs))
		requireOpen(t, r, records)
	})
}

// One customer's refusal stops the rewrap of no other, and the cursor stays before it.
func TestOwnKeyRefusesRewrap(t *testing.T) {
	a, b, roots := twoCustomers(t)
	store := memstore.New()
	fill(t, ringOfRoot(t, roots.root, store, nil), "a", "b")
	r := ringOfRoot(t, roots.root, store, nil)
	a.Rotate()
	b.Rotate()
	a.SetState(kms.Disabled)
	a.Always(kmstest.Fault{Op: "describe", Err: kms.ErrAccessDenied})
	roots.set("a", rollingFakes(t, kmstest.NewFake("new"), a))
	report, err := r.Rewrap(t.Context(), nil)
	require.ErrorIs(t, err, kms.ErrDisabled)
	require.Equal(t, envelope.Hold, envelope.ActionFor(err))
	require.Equal(t, []int{8, 4, 4, 0}, []int{report.Keys, report.Rewrapped, report.Failed, report.Fresh})
	require.Empty(t, report.Cursor)
	require.Len(t, report.Failures, 1)
	require.Equal(t, "a kms_disabled 4", fmt.Sprint(report.Failures[0].Tenant, " ", report.Failures[0].Reason, " ", report.Failures[0].Keys))

	roots.set("b", nil) // a mistake of the Root's is one tenant's, too
	a.SetState(kms.Enabled)
	report, err = r.Rewrap(t.Context(), nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.Equal(t, map[string]int{"invalid": 4}, report.Reasons)
	require.Equal(t, "tenant/a/wrap/0000000001", report.Cursor)
}
