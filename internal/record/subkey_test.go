package record

import (
	"bytes"
	"crypto/rand"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/bubble"
)

// queued counts the subkeys of k in the process's queue, and of all keys when k is nil.
func queued(k Key) (n int) {
	live.mu.Lock()
	defer live.mu.Unlock()
	for _, sub := range live.ring {
		if sub == nil {
			continue
		}
		if k.get == nil || holds(k.get(), sub.place) {
			n++
		}
	}
	return n
}

func holds(s *secret, place *slot) bool {
	for i := range s.lanes {
		if &s.lanes[i].sealing == place {
			return true
		}
	}
	for i := range s.opening {
		if &s.opening[i].kept == place {
			return true
		}
	}
	return false
}

// evictAll empties the process's queue, now and after the test.
func evictAll(t *testing.T) {
	evict := func() {
		live.mu.Lock()
		defer live.mu.Unlock()
		for live.tail < live.head {
			live.pop()
		}
		live.sweepAt = time.Time{}
	}
	evict()
	t.Cleanup(evict)
}

// oneLane returns a key that seals under one subkey at a time whatever core it runs on.
func oneLane() Key {
	k := newKey()
	s := k.get()
	s.lanes = s.lanes[:1]
	return k
}

func prefixOf(sealed []byte) [prefixSize]byte { return [prefixSize]byte(sealed) }

func TestPrefixServes65536Records(t *testing.T) {
	k := oneLane()
	dst, last, run := make([]byte, 0, 100), [prefixSize]byte{}, 0
	var runs []int
	for range 3 << 16 {
		prefix := prefixOf(k.Seal(dst, []byte{1}, nil))
		if prefix != last {
			runs, run, last = append(runs, run), 0, prefix
		}
		run++
	}
	require.Equal(t, []int{0, 1 << 16, 1 << 16}, runs)
	require.Equal(t, 1<<16, run)
}

func TestPrefixLimitOfManyLanes(t *testing.T) {
	for _, c := range []struct {
		name       string
		goroutines int
	}{{"one", 1}, {"eight", 8}} {
		t.Run(c.name, func(t *testing.T) {
			k := newKey()
			var mu sync.Mutex
			total := map[[prefixSize]byte]int{}
			var wg sync.WaitGroup
			for range c.goroutines {
				wg.Go(func() {
					dst, mine := make([]byte, 0, 100), map[[prefixSize]byte]int{}
					for range 3 << 16 / c.goroutines {
						mine[prefixOf(k.Seal(dst, []byte{1}, nil))]++
					}
					mu.Lock()
					defer mu.Unlock()
					for prefix, n := range mine {
						total[prefix] += n
					}
				})
			}
			wg.Wait()
			for _, n := range total {
				require.LessOrEqual(t, n, 1<<16)
			}
			require.Less(t, len(total), 200, "records sealed together must share prefixes")
		})
	}
}

func TestConcurrentSealsOfOneLane(t *testing.T) {
	k := oneLane()
	var mu sync.Mutex
	total := map[[prefixSize]byte]int{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			dst, mine := make([]byte, 0, 100), map[[prefixSize]byte]int{}
			for range 3 << 13 {
				mine[prefixOf(k.Seal(dst, []byte{1}, nil))]++
			}
			mu.Lock()
			defer mu.Unlock()
			for prefix, n := range mine {
				total[prefix] += n
			}
		})
	}
	wg.Wait()
	for _, n := range total {
		require.LessOrEqual(t, n, 1<<16)
	}
	require.LessOrEqual(t, len(total), 5)
}

// TestBigRecordsCountTheirMiB starts a little below the limit.
func TestBigRecordsCountTheirMiB(t *testing.T) {
	for _, c := range []struct {
		name  string
		left  uint64 // units left under the prefix
		sizes []int
		fresh int // the record that has another prefix
	}{
		{"small records", 3, []int{0, 1, 1<<20 - 1, 0}, 3},
		{"one of a MiB", 3, []int{1 << 20, 1, 1}, 2},
		{"one of two MiB", 3, []int{2 << 20, 0}, 1},
		{"does not fit", 3, []int{3 << 20}, 0},
		{"fits", 4, []int{3 << 20, 0}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := oneLane()
			first := prefixOf(k.Seal(nil, nil, nil))
			k.get().lanes[0].count.Add((maxUnits - 1 - c.left) * unit)
			for i, n := range c.sizes {
				require.Equal(t, i >= c.fresh, prefixOf(k.Seal(nil, make([]byte, n), nil)) != first, "record %d", i)
			}
		})
	}
}

