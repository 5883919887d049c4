package envelope_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

var binding = envelope.Bind("users", "email", "7")

// newKeyring returns a Keyring over a store and a KMS of the test's own.
func newKeyring(t testing.TB, fake *kmstest.Fake, store envelope.Store, o *envelope.KeyringOptions) *envelope.Keyring {
	t.Helper()
	key, err := kms.NewKey(fake.Driver(), &kms.Options{Attempts: 1, BreakAfter: 1000})
	require.NoError(t, err)
	r, err := envelope.NewKeyring("test", store, envelope.SingleRoot(key), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, r.Close())
		require.NoError(t, key.Close())
	})
	return r
}

func TestRecords(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	r := newKeyring(t, fake, store, nil)
	acme := r.Tenant("acme")
	for name, scope := range map[string]envelope.Scope{"tenant": acme, "subject": acme.Subject("ada@example.com")} {
		record, err := scope.Seal(t.Context(), []byte("hello"), binding)
		require.NoError(t, err, name)
		require.Len(t, record, 5+envelope.RecordOverhead)
		got, err := scope.Open(t.Context(), record, binding)
		require.NoError(t, err, name)
		require.Equal(t, "hello", string(got))
		calls := fake.Count("")
		_, err = scope.Seal(t.Context(), []byte("hello"), binding)
		require.NoError(t, err, name)
		require.Equal(t, calls, fake.Count(""))

		other := newKeyring(t, fake, store, nil)
		cold := other.Tenant("acme").Seal
		if name == "subject" {
			cold = other.Tenant("acme").Subject("ada@example.com").Seal
		}
		_, err = cold(t.Context(), []byte("hello"), binding)
		require.NoError(t, err, name)
		t.Log(name, fake.Count("")-calls)
		_, err = r.Tenant("other").Open(t.Context(), record, binding)
		require.ErrorIs(t, err, envelope.ErrWrongScope)
		_, err = acme.Subject("bob").Open(t.Context(), record, binding)
		require.ErrorIs(t, err, envelope.ErrWrongScope)
		_, err = scope.Open(t.Context(), record, envelope.Bind("x"))
		require.ErrorIs(t, err, envelope.ErrOpen)
		id, err := scope.Rotate(t.Context())
		require.NoError(t, err)
		again, err := scope.Seal(t.Context(), []byte("hello"), binding)
		require.NoError(t, err)
		require.Equal(t, id[:], again[1:17])
		got, err = scope.Open(t.Context(), record, binding)
		require.NoError(t, err, name)
		require.Equal(t, "hello", string(got))
		require.NoError(t, scope.Disable(t.Context(), "why"))
		_, err = scope.Open(t.Context(), record, binding)
		require.ErrorIs(t, err, envelope.ErrDisabled)
		require.NoError(t, scope.Enable(t.Context()))
		_, err = scope.Open(t.Context(), record, binding)
		require.NoError(t, err)
	}
	rows, err := store.List(t.Context(), "", "", 100)
	require.NoError(t, err)
	for _, row := range rows {
		t.Logf("%s %d %s", row.Key, row.Revision, row.Value)
	}
}

func BenchmarkRecord(b *testing.B) {
	r := newKeyring(b, kmstest.NewFake("key"), memstore.New(), nil)
	acme := r.Tenant("acme")
	dst := make([]byte, 0, 2000)
	plaintext := make([]byte, 100)
	ctx := context.Background()
	record, err := acme.Seal(ctx, plaintext, binding)
	require.NoError(b, err)
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := acme.AppendSeal(ctx, dst, plaintext, binding); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := acme.AppendOpen(ctx, dst, record, binding); err != nil {
				b.Fatal(err)
			}
		}
	})
}
