package envelope_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// TestAnswersOfTheKMS gives every class of error to the refresh of a key in use: an outage is bridged, and nothing else is.
func TestAnswersOfTheKMS(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		action envelope.Action // None where it is bridged
	}{
		{"unavailable", kms.ErrUnavailable, envelope.None},
		{"throttled", kms.ErrThrottled, envelope.None},
		{"throttled with a pause", &kms.Error{Err: kms.ErrThrottled, Retryable: true, RetryAfter: time.Minute}, envelope.None},
		{"unknown to package kms", errors.New("provider: 418"), envelope.None},
		{"canceled, though nobody did", context.Canceled, envelope.None},
		{"disabled", kms.ErrDisabled, envelope.Hold},
		{"access denied", kms.ErrAccessDenied, envelope.Hold},
		{"pending deletion", kms.ErrPendingDeletion, envelope.Hold},
		{"destroyed", kms.ErrDestroyed, envelope.Hold},
		{"not found", kms.ErrNotFound, envelope.Hold},
		{"ciphertext", kms.ErrCiphertext, envelope.Reject},
		{"unsupported", kms.ErrUnsupported, envelope.Fix},
		{"invalid", kms.ErrInvalid, envelope.Fix},
		{"closed", kms.ErrClosed, envelope.Fix},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				g := newRig(t, nil)
				acme, other := g.Tenant("acme"), warm(t, g.Tenant("other"))
				scopes := []envelope.Scope{acme, acme.Subject("ada"), acme.Subject("bob")}
				if c.action == envelope.Reject {
					scopes = scopes[:1] // rows that are damaged, which leaves those of subjects as they are
				}
				keys := warmAll(t, scopes...)
				_, asked := g.asked("acme")
				g.refusing(func(ec kms.Context) error {
					if of(ec, "acme", "") {
						return c.err
					}
					return nil
				})
				for ; time.Until(asked.Add(5*time.Minute)) > 0; sleep(time.Second) {
					require.NoError(t, other.both(t))
					for _, key := range keys {
						if err := key.both(t); err != nil {
							require.Equal(t, c.action, envelope.ActionFor(err), "%v", err)
							require.GreaterOrEqual(t, time.Since(asked), 4*time.Minute, "before anything was asked")
						}
					}
				}
				for range 60 {
					for _, key := range keys {
						for _, err := range []error{key.open(t), key.seal(t)} {
							require.Equal(t, c.action, envelope.ActionFor(err), "%v: %v", time.Since(asked), err)
							if c.action != envelope.None {
								require.ErrorIs(t, err, c.err)
								require.NotErrorIs(t, err, envelope.ErrUnavailable)
							}
						}
					}
					require.NoError(t, other.both(t))
					sleep(time.Second)
				}
				g.refusing(nil)
				sleep(3 * time.Second)
				for _, key := range keys {
					require.NoError(t, key.both(t), "it comes back by itself")
				}
			})
		})
	}
}

// TestRevocationEndsWindows has a KMS that was away come back with a refusal.
func TestRevocationEndsWindows(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, nil)
		keys := warmAll(t, g.Tenant("acme"), g.Tenant("acme").Subject("ada"))
		acme, ada := keys[0], keys[1]
		g.fake.Always(kmstest.Fault{Err: kms.ErrUnavailable})
		for range 30 {
			sleep(time.Minute)
			require.NoError(t, acme.open(t))
			require.NoError(t, ada.open(t))
		}
		g.fake.SetState(kms.Disabled)
		g.fake.Always()
		sleep(2 * time.Second)
		acme.open(t) // has the KMS asked, at the latest
		sleep(0)
		for range 600 {
			for _, key := range []warmed{acme, ada} {
				for _, err := range []error{key.open(t), key.seal(t)} {
					require.ErrorIs(t, err, kms.ErrDisabled)
					require.Equal(t, envelope.Hold, envelope.ActionFor(err))
				}
			}
			sleep(time.Second)
		}
		g.fake.Always(kmstest.Fault{Err: kms.ErrUnavailable}) // an outage after it brings nothing back
		for range 600 {
			require.Error(t, acme.open(t))
			require.Error(t, ada.open(t))
			sleep(time.Second)
		}
		g.fake.SetState(kms.Enabled)
		g.fake.Always()
		sleep(3 * time.Second)
		require.NoError(t, acme.both(t))
		require.NoError(t, ada.both(t))
	})
}

// TestRevokedKeysAreCleared looks at the memory of keys that the KMS refuses to unwrap again.
func TestRevokedKeysAreCleared(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, nil)
		keys := warmAll(t, g.Tenant("acme"), g.Tenant("acme").Subject("ada"))
		acme, ada := keys[0], keys[1]
		live := envelope.LiveKeys(acme)
		require.Len(t, live, 3) // data, lookup, wrap
		g.fake.SetState(kms.Disabled)
		sleep(4*time.Minute + 15*time.Second)
		acme.open(t)
		sleep(0)
		require.ErrorIs(t, acme.open(t), kms.ErrDisabled)
		require.ErrorIs(t, ada.open(t), kms.ErrDisabled)
		sleep(time.Second)
		for _, key := range live {
			require.True(t, key.Cleared(), "%s key of version %d", key.Kind, key.Version)
		}
	})
}

// TestRevocationIsAskedForInPauses has callers insist on a key that was revoked.
func TestRevocationIsAskedForInPauses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, nil)
		keys := warmAll(t, g.Tenant("acme"), g.Tenant("acme").Subject("ada"))
		g.fake.SetState(kms.Disabled)
		sleep(6 * time.Minute)
		calls, reads := g.fake.Count(""), g.store.calls.Load()
		const seconds = 20
		for range seconds * 10 {
			for _, key := range keys {
				require.ErrorIs(t, key.open(t), kms.ErrDisabled)
				require.ErrorIs(t, key.seal(t), kms.ErrDisabled)
			}
			sleep(time.Second / 10)
		}
		require.LessOrEqual(t, g.fake.Count("")-calls, 3*seconds, "of the KMS")
		require.LessOrEqual(t, g.store.calls.Load()-reads, int64(3*seconds), "of the store")
	})
}
