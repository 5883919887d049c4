package envelope_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// kmsOutage requires that err is an outage of the KMS and nothing else.
func kmsOutage(t testing.TB, err error) {
	t.Helper()
	require.ErrorIs(t, err, envelope.ErrUnavailable)
	require.ErrorIs(t, err, kms.ErrUnavailable)
	require.NotErrorIs(t, err, kms.ErrAccessDenied)
	require.Equal(t, envelope.Retry, envelope.ActionFor(err))
}

// windows are how long keys serve after the KMS was asked last, while it can't be reached.
var windows = []struct {
	name          string
	options       *envelope.KeyringOptions
	reads, writes time.Duration
}{
	{"defaults", nil, 65 * time.Minute, 8 * time.Minute},
	{"own", &envelope.KeyringOptions{CacheTTL: time.Minute, StaleIfError: 20 * time.Minute, WriteStaleIfError: 90 * time.Second}, 21 * time.Minute, 150 * time.Second},
	{"no writes", &envelope.KeyringOptions{WriteStaleIfError: -1}, 65 * time.Minute, 5 * time.Minute},
	{"none", &envelope.KeyringOptions{StaleIfError: -1}, 5 * time.Minute, 5 * time.Minute},
	{"long", &envelope.KeyringOptions{CacheTTL: time.Hour, RefreshAhead: time.Minute, StaleIfError: 3 * time.Minute, WriteStaleIfError: 3 * time.Minute}, 63 * time.Minute, 63 * time.Minute},
}

// TestOutageWindows has the KMS away until reads and writes have stopped, each at its instant and not later.
func TestOutageWindows(t *testing.T) {
	for _, c := range windows {
		for _, person := range []bool{false, true} {
			name := c.name + ", tenant"
			if person {
				name = c.name + ", subject"
			}
			t.Run(name, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					g := newRig(t, c.options)
					var scope envelope.Scope = g.Tenant("acme")
					if person {
						scope = g.Tenant("acme").Subject("ada")
					}
					key := warm(t, scope)
					for range 90 {
						sleep(time.Minute / 5)
						require.NoError(t, key.both(t))
					}
					g.fake.Always(kmstest.Fault{Err: kms.ErrUnavailable})
					_, asked := g.asked("acme")
					serves := func(at time.Time) {
						t.Helper()
						sleepUntil(at)
						if err := key.open(t); at.Before(asked.Add(c.reads)) {
							require.NoError(t, err, "%v after the KMS was asked", at.Sub(asked))
						} else {
							kmsOutage(t, err)
						}
						if err := key.seal(t); at.Before(asked.Add(c.writes)) {
							require.NoError(t, err, "%v after the KMS was asked", at.Sub(asked))
						} else {
							kmsOutage(t, err)
						}
						require.Equal(t, at, time.Now(), "a call has waited")
					}
					for _, end := range slices.Compact([]time.Duration{c.writes, c.reads}) {
						for time.Until(asked.Add(end)) > 7*time.Second {
							serves(time.Now().Add(7 * time.Second))
						}
						serves(asked.Add(end - 1))
						serves(asked.Add(end))
					}
					serves(time.Now().Add(time.Hour))

					g.fake.Always()
					sleep(3 * time.Second)
					require.NoError(t, key.both(t), "it comes back by itself")
				})
			})
		}
	}
}

// TestTenMinutesWithoutAnswers has the KMS take calls and not answer: no read fails or waits, and it is asked no more than once in a pause.
func TestTenMinutesWithoutAnswers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, nil)
		acme := g.Tenant("acme")
		keys := warmAll(t, acme, acme.Subject("ada"), acme.Subject("bob"))
		use := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); sleep(500 * time.Millisecond) {
				for _, key := range keys {
					start := time.Now()
					require.NoError(t, key.open(t))
					require.Zero(t, time.Since(start), "a read has waited")
				}
			}
		}
		use(12 * time.Minute)
		g.fake.Always(kmstest.Fault{Hang: true})
		before := g.fake.Count("")
		use(10 * time.Minute)
		require.Less(t, g.fake.Count("")-before, 60, "each call hangs for 10 seconds, so one is asked at a time")
		require.Greater(t, g.fake.Count("")-before, 40, "it is asked again and again")
		for _, key := range keys {
			kmsOutage(t, key.seal(t))
		}
		g.fake.Always()
		sleep(13 * time.Second)
		require.NoError(t, keys[0].open(t))
		sleep(time.Second)
		for _, key := range keys {
			require.NoError(t, key.both(t))
		}
	})
}

