package envelope_test

import (
	"context"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/kms/kmstest"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
)

// TestOthersAreSeenWithinCacheTTL has one process change what another has in memory, which must see it within CacheTTL, used all the time or seldom.
func TestOthersAreSeenWithinCacheTTL(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		change func(scope envelope.Scope) error
		seen   func(t *testing.T, key warmed) bool
	}{
		"disable": {
			func(scope envelope.Scope) error { return scope.Disable(ctx, "why") },
			func(t *testing.T, key warmed) bool {
				open, seal := key.open(t), key.seal(t)
				if open == nil && seal == nil {
					return false
				}
				if open == nil { // it came before the look at the store that has told seal
					open = key.open(t)
				}
				require.ErrorIs(t, open, envelope.ErrDisabled)
				require.ErrorIs(t, seal, envelope.ErrDisabled)
				require.Equal(t, envelope.Hold, envelope.ActionFor(open))
				return true
			},
		},
		"rotate": {
			func(scope envelope.Scope) error { _, err := scope.Rotate(ctx); return err },
			func(t *testing.T, key warmed) bool {
				require.NoError(t, key.open(t))
				record, err := key.Seal(ctx, nil, binding)
				require.NoError(t, err)
				return string(record[1:17]) != string(key.record[1:17])
			},
		},
	} {
		for often, every := range map[string]time.Duration{"often": time.Second, "seldom": 5*time.Minute - time.Second} {
			for _, who := range []string{"tenant", "subject", "the subject's tenant"} {
				t.Run(name+" "+who+", used "+often, func(t *testing.T) {
					inBubble(t, func(t *testing.T) {
						here := newRig(t, nil)
						there := joinRig(t, here.fake, here.store, nil)
						used, changed := envelope.Scope(here.Tenant("acme")), envelope.Scope(there.Tenant("acme"))
						if who != "tenant" {
							used = here.Tenant("acme").Subject("ada")
						}
						if who == "subject" {
							changed = there.Tenant("acme").Subject("ada")
						}
						if name == "rotate" && who == "the subject's tenant" {
							return // it changes nothing for the subject
						}
						key := warmAll(t, used)[0]
						sleep(3 * time.Minute)
						require.False(t, c.seen(t, key))
						require.NoError(t, c.change(changed))
						at := time.Now()
						for !c.seen(t, key) {
							require.Less(t, time.Since(at), 5*time.Minute)
							sleep(min(every, max(1, time.Until(at.Add(5*time.Minute)))))
						}
						require.LessOrEqual(t, time.Since(at), 5*time.Minute)
						require.NotZero(t, time.Since(at), "another process is not told: has this one asked the store each time?")
					})
				})
			}
		}
	}
}

// TestWhatOthersMakeIsFound opens what another process has sealed with keys that this one has never heard of.
func TestWhatOthersMakeIsFound(t *testing.T) {
	ctx := context.Background()
	for name, warmer := range map[string]func(t *testing.T, r *rig){
		"cold":                      func(*testing.T, *rig) {},
		"with the tenant in memory": func(t *testing.T, r *rig) { warm(t, r.Tenant("acme")) },
		"with the subject in memory": func(t *testing.T, r *rig) {
			_, err := r.Tenant("acme").Subject("ada").Open(ctx, warm(t, r.Tenant("acme")).record, binding)
			require.ErrorIs(t, err, envelope.ErrWrongScope)
		},
		"with another subject in memory": func(t *testing.T, r *rig) { warm(t, r.Tenant("acme").Subject("bob")) },
	} {
		t.Run(name, func(t *testing.T) {
			here := newRig(t, nil)
			there := joinRig(t, here.fake, here.store, nil)
			warmer(t, here)
			made := warm(t, there.Tenant("acme").Subject("ada"))
			require.NoError(t, warmed{here.Tenant("acme").Subject("ada"), made.record}.both(t))
			made = warm(t, there.Tenant("acme"))
			require.NoError(t, warmed{here.Tenant("acme"), made.record}.both(t))
			_, err := there.Tenant("acme").Rotate(ctx)
			require.NoError(t, err)
			made = warm(t, there.Tenant("acme"))
			require.NoError(t, warmed{here.Tenant("acme"), made.record}.both(t))
		})
	}
}

// TestOwnChangesAreSeenAtOnce changes a scope while its rows are being asked for in the background: what was read before the change must not be taken for the state after it.
func TestOwnChangesAreSeenAtOnce(t *testing.T) {
	for _, op := range []string{"disable", "enable", "rotate"} {
		t.Run(op, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				g := newRig(t, nil)
				key := warm(t, g.Tenant("acme"))
				if op == "enable" {
					require.NoError(t, key.Disable(t.Context(), "why"))
				}
				g.fake.Always(kmstest.Fault{Latency: 9 * time.Second})
				g.store.slow(2 * time.Second)
				sleep(4*time.Minute + 20*time.Second)
				go key.open(t) // asks the store, and then for 9 seconds the KMS
				sleep(time.Second + time.Second/2)
				switch op {
				case "disable":
					require.NoError(t, key.Disable(t.Context(), "why"))
					require.ErrorIs(t, key.open(t), envelope.ErrDisabled)
					require.ErrorIs(t, key.seal(t), envelope.ErrDisabled)
				case "enable":
					require.NoError(t, key.Enable(t.Context()))
					require.NoError(t, key.both(t))
				case "rotate":
					id, err := key.Rotate(t.Context())
					require.NoError(t, err)
					record, err := key.Seal(t.Context(), nil, binding)
					require.NoError(t, err)
					require.Equal(t, id[:], record[1:17])
				}
			})
		})
	}
}
