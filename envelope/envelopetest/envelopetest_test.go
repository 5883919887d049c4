package envelopetest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

var binding = envelope.Bind("users", "email", "7")

func TestDefaults(t *testing.T) {
	for name, o := range map[string]*envelopetest.Options{"nil": nil, "zero": {}} {
		t.Run(name, func(t *testing.T) {
			r := envelopetest.New(t, o)
			record, err := r.Tenant("acme").Seal(t.Context(), []byte("hello"), binding)
			require.NoError(t, err)
			got, err := r.Tenant("acme").Open(t.Context(), record, binding)
			require.NoError(t, err)
			require.Equal(t, "hello", string(got))
			_, err = envelopetest.New(t, o).Tenant("acme").Open(t.Context(), record, binding)
			require.ErrorIs(t, err, envelope.ErrUnknownKey, "each has a store of its own")
		})
	}
}

// TestClosed: with the test end Keyring, KMS client and the store of its own, and not the store that it was given.
func TestClosed(t *testing.T) {
	store := memstore.New()
	var r *envelope.Keyring
	t.Run("user's test", func(t *testing.T) {
		r = envelopetest.New(t, &envelopetest.Options{Store: store})
		_, err := r.Tenant("acme").Create(t.Context())
		require.NoError(t, err)
	})
	_, err := r.Tenant("acme").Create(t.Context())
	require.ErrorIs(t, err, envelope.ErrClosed)
	rows, err := store.List(t.Context(), "tenant/acme/", "", 10)
	require.NoError(t, err)
	require.Len(t, rows, 2)
}

// TestOptions: each option reaches what it is for.
func TestOptions(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	o := &envelopetest.Options{Fake: fake, Store: store, Deployment: "acme-test", Keyring: &envelope.KeyringOptions{ExplicitCreate: true}}
	one, two := envelopetest.New(t, o), envelopetest.New(t, o)
	_, err := one.Tenant("acme").Seal(t.Context(), nil, binding)
	require.ErrorIs(t, err, envelope.ErrUnknownKey)
	_, err = one.Tenant("acme").Create(t.Context())
	require.NoError(t, err)
	require.Equal(t, "acme-test", fake.Calls()[0].Context["holdfast:deployment"])
	record, err := one.Tenant("acme").Seal(t.Context(), []byte("hello"), binding)
	require.NoError(t, err)
	got, err := two.Tenant("acme").Open(t.Context(), record, binding)
	require.NoError(t, err, "a second process")
	require.Equal(t, "hello", string(got))
	calls := fake.Count("")
	fake.Always(kmstest.Fault{Err: kms.ErrUnavailable})
	_, err = envelopetest.New(t, o).Tenant("acme").Open(t.Context(), record, binding)
	require.ErrorIs(t, err, kms.ErrUnavailable)
	require.Equal(t, calls+1, fake.Count(""), "one attempt")
}

// TestRefused: options out of bounds end the test.
func TestRefused(t *testing.T) {
	for name, o := range map[string]*envelopetest.Options{
		"deployment": {Deployment: strings.Repeat("x", 256)},
		"policy":     {Keyring: &envelope.KeyringOptions{CacheTTL: -1}},
		"key":        {Fake: kmstest.NewFake("")},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fatal{TB: t}
			require.Panics(t, func() { envelopetest.New(f, o) })
			require.True(t, f.failed)
		})
	}
}

// fatal notes a Fatalf, and panics in its place.
type fatal struct {
	testing.TB
	failed bool
}

func (f *fatal) Fatalf(string, ...any) {
	f.failed = true
	panic("fatal")
}

// TestBubble: time passes at once, and nothing is left behind.
func TestBubble(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		fake := kmstest.NewFake("key")
		r := envelopetest.New(t, &envelopetest.Options{Fake: fake})
		ada := r.Tenant("acme").Subject("ada")
		seal := func() error {
			_, err := ada.Seal(context.Background(), []byte("hello"), binding)
			return err
		}
		require.NoError(t, seal())
		fake.SetState(kms.Disabled)
		require.NoError(t, seal(), "nobody has asked yet")
		time.Sleep(6 * time.Minute)
		require.ErrorIs(t, seal(), kms.ErrDisabled)
		fake.SetState(kms.Enabled)
		time.Sleep(5 * time.Second)
		require.NoError(t, seal())
	})
}

// TestErasureElsewhere: an erasure reaches another process by the time that the receipt states.
func TestErasureElsewhere(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		o := &envelopetest.Options{Fake: kmstest.NewFake("key"), Store: memstore.New()}
		one, two := envelopetest.New(t, o), envelopetest.New(t, o)
		record, err := one.Tenant("acme").Subject("ada").Seal(t.Context(), []byte("hello"), binding)
		require.NoError(t, err)
		_, err = two.Tenant("acme").Subject("ada").Open(t.Context(), record, binding)
		require.NoError(t, err)
		receipt, err := one.Tenant("acme").Subject("ada").Erase(t.Context(), envelope.Erasure{Ref: "case 17"})
		require.NoError(t, err)
		_, err = two.Tenant("acme").Subject("ada").Open(t.Context(), record, binding)
		require.NoError(t, err, "it has not heard")
		time.Sleep(time.Until(receipt.CachesClearBy))
		_, err = two.Tenant("acme").Subject("ada").Open(t.Context(), record, binding)
		require.ErrorIs(t, err, envelope.ErrErased)
	})
}
