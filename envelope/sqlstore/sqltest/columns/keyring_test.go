package columns

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

// newTenant returns a tenant with keys in memory.
func newTenant(t testing.TB) envelope.Tenant {
	t.Helper()
	return newKeyring(t, "test", memstore.New(), newKey(t)).Tenant("acme")
}

func newKey(t testing.TB) *kms.Key {
	t.Helper()
	file, err := local.Create(filepath.Join(t.TempDir(), "key.json"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	return file.Key()
}

// newKeyring is a process of a deployment: several have one store and one key.
func newKeyring(t testing.TB, deployment string, store envelope.Store, key *kms.Key) *envelope.Keyring {
	t.Helper()
	ring, err := envelope.NewKeyring(deployment, store, envelope.SingleRoot(key), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ring.Close()) })
	return ring
}
