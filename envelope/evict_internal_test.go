package envelope

import (
	"testing"

	"github.com/holdfast-go/holdfast/internal/derive"
)

// NeedClock is needClock for the tests outside this package.
func NeedClock(t testing.TB) {
	t.Helper()
	needClock(t)
}

// LiveKey is a key in memory, as tests outside this package see it.
type LiveKey struct {
	Kind    string
	Version uint64
	raw     *[derive.Size]byte
}

// Cleared tells whether nothing is left of the key. Call it where nobody clears keys at the same time.
func (k LiveKey) Cleared() bool { return *k.raw == [derive.Size]byte{} }

// LiveKeys returns the keys of a scope that are in memory. It loads none.
func LiveKeys(scope Scope) (list []LiveKey) {
	s := scope.inner()
	r := s.keyring.get()
	ks, ok := r.sets.GetIfPresent(s.key())
	if !s.person {
		r.mu.Lock()
		ks, ok = r.tenants[s.tenant], r.tenants[s.tenant] != nil
		r.mu.Unlock()
	}
	if !ok {
		return nil
	}
	ks.mu.Lock()
	defer ks.mu.Unlock()
	for _, live := range ks.keys {
		live.mu.RLock()
		if live.raw != nil {
			list = append(list, LiveKey{live.kind, live.version, live.raw()})
		}
		live.mu.RUnlock()
	}
	return list
}

// CachedScopes returns how many tenants and subjects a Keyring has keys in memory for.
func CachedScopes(r *Keyring) int {
	ring := r.get()
	ring.sets.CleanUp()
	return ring.sets.EstimatedSize()
}
