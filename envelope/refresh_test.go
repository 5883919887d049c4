package envelope_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// TestRefreshAhead uses keys for nine hours, with a KMS and a store that take their time: nobody waits for them.
func TestRefreshAhead(t *testing.T) {
	for name, o := range map[string]*envelope.KeyringOptions{"defaults": nil, "long": {CacheTTL: 4 * time.Hour, RefreshAhead: 10 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				g := newRig(t, o)
				keys := warmAll(t, g.Tenant("acme"), g.Tenant("acme").Subject("ada"), g.Tenant("other"))
				g.fake.Always(kmstest.Fault{Latency: time.Second})
				g.store.slow(time.Second / 10)
				before := g.fake.Count("")
				start := time.Now()
				for range 9 * 60 * 60 {
					for _, key := range keys {
						now := time.Now()
						require.NoError(t, key.open(t))
						require.Zero(t, time.Since(now), "it has waited, %v after the start", time.Since(start))
					}
					sleep(time.Second)
				}
				n := g.fake.Count("") - before
				t.Logf("%d calls of the KMS in nine hours for 3 keys in use", n)
				require.GreaterOrEqual(t, n, 3*2, "nothing was refreshed")
				require.Less(t, n, 3*9*60/4+3, "more often than every four minutes")
			})
		})
	}
}

// TestIdleKeysAreLeftAlone has nobody use anything overnight.
func TestIdleKeysAreLeftAlone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, nil)
		keys := warmAll(t, g.Tenant("acme"), g.Tenant("acme").Subject("ada"))
		calls, reads := g.fake.Count(""), g.store.calls.Load()
		sleep(12 * time.Hour)
		require.Equal(t, calls, g.fake.Count(""))
		require.Equal(t, reads, g.store.calls.Load())
		for _, key := range keys {
			require.NoError(t, key.both(t))
		}
		require.LessOrEqual(t, g.fake.Count("")-calls, 3)
	})
}

// TestOneKeyInUseOfMany uses the newest of several versions, and expects that the others are asked for no longer than an outage would be bridged for them.
func TestOneKeyInUseOfMany(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, nil)
		acme := g.Tenant("acme")
		var records []warmed
		for range 5 {
			records = append(records, warm(t, acme))
			_, err := acme.Rotate(t.Context())
			require.NoError(t, err)
		}
		for _, r := range records {
			require.NoError(t, r.open(t))
		}
		newest := warm(t, acme)
		hour := func() int {
			before := g.fake.Count("")
			for range 60 * 60 {
				require.NoError(t, newest.both(t))
				sleep(time.Second)
			}
			return g.fake.Count("") - before
		}
		require.Less(t, hour(), (60/4+1)*(1+len(records)))
		for range 10 * 60 {
			require.NoError(t, newest.both(t))
			sleep(time.Second)
		}
		require.Less(t, hour(), 60/4+2)
		for _, r := range records {
			require.NoError(t, r.open(t), "an old version is loaded again")
		}
	})
}

// TestRefreshesAreSpread loads many tenants at one instant, and expects their refreshes at many.
func TestRefreshesAreSpread(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, nil)
		var keys []warmed
		for i := range 200 {
			keys = append(keys, warm(t, g.Tenant(fmt.Sprint(i))))
		}
		start := time.Now()
		before := len(g.fake.Calls())
		for time.Since(start) < 5*time.Minute {
			for _, key := range keys {
				require.NoError(t, key.open(t))
			}
			sleep(100 * time.Millisecond)
		}
		at := map[time.Duration]int{}
		first, last := time.Hour, time.Duration(0)
		for _, call := range g.fake.Calls()[before:] {
			d := call.At.Sub(start)
			at[d.Truncate(time.Second)]++
			first, last = min(first, d), max(last, d)
		}
		require.GreaterOrEqual(t, first, 4*time.Minute)
		require.Less(t, last, 4*time.Minute+16*time.Second)
		require.Greater(t, last-first, 10*time.Second)
		for second, n := range at {
			require.Less(t, n, 50, "in the second after %v", second)
		}
	})
}

// TestKeysWaitingForTheKMSAreSpread has many keys ask for a KMS that is away, each in its own time.
func TestKeysWaitingForTheKMSAreSpread(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, nil)
		var keys []warmed
		for i := range 50 {
			keys = append(keys, warm(t, g.Tenant(fmt.Sprint(i))))
		}
		g.fake.Always(kmstest.Fault{Err: kms.ErrUnavailable})
		before := 0
		for i := range 7 * 60 * 5 {
			for _, key := range keys {
				require.NoError(t, key.open(t))
			}
			if i == 6*60*5 {
				before = len(g.fake.Calls())
			}
			sleep(time.Second / 5)
		}
		at := map[time.Time]int{}
		for _, call := range g.fake.Calls()[before:] {
			at[call.At]++
		}
		require.Greater(t, len(at), 60)
		for _, n := range at {
			require.Less(t, n, 25, "of 50 at one instant")
		}
	})
}
