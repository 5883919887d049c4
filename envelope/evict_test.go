package envelope_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// TestEvictionUnderUse has 32 callers use many more tenants and subjects than the cache holds.
func TestEvictionUnderUse(t *testing.T) {
	for _, entries := range []int{1, 2, 16} {
		t.Run(fmt.Sprintf("%d entries", entries), func(t *testing.T) {
			g := newRig(t, &envelope.KeyringOptions{CacheEntries: entries})
			var keys []warmed
			for i := range 20 {
				tenant := g.Tenant(fmt.Sprint(i))
				keys = append(keys, warm(t, tenant), warm(t, tenant.Subject("ada")), warm(t, tenant.Subject("bob")))
			}
			turns := 200
			if testing.Short() {
				turns = 40
			}
			ctx := context.Background()
			var callers sync.WaitGroup
			for n := range 32 {
				r := rand.New(rand.NewPCG(uint64(n), uint64(entries)))
				callers.Go(func() {
					for range turns {
						key := keys[r.IntN(len(keys))]
						got, err := key.Open(ctx, key.record, binding)
						if !assert.NoError(t, err) || !assert.Equal(t, "hello", string(got)) {
							return
						}
						record, err := key.Seal(ctx, []byte("hello"), binding)
						if !assert.NoError(t, err) || !assert.Equal(t, key.record[:17], record[:17], "another key") {
							return
						}
						got, err = key.Open(ctx, record, binding)
						if !assert.NoError(t, err) || !assert.Equal(t, "hello", string(got)) {
							return
						}
					}
				})
			}
			callers.Wait()
			require.LessOrEqual(t, envelope.CachedScopes(g.Keyring), entries)
			held := 0
			for _, key := range keys {
				held += min(1, len(envelope.LiveKeys(key)))
			}
			require.LessOrEqual(t, held, 2*entries, "a subject keeps its tenant")
		})
	}
}

// TestEvictedKeysAreCleared looks at the memory of keys that others have pushed out.
func TestEvictedKeysAreCleared(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, &envelope.KeyringOptions{CacheEntries: 2})
		acme := g.Tenant("acme")
		keys := warmAll(t, acme, acme.Subject("ada"))
		live := slices.Concat(envelope.LiveKeys(acme), envelope.LiveKeys(keys[1]))
		require.NotEmpty(t, live)
		for _, key := range live {
			require.False(t, key.Cleared())
		}
		for i := range 100 {
			warm(t, g.Tenant(fmt.Sprint(i)))
		}
		sleep(0)
		require.Empty(t, envelope.LiveKeys(acme))
		for _, key := range live {
			require.True(t, key.Cleared(), "%s key", key.Kind)
		}
		for _, key := range keys {
			require.NoError(t, key.both(t))
		}
	})
}

// TestEvictionSpares opens one record over and over, while more tenants come by again and again than the cache holds.
func TestEvictionSpares(t *testing.T) {
	for name, open := range map[string]func(warmed) error{
		"Open": func(hot warmed) error { return hot.open(t) },
		"AppendOpenAny": func(hot warmed) error {
			_, err := hot.Scope.(envelope.Tenant).AppendOpenAny(t.Context(), nil, hot.record, binding)
			return err
		},
		"Seal": func(hot warmed) error { return hot.seal(t) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, &envelope.KeyringOptions{CacheEntries: 33})
			hot := warm(t, g.Tenant("hot"))
			before, _ := g.asked("hot")
			for i := range 2000 {
				for range 100 {
					require.NoError(t, open(hot))
				}
				require.NoError(t, sealFor(t, g.Tenant(fmt.Sprint(i%40))))
			}
			loads, _ := g.asked("hot")
			require.Less(t, loads-before, 4)
		})
	}
}

// TestStreamsOutliveTheirKeys writes and reads streams whose keys are evicted, and revoked, meanwhile.
func TestStreamsOutliveTheirKeys(t *testing.T) {
	g := newRig(t, &envelope.KeyringOptions{CacheEntries: 1})
	for name, scope := range map[string]envelope.Scope{"tenant": g.Tenant("acme"), "subject": g.Tenant("acme").Subject("ada")} {
		var sealed bytes.Buffer
		w, err := scope.NewWriter(t.Context(), &sealed, binding, nil)
		require.NoError(t, err, name)
		evict := func() {
			for i := range 20 {
				warm(t, g.Tenant(fmt.Sprint(i)))
			}
			require.Empty(t, envelope.LiveKeys(scope))
		}
		_, err = w.Write(streamBytes(1 << 20))
		require.NoError(t, err, name)
		evict()
		_, err = w.Write(streamBytes(1 << 20))
		require.NoError(t, err, name)
		require.NoError(t, w.Close(), name)

		r, err := scope.NewReader(t.Context(), bytes.NewReader(sealed.Bytes()), binding, nil)
		require.NoError(t, err, name)
		at, err := scope.NewReaderAt(t.Context(), bytes.NewReader(sealed.Bytes()), int64(sealed.Len()), binding, nil)
		require.NoError(t, err, name)
		evict()
		require.NoError(t, g.Tenant("acme").Disable(t.Context(), "why"))
		got, err := io.ReadAll(r)
		require.NoError(t, err, name)
		require.True(t, bytes.Equal(slices.Concat(streamBytes(1<<20), streamBytes(1<<20)), got), name)
		_, err = at.ReadAt(got[:100], 1<<20)
		require.NoError(t, err, name)
		require.Equal(t, streamBytes(100), got[:100], name)
		_, err = scope.NewReader(t.Context(), bytes.NewReader(sealed.Bytes()), binding, nil)
		require.ErrorIs(t, err, envelope.ErrDisabled, name)
		require.NoError(t, g.Tenant("acme").Enable(t.Context()))
	}
}

