package envelope_test

import (
	"context"
	"crypto/fips140"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// byokClock skips a test that draws randomness in a synctest bubble, where time stands still, when the FIPS module
// takes entropy from the clock: those after v1.0.0 do.
func byokClock(t testing.TB) {
	t.Helper()
	if fips140.Enabled() && fips140.Version() != "v1.0.0" {
		t.Skip("the FIPS module takes its entropy from the clock, which stands still in a bubble")
	}
}

func TestHealth(t *testing.T) {
	byokClock(t)
	bubble.Test(t, func(t *testing.T) {
		const ttl, stale, write = 5 * time.Minute, time.Hour, 3 * time.Minute // the defaults
		fake, store := kmstest.NewFake("key"), memstore.New()
		r := newKeyring(t, fake, store, nil)
		acme := r.Tenant("acme")
		require.Equal(t, envelope.Health{}, r.Health(t.Context(), "acme"))

		loaded := time.Now()
		record, err := acme.Seal(t.Context(), []byte("hello"), binding)
		require.NoError(t, err)
		calls := fake.Count("")
		h := r.Health(t.Context(), "acme")
		require.Equal(t, envelope.Health{
			Status: kms.Status{Health: kms.HealthUsable, Since: loaded, LastSuccess: loaded},
			State:  "active", ReadsUntil: loaded.Add(ttl + stale), WritesUntil: loaded.Add(ttl + write),
		}, h)
		require.Equal(t, calls, fake.Count(""), "no call to the KMS")

		// An outage: it says until when, and that is so.
		time.Sleep(ttl + time.Millisecond)
		fake.Always(kmstest.Fault{Err: kms.ErrUnavailable})
		_, err = acme.Open(t.Context(), record, binding)
		require.NoError(t, err)
		out := r.Health(t.Context(), "acme")
		require.Equal(t, []time.Time{h.ReadsUntil, h.WritesUntil}, []time.Time{out.ReadsUntil, out.WritesUntil})
		require.ErrorIs(t, out.Err, envelope.ErrUnavailable)
		require.ErrorIs(t, out.Err, kms.ErrUnavailable)
		require.Equal(t, kms.HealthDegraded, out.Status.Health)
		keep := func(until time.Time, use func() error) {
			t.Helper()
			for time.Now().Before(until.Add(-time.Minute)) { // the store is asked again and again
				time.Sleep(time.Minute)
				require.NoError(t, use())
			}
			time.Sleep(time.Until(until) - time.Millisecond)
			require.NoError(t, use())
			time.Sleep(time.Millisecond)
			require.ErrorIs(t, use(), kms.ErrUnavailable)
		}
		keep(h.WritesUntil, func() error { _, err := acme.Seal(t.Context(), nil, binding); return err })
		keep(h.ReadsUntil, func() error { _, err := acme.Open(t.Context(), record, binding); return err })

		// It recovers, and a refusal ends it.
		fake.Always()
		time.Sleep(2 * time.Second)
		back := time.Now()
		_, err = acme.Open(t.Context(), record, binding)
		require.NoError(t, err)
		again := r.Health(t.Context(), "acme")
		require.NoError(t, again.Err)
		require.Equal(t, back.Add(ttl+stale), again.ReadsUntil)
		fake.SetState(kms.Disabled)
		time.Sleep(ttl + time.Millisecond)
		_, err = acme.Open(t.Context(), record, binding)
		require.ErrorIs(t, err, kms.ErrDisabled)
		refused := r.Health(t.Context(), "acme")
		require.ErrorIs(t, refused.Err, kms.ErrDisabled)
		require.Equal(t, kms.HealthDisabled, refused.Status.Health)
		require.Equal(t, "active", refused.State)
		require.Zero(t, refused.ReadsUntil)
		require.Zero(t, refused.WritesUntil)
	})
}

// Where the store is away, its last answers count.
func TestHealthWithoutStore(t *testing.T) {
	byokClock(t)
	bubble.Test(t, func(t *testing.T) {
		const ttl = 5 * time.Minute
		store := &shakyStore{Store: memstore.New(), failures: map[string]error{}}
		r := newKeyring(t, kmstest.NewFake("key"), store, nil)
		loaded := time.Now()
		record, err := r.Tenant("acme").Seal(t.Context(), []byte("hello"), binding)
		require.NoError(t, err)
		store.failures["list"] = errors.New("no route to host")
		time.Sleep(ttl - time.Second) // it is due
		_, err = r.Tenant("acme").Open(t.Context(), record, binding)
		require.NoError(t, err)
		synctest.Wait()
		h := r.Health(t.Context(), "acme")
		require.ErrorIs(t, h.Err, envelope.ErrUnavailable)
		require.NotErrorIs(t, h.Err, kms.ErrUnavailable)
		require.Equal(t, []time.Time{loaded.Add(ttl), loaded.Add(ttl)}, []time.Time{h.ReadsUntil, h.WritesUntil})
		time.Sleep(time.Second + time.Millisecond)
		_, err = r.Tenant("acme").Open(t.Context(), record, binding)
		require.ErrorIs(t, err, envelope.ErrUnavailable)
	})
}

func TestHealthStates(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	r := newKeyring(t, fake, store, nil)
	_, err := r.Tenant("acme").Create(t.Context())
	require.NoError(t, err)
	require.NoError(t, r.Tenant("acme").Disable(t.Context(), "late bills"))
	_, err = r.Tenant("acme").Seal(t.Context(), nil, binding)
	require.ErrorIs(t, err, envelope.ErrDisabled)
	h := r.Health(t.Context(), "acme")
	require.Equal(t, "disabled", h.State)
	require.ErrorIs(t, h.Err, envelope.ErrDisabled)
	require.Zero(t, h.ReadsUntil)
	require.NoError(t, r.Tenant("acme").Enable(t.Context()))
	_, err = r.Tenant("acme").Seal(t.Context(), nil, binding)
	require.NoError(t, err)
	h = r.Health(t.Context(), "acme")
	require.Equal(t, "active", h.State)
	require.NoError(t, h.Err)

	for _, state := range []string{"erasing", "erased"} {
		put := envelope.Row{Key: "tenant/" + state + "/", Value: []byte(`{"format":1,"state":"` + state + `","since":"2026-01-02T03:04:05Z"}`)}
		require.NoError(t, store.Apply(t.Context(), envelope.Change{Row: put}))
		_, err = r.Tenant(state).Seal(t.Context(), nil, binding)
		require.ErrorIs(t, err, envelope.ErrErased)
		require.Equal(t, "erased", r.Health(t.Context(), state).State)
	}
}

func TestHealthFails(t *testing.T) {
	key := fakeKey(t, kmstest.NewFake("key"))
	broken := false
	r := ringOfRoot(t, func(context.Context, string) (*kms.Key, error) {
		if broken {
			return nil, errors.New("no configuration")
		}
		return key, nil
	}, memstore.New(), nil)
	_, err := r.Tenant("acme").Create(t.Context())
	require.NoError(t, err)
	broken = true
	h := r.Health(t.Context(), "acme")
	require.ErrorIs(t, h.Err, envelope.ErrUnavailable)
	require.Equal(t, "active", h.State)
	require.NotZero(t, h.ReadsUntil, "what is in memory still opens")

	require.ErrorIs(t, r.Health(t.Context(), "").Err, kms.ErrInvalid)
	require.ErrorIs(t, (*envelope.Keyring)(nil).Health(t.Context(), "acme").Err, kms.ErrInvalid)
	require.NoError(t, r.Close())
	require.ErrorIs(t, r.Health(t.Context(), "acme").Err, envelope.ErrClosed)
}
