package sqltest

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms/local"
)

// BenchmarkRewrap has every key of 100 000 tenants, with -short of 1000, under a new version of the KMS key. One iteration is enough: -benchtime 1x. The commits of SQLite wait for the disk, those of the
// tests' PostgreSQL do not.
func BenchmarkRewrap(b *testing.B) {
	tenants := 100_000
	if testing.Short() {
		tenants = 1000
	}
	file, err := local.Create(filepath.Join(b.TempDir(), "key.json"), nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, file.Close()) })
	root := envelope.SingleRoot(file.Key())
	source := memstore.New()
	ring, err := envelope.NewKeyring("bench", source, root, &envelope.KeyringOptions{CacheEntries: 100})
	require.NoError(b, err)
	for i := range tenants {
		_, err := ring.Tenant(fmt.Sprintf("tenant-%06d", i)).Create(b.Context())
		require.NoError(b, err)
	}
	require.NoError(b, ring.Close())

	for _, d := range databases() {
		if d.name != "sqlite-wal" && d.name != "postgresql" {
			continue
		}
		store, _ := d.store(b)
		copyRows(b, store, source)
		for _, workers := range []int{1, 8} {
			b.Run(fmt.Sprintf("db=%s/keys=%d/workers=%d", d.name, tenants, workers), func(b *testing.B) {
				ring, err := envelope.NewKeyring("bench", store, root, nil)
				require.NoError(b, err)
				defer ring.Close()
				for b.Loop() {
					b.StopTimer()
					require.NoError(b, file.Rotate(b.Context()))
					b.StartTimer()
					report, err := ring.Rewrap(b.Context(), &envelope.RewrapOptions{Workers: workers})
					require.NoError(b, err)
					require.Equal(b, tenants, report.Rewrapped)
				}
				b.ReportMetric(float64(tenants*b.N)/b.Elapsed().Seconds(), "keys/s")
			})
		}
	}
}

// copyRows writes the rows of one store into another that is empty.
func copyRows(b *testing.B, to, from envelope.Store) {
	b.Helper()
	for after := ""; ; {
		page, err := from.List(b.Context(), "", after, envelope.MaxChanges)
		require.NoError(b, err)
		if len(page) == 0 {
			return
		}
		changes := make([]envelope.Change, len(page))
		for i, row := range page {
			row.Revision = 0
			changes[i].Row = row
		}
		require.NoError(b, to.Apply(b.Context(), changes...))
		after = page[len(page)-1].Key
	}
}
