package envelope_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// rig is a Keyring with all that a test needs to disturb it. Every tenant has a client of the KMS of its own.
type rig struct {
	*envelope.Keyring
	fake  *kmstest.Fake
	store *watchedStore

	mu     sync.Mutex
	keys   map[string]*kms.Key
	refuse func(ec kms.Context) error // what the KMS says to a call of Unwrap, nil for nothing
}

// newRig returns a rig with a store and a KMS of its own. In a bubble every call of it but the KMS's and the store's takes no time.
func newRig(t testing.TB, o *envelope.KeyringOptions) *rig {
	return joinRig(t, kmstest.NewFake("key"), &watchedStore{Store: memstore.New()}, o)
}

// joinRig returns a rig for another process of the same deployment.
func joinRig(t testing.TB, fake *kmstest.Fake, store *watchedStore, o *envelope.KeyringOptions) *rig {
	t.Helper()
	g := &rig{fake: fake, store: store, keys: map[string]*kms.Key{}}
	var err error
	g.Keyring, err = envelope.NewKeyring("test", store, g.root, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, g.Close())
		for _, key := range g.keys {
			require.NoError(t, key.Close())
		}
	})
	return g
}

func (g *rig) root(_ context.Context, tenant string) (key *kms.Key, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.keys[tenant] == nil {
		g.keys[tenant], err = kms.NewKey(&pickyDriver{g.fake.Driver(), g}, &kms.Options{Attempts: 1, BreakAfter: 1000})
	}
	return g.keys[tenant], err
}

// refusing has the KMS answer a call of Unwrap with what refuse says of its context, until it is called with nil.
func (g *rig) refusing(refuse func(ec kms.Context) error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuse = refuse
}

// pickyDriver is a client of the KMS that knows what it is asked for.
type pickyDriver struct {
	kms.Driver
	rig *rig
}

func (d *pickyDriver) Unwrap(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
	d.rig.mu.Lock()
	refuse := d.rig.refuse
	d.rig.mu.Unlock()
	if refuse != nil {
		if err := refuse(ec); err != nil {
			return nil, err
		}
	}
	return d.Driver.Unwrap(ctx, w, ec)
}

// Describe implements [kms.Describer].
func (d *pickyDriver) Describe(ctx context.Context) (kms.Info, error) {
	return d.Driver.(kms.Describer).Describe(ctx)
}

// of tells whether a call is about a kind of key of a tenant; "" for all kinds.
func of(ec kms.Context, tenant, kind string) bool {
	return ec["holdfast:tenant"] == tenant && (kind == "" || ec["holdfast:kind"] == kind)
}

// asked returns how many calls for a tenant reached the KMS, and when the last came that succeeded.
func (g *rig) asked(tenant string) (n int, last time.Time) {
	for _, call := range g.fake.Calls() {
		if call.Ended && of(call.Context, tenant, "") {
			n++
			if call.Err == nil {
				last = call.At
			}
		}
	}
	return n, last
}

// warmed is a scope with a record of its own.
type warmed struct {
	envelope.Scope
	record []byte
}

func warm(t testing.TB, scope envelope.Scope) warmed {
	t.Helper()
	record, err := scope.Seal(t.Context(), []byte("hello"), binding)
	require.NoError(t, err)
	w := warmed{scope, record}
	require.NoError(t, w.open(t))
	return w
}

// sealFor seals for a scope of which nothing is known.
func sealFor(t testing.TB, scope envelope.Scope) error {
	_, err := scope.Seal(t.Context(), []byte("hello"), binding)
	return err
}

// warmAll is warm for several scopes, the keys of which are all in memory after it.
func warmAll(t testing.TB, scopes ...envelope.Scope) (list []warmed) {
	t.Helper()
	for _, scope := range scopes {
		list = append(list, warm(t, scope))
	}
	for _, w := range list { // a key that was not used while those of others were made is loaded again
		require.NoError(t, w.both(t))
	}
	return list
}

func (w warmed) open(t testing.TB) error {
	got, err := w.Open(t.Context(), w.record, binding)
	if err == nil {
		require.Equal(t, "hello", string(got))
	}
	return err
}

func (w warmed) seal(t testing.TB) error {
	_, err := w.Seal(t.Context(), []byte("hello"), binding)
	return err
}

// both opens and seals.
func (w warmed) both(t testing.TB) error {
	if err := w.open(t); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if err := w.seal(t); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return nil
}

// sleep lets fake time pass, and all that begins meanwhile come to its end or to a wait for the clock.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// sleepUntil is sleep to an instant.
func sleepUntil(at time.Time) { sleep(time.Until(at)) }

// inBubble runs a test with a clock that stands still while anything runs.
func inBubble(t *testing.T, test func(t *testing.T)) {
	envelope.NeedClock(t)
	bubble.Test(t, test)
}