// TestClose closes a Keyring that is in use, and looks at what is left.
func TestClose(t *testing.T) {
	g := newRig(t, nil)
	acme := g.Tenant("acme")
	keys := warmAll(t, acme, acme.Subject("ada"), g.Tenant("other"))
	var live []envelope.LiveKey
	for _, key := range keys {
		live = append(live, envelope.LiveKeys(key)...)
	}
	require.NotEmpty(t, live)
	var callers sync.WaitGroup
	for _, key := range keys {
		for range 4 {
			callers.Go(func() {
				for {
					got, err := key.Open(context.Background(), key.record, binding)
					if errors.Is(err, envelope.ErrClosed) {
						return
					}
					if !assert.NoError(t, err) || !assert.Equal(t, "hello", string(got)) {
						return
					}
				}
			})
		}
	}
	require.NoError(t, g.Close())
	callers.Wait()
	for _, key := range live {
		require.True(t, key.Cleared(), "%s key", key.Kind)
	}
	require.NoError(t, g.Close(), "again")
	calls, reads := g.fake.Count(""), g.store.calls.Load()
	for _, key := range keys {
		for name, call := range everyMethod(key) {
			require.ErrorIs(t, call(), envelope.ErrClosed, name)
		}
	}
	_, err := g.Stale(t.Context(), keys[0].record)
	require.ErrorIs(t, err, envelope.ErrClosed)
	require.Equal(t, calls, g.fake.Count(""))
	require.Equal(t, reads, g.store.calls.Load())
}

// everyMethod calls each method of a scope that does something.
func everyMethod(key warmed) map[string]func() error {
	ctx := context.Background()
	return map[string]func() error{
		"Seal":          func() error { _, err := key.Seal(ctx, nil, binding); return err },
		"Open":          func() error { _, err := key.Open(ctx, key.record, binding); return err },
		"AppendSeal":    func() error { _, err := key.AppendSeal(ctx, nil, nil, binding); return err },
		"AppendOpen":    func() error { _, err := key.AppendOpen(ctx, nil, key.record, binding); return err },
		"Reseal":        func() error { _, err := key.Reseal(ctx, key.record, binding); return err },
		"NewWriter":     func() error { _, err := key.NewWriter(ctx, io.Discard, binding, nil); return err },
		"NewSealReader": func() error { _, err := key.NewSealReader(ctx, bytes.NewReader(nil), binding, nil); return err },
		"NewReader":     func() error { _, err := key.NewReader(ctx, bytes.NewReader(key.stream()), binding, nil); return err },
		"NewReaderAt": func() error {
			b := key.stream()
			_, err := key.NewReaderAt(ctx, bytes.NewReader(b), int64(len(b)), binding, nil)
			return err
		},
		"Create":  func() error { _, err := key.Create(ctx); return err },
		"Rotate":  func() error { _, err := key.Rotate(ctx); return err },
		"Disable": func() error { return key.Disable(ctx, "why") },
		"Enable":  func() error { return key.Enable(ctx) },
		"Hold":    func() error { return key.Hold(ctx, "case") },
		"Release": func() error { return key.Release(ctx, "case") },
		"Versions": func() (err error) {
			for _, err = range key.Versions(ctx) {
			}
			return err
		},
	}
}

// stream returns what begins like a managed stream of the scope's key.
func (w warmed) stream() []byte {
	return append(append([]byte{0xf7}, w.record[1:17]...), make([]byte, 200)...)
}

// TestCloseEndsWhatWaits closes a Keyring while the KMS does not answer.
func TestCloseEndsWhatWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := newRig(t, nil)
		record := warm(t, g.Tenant("acme")).record
		g = joinRig(t, g.fake, g.store, nil)
		g.fake.Always(kmstest.Fault{Hang: true})
		done := make(chan error)
		go func() {
			_, err := g.Tenant("acme").Open(context.Background(), record, binding)
			done <- err
		}()
		sleep(1)
		go g.Close()
		sleep(0)
		select {
		case err := <-done:
			require.ErrorIs(t, err, envelope.ErrClosed)
		default:
			t.Fatal("Close waits for the KMS")
		}
	})
}

func streamBytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}