// TestCountWraps lets the unit count of a lane pass 2^32.
func TestCountWraps(t *testing.T) {
	k := oneLane()
	k.get().lanes[0].count.Store((1<<32 - 10) * unit)
	first := prefixOf(k.Seal(nil, nil, nil))
	for range 100 {
		require.Equal(t, first, prefixOf(k.Seal(nil, nil, nil)))
	}
	k.Destroy() // uses in flight must still be zero
}

func TestPrefixServes15Minutes(t *testing.T) {
	evictAll(t)
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		k := oneLane()
		first := prefixOf(k.Seal(nil, nil, nil))
		time.Sleep(13 * time.Minute)
		require.Equal(t, first, prefixOf(k.Seal(nil, nil, nil)))
		time.Sleep(2 * time.Minute)
		second := prefixOf(k.Seal(nil, nil, nil))
		require.NotEqual(t, first, second)
		time.Sleep(16 * time.Minute)
		require.Zero(t, queued(k), "an idle key must hold no subkey")
		require.NotEqual(t, second, prefixOf(k.Seal(nil, nil, nil)))

		// However many keys are born at other times, none keeps its prefix for longer.
		born := map[*Key]time.Time{}
		prefixes := map[*Key][prefixSize]byte{}
		for range 200 {
			k := new(oneLane())
			born[k], prefixes[k] = time.Now(), prefixOf(k.Seal(nil, nil, nil))
			time.Sleep(7 * time.Second)
			for k, at := range born {
				if time.Since(at) > 15*time.Minute {
					require.NotEqual(t, prefixes[k], prefixOf(k.Seal(nil, nil, nil)))
					delete(born, k)
				}
			}
		}
		time.Sleep(16 * time.Minute)
		require.Zero(t, queued(Key{}))
	})
}

// warm opens a record until its subkey is kept.
func warm(t *testing.T, k Key, sealed, ad []byte) {
	t.Helper()
	for range 3 {
		_, err := k.Open(nil, sealed, ad)
		require.NoError(t, err)
	}
}

func TestSubkeysAreBounded(t *testing.T) {
	evictAll(t)
	var before, after runtime.MemStats
	keys, records := make([]Key, 10_000), make([][]byte, 10_000)
	for i := range keys {
		keys[i] = newKey()
		records[i] = twin(keys[i]).Seal(nil, []byte("x"), nil)
	}
	evictAll(t)
	runtime.GC()
	runtime.ReadMemStats(&before)
	most := 0
	for i, k := range keys {
		k.Seal(nil, []byte("x"), nil)
		warm(t, k, records[i], nil)
		if i%100 == 0 {
			most = max(most, queued(Key{}))
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d keys hold %d subkeys, at most %d at once, in %d KiB", len(keys), queued(Key{}), most, grown>>10)
	require.LessOrEqual(t, max(most, queued(Key{})), maxSubkeys)
	// Each of the keys also keeps its own expanded schedule, of about 0.6 KiB.
	require.Less(t, grown, int64(maxSubkeys*2<<10+len(keys)<<10))

	// First in, first out: the oldest keys have none left, the newest both, and all work.
	require.Zero(t, queued(keys[0]))
	require.Equal(t, 2, queued(keys[len(keys)-1]))
	for _, i := range []int{0, 1, 5000, 9999} {
		got, err := keys[i].Open(nil, records[i], nil)
		require.NoError(t, err)
		require.Equal(t, "x", string(got))
		got, err = keys[i].Open(nil, keys[i].Seal(nil, []byte("y"), nil), nil)
		require.NoError(t, err)
		require.Equal(t, "y", string(got))
	}
	runtime.KeepAlive(keys)
}

func TestForgeriesStayOutOfTheCache(t *testing.T) {
	k := newKey()
	sealed := twin(k).Seal(nil, []byte("x"), nil)
	warm(t, k, sealed, nil)
	require.Equal(t, 1, queued(k))
	for range 100 {
		forged := make([]byte, 60)
		rand.Read(forged)
		for range 5 {
			_, err := k.Open(nil, forged, nil)
			require.ErrorIs(t, err, ErrOpen)
		}
		altered := bytes.Clone(sealed)
		altered[len(altered)-1] ^= 1
		_, err := k.Open(nil, altered, nil)
		require.ErrorIs(t, err, ErrOpen)
	}
	require.Equal(t, 1, queued(k))
	if !raceEnabled {
		dst := make([]byte, 0, 100)
		require.Zero(t, testing.AllocsPerRun(10, func() { _, _ = k.Open(dst, sealed, nil) }), "the record's subkey must still be there")
	}
}

// TestOpeningSlotsAreBounded opens records of more prefixes than a key keeps.
func TestOpeningSlotsAreBounded(t *testing.T) {
	k := newKey()
	for range 100 {
		warm(t, k, twin(k).Seal(nil, []byte("x"), nil), nil)
	}
	require.LessOrEqual(t, queued(k), openingSlots)
}