// TestFlappingExtendsNothing has the KMS answer what it likes but for one key: only an unwrapping of that key gives it more time.
func TestFlappingExtendsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, nil)
		keys := warmAll(t, g.Tenant("acme"), g.Tenant("acme").Subject("ada"), g.Tenant("other"))
		acme, ada, other := keys[0], keys[1], keys[2]
		var calls atomic.Int64
		out := func(ec kms.Context) error {
			if of(ec, "acme", "data") {
				return []error{kms.ErrUnavailable, kms.ErrThrottled}[calls.Add(1)%2]
			}
			return nil
		}
		use := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); sleep(min(time.Second, time.Until(end))) {
				require.NoError(t, acme.open(t))
				require.NoError(t, ada.open(t))
				require.NoError(t, other.both(t))
				_, err := g.keys["acme"].Describe(t.Context())
				require.NoError(t, err)
			}
		}
		lastData := func() (at time.Time) {
			for _, call := range g.fake.Calls() {
				if call.Op == "unwrap" && of(call.Context, "acme", "data") {
					at = call.At
				}
			}
			return at
		}
		use(12 * time.Minute)
		g.refusing(out)
		use(30 * time.Minute)
		first := lastData()
		require.Error(t, acme.seal(t))

		g.refusing(nil) // once, in earnest
		use(4 * time.Second)
		asked := lastData()
		require.Greater(t, asked.Sub(first), 29*time.Minute)
		require.NoError(t, acme.both(t))
		g.refusing(out)

		use(time.Until(asked.Add(8*time.Minute - 1)))
		require.NoError(t, acme.seal(t))
		sleep(1)
		require.Equal(t, envelope.Retry, envelope.ActionFor(acme.seal(t)))
		require.ErrorIs(t, acme.seal(t), envelope.ErrUnavailable)
		use(time.Until(asked.Add(65*time.Minute - 1)))
		require.NoError(t, acme.open(t))
		sleep(1)
		require.ErrorIs(t, acme.open(t), envelope.ErrUnavailable)
		require.ErrorIs(t, ada.open(t), envelope.ErrUnavailable)
		require.NoError(t, other.both(t))
	})
}

// TestIdleKeyIsBridged uses a key so rarely that its time is over each time it is used.
func TestIdleKeyIsBridged(t *testing.T) {
	for _, idle := range []time.Duration{time.Minute, 3 * time.Minute, 6 * time.Minute, 20 * time.Minute} {
		t.Run(idle.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				g := newRig(t, nil)
				g.store.slow(time.Millisecond)
				keys := warmAll(t, g.Tenant("acme"), g.Tenant("acme").Subject("ada"), g.Tenant("alone"))
				sleep(4*time.Minute + 20*time.Second) // the next use has the KMS asked ahead of time
				for _, key := range keys {
					require.NoError(t, key.open(t))
				}
				sleep(time.Second)
				_, asked := g.asked("acme")
				g.fake.Always(kmstest.Fault{Err: kms.ErrUnavailable})
				for time.Until(asked.Add(64*time.Minute)) > idle {
					sleep(idle)
					for _, key := range keys {
						require.NoError(t, key.open(t), "%v after the KMS was asked", time.Since(asked))
					}
				}
			})
		})
	}
}

// TestMakingKeysKeepsOthersWarm makes keys for the first subject of a tenant, just before the KMS goes away.
func TestMakingKeysKeepsOthersWarm(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, nil)
		acme := warm(t, g.Tenant("acme"))
		ada := warm(t, g.Tenant("acme").Subject("ada"))
		g.fake.Always(kmstest.Fault{Err: kms.ErrUnavailable})
		require.NoError(t, ada.both(t))
		require.NoError(t, acme.both(t), "its key was in memory a moment ago")
	})
}
