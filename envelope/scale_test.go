package envelope_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

// TestManyTenants seals and opens for tenants of which a few have most of the records (Zipf, exponent 1.1), with room for a tenth of them.
func TestManyTenants(t *testing.T) {
	tenants, records := 100_000, 300_000
	if testing.Short() || envelope.RaceEnabled {
		tenants, records = 2_000, 60_000
	}
	entries := tenants / 10
	ctx := context.Background()
	file, err := local.Create(filepath.Join(t.TempDir(), "kms"), nil)
	require.NoError(t, err)
	defer file.Close()
	store := &watchedStore{Store: memstore.New()}
	var asked atomic.Int64
	root := envelope.SingleRoot(file.Key())
	counted := func(ctx context.Context, tenant string) (*kms.Key, error) {
		asked.Add(1) // once for each call of the KMS
		return root(ctx, tenant)
	}
	o := &envelope.KeyringOptions{CacheEntries: entries}
	names := make([]string, tenants)
	made, err := envelope.NewKeyring("test", store, counted, o)
	require.NoError(t, err)
	for i := range names {
		names[i] = fmt.Sprint("tenant ", i)
	}
	var makers errgroup.Group
	for some := range slices.Chunk(names, tenants/4) {
		makers.Go(func() error {
			for _, name := range some {
				if _, err := made.Tenant(name).Create(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, makers.Wait())
	require.NoError(t, made.Close())

	beforeAlloc, beforeInUse := heap()
	asked.Store(0)
	store.calls.Store(0)
	r, err := envelope.NewKeyring("test", store, counted, o)
	require.NoError(t, err)
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 1, uint64(tenants-1))
	dst, plaintext := make([]byte, 0, 200), make([]byte, 100)
	for range records {
		dst, err = r.Tenant(names[zipf.Uint64()]).AppendSeal(ctx, dst[:0], plaintext, binding)
		if err != nil {
			t.Fatal(err)
		}
	}
	alloc, inUse := heap()
	alloc, inUse = alloc-beforeAlloc, inUse-beforeInUse
	million := func(n *atomic.Int64) float64 { return float64(n.Load()) / float64(records) * 1e6 }
	t.Logf("%d tenants, %d entries: %.1f MiB of objects (%.1f KiB an entry) in %.1f MiB of heap; %.0f calls of the KMS and %.0f of the store for a million records",
		tenants, entries, mib(alloc), mib(alloc)*1024/float64(entries), mib(inUse), million(&asked), million(&store.calls))
	require.LessOrEqual(t, envelope.CachedScopes(r), entries)
	require.Less(t, alloc, int64(entries)*(16<<10)+(8<<20))
	require.Less(t, inUse, int64(entries)*(40<<10)+(8<<20))
	require.Less(t, million(&asked), 300_000., "the cache does not keep what is used most")
	require.NoError(t, r.Close())
	alloc, _ = heap()
	require.Less(t, alloc-beforeAlloc, int64(4<<20), "after Close")
}

// heap returns the bytes of objects, and of the heap that holds them, after a collection, the second of which frees what pools held.
func heap() (alloc, inUse int64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.HeapInuse)
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
