// Package envelopetest has a Keyring for the tests of what uses one: real keys and records, in memory, over a fake KMS that throttles, fails, refuses and comes back
// as the test wants it to.
package envelopetest

import (
	"testing"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// Options are what a test wants to hold itself. nil and the zero value are the defaults.
type Options struct {
	// Fake is the KMS, for a test that scripts outages and revocations. nil means a new one that always answers.
	Fake *kmstest.Fake
	// Store keeps the rows, for a test that looks at them, or that has several Keyrings as the processes of a deployment: these need one Fake, too, since a Fake
	// opens only what it has wrapped. It stays the test's to close. nil means a new one in memory.
	Store envelope.Store
	// Deployment is the name that the keys are bound to: 1 to 255 bytes of valid UTF-8. "" means "test".
	Deployment string
	// Keyring is the policy. nil means the defaults, as in production.
	Keyring *envelope.KeyringOptions
}

// New returns a Keyring that the end of the test closes. A call of the KMS is tried once, so that an outage costs no pauses, and the circuit breaker opens after no
// fewer than 1000 failures. It ends the test at once when an option is out of bounds.
//
// It works in a bubble of testing/synctest, where a test crosses CacheTTL in no time, with everything that it uses made within the bubble. Under FIPS modules later than v1.0.0 no bubble can seal:
// they take entropy from the clock, which stands still there.
func New(t testing.TB, o *Options) *envelope.Keyring {
	t.Helper()
	var own Options
	if o != nil {
		own = *o
	}
	if own.Fake == nil {
		own.Fake = kmstest.NewFake("test-key")
	}
	if own.Store == nil {
		store := memstore.New()
		t.Cleanup(func() { store.Close() })
		own.Store = store
	}
	if own.Deployment == "" {
		own.Deployment = "test"
	}
	key, err := kms.NewKey(own.Fake.Driver(), &kms.Options{Attempts: 1, BreakAfter: 1000})
	if err != nil {
		t.Fatalf("envelopetest: %v", err)
	}
	t.Cleanup(func() { key.Close() })
	r, err := envelope.NewKeyring(own.Deployment, own.Store, envelope.SingleRoot(key), own.Keyring)
	if err != nil {
		t.Fatalf("envelopetest: %v", err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}
