package envelope_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// tenantsOf returns what Tenants lists.
func tenantsOf(t testing.TB, r *envelope.Keyring) (all []string) {
	t.Helper()
	for tenant, err := range r.Tenants(t.Context()) {
		require.NoError(t, err)
		all = append(all, tenant)
	}
	return all
}

func TestTenants(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	r := newKeyring(t, fake, store, nil)
	require.Empty(t, tenantsOf(t, r))

	odd := []string{"a/b", "a", "a b", "a-b", "%", "%2F", "\u00e9", "e\u0301", "日本", "tenant/", "\x00", "."}
	for _, tenant := range odd {
		_, err := r.Tenant(tenant).Create(t.Context())
		require.NoError(t, err)
	}
	require.NoError(t, r.Tenant("a").Disable(t.Context(), "late bills"))
	_, err := r.Tenant("a-b").Destroy(t.Context(), envelope.Erasure{Ref: "case 7"}, "a-b")
	require.NoError(t, err)
	require.ElementsMatch(t, odd, tenantsOf(t, r))

	calls := fake.Count("")
	require.Equal(t, tenantsOf(t, r), tenantsOf(t, newKeyring(t, fake, store, nil)))
	require.Equal(t, calls, fake.Count(""), "listing needs no KMS")
}

func TestTenantsOfManyPages(t *testing.T) {
	store := memstore.New()
	var want []string
	for i := range 700 { // two rows each: the pages of 500 begin and end within a tenant too
		tenant := fmt.Sprintf("t%04d", i)
		want = append(want, tenant)
		for _, key := range []string{"tenant/" + tenant + "/", "tenant/" + tenant + "/data/0000000001", "tenant/" + tenant + "/wrap/0000000001"} {
			require.NoError(t, store.Apply(t.Context(), envelope.Change{Row: envelope.Row{Key: key, Value: []byte("{}")}}))
		}
	}
	require.NoError(t, store.Apply(t.Context(), envelope.Change{Row: envelope.Row{Key: "tenanu", Value: []byte("{}")}}))
	r := newKeyring(t, kmstest.NewFake("key"), store, nil)
	require.Equal(t, want, tenantsOf(t, r))

	first := []string{}
	for tenant := range r.Tenants(t.Context()) {
		if first = append(first, tenant); len(first) == 3 {
			break
		}
	}
	require.Equal(t, want[:3], first)
}

func TestTenantsNameOfNone(t *testing.T) {
	store := memstore.New()
	for _, key := range []string{"tenant/%zz/", "tenant/a/", "tenant/b", "tenant/%61/", "tenant/z/"} {
		require.NoError(t, store.Apply(t.Context(), envelope.Change{Row: envelope.Row{Key: key, Value: []byte("{}")}}))
	}
	var found []string
	var failures int
	for tenant, err := range newKeyring(t, kmstest.NewFake("key"), store, nil).Tenants(t.Context()) {
		if err != nil {
			require.ErrorIs(t, err, envelope.ErrFormat)
			failures++
			continue
		}
		found = append(found, tenant)
	}
	require.Equal(t, []string{"a", "z"}, found)
	require.Equal(t, 3, failures)
}

func TestTenantsFails(t *testing.T) {
	fake, store := kmstest.NewFake("key"), memstore.New()
	r := newKeyring(t, fake, store, nil)
	_, err := r.Tenant("acme").Create(t.Context())
	require.NoError(t, err)
	only := func(r *envelope.Keyring) error {
		t.Helper()
		all := slices.Collect(func(yield func(error) bool) {
			for tenant, err := range r.Tenants(t.Context()) {
				require.Empty(t, tenant)
				if !yield(err) {
					return
				}
			}
		})
		require.Len(t, all, 1)
		return all[0]
	}
	require.ErrorIs(t, only(nil), kms.ErrInvalid)
	require.ErrorIs(t, only(&envelope.Keyring{}), kms.ErrInvalid)

	key, err := kms.NewKey(fake.Driver(), nil)
	require.NoError(t, err)
	defer key.Close()
	other, err := envelope.NewKeyring("other", store, envelope.SingleRoot(key), nil)
	require.NoError(t, err)
	require.ErrorIs(t, only(other), kms.ErrInvalid)
	require.NoError(t, other.Close())
	require.ErrorIs(t, only(other), envelope.ErrClosed)

	broken := &shakyStore{Store: store, failures: map[string]error{"list": errors.New("no route to host")}}
	require.ErrorIs(t, only(newKeyring(t, fake, broken, nil)), envelope.ErrUnavailable)
}
