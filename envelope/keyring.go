package envelope

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

// Keyring keeps keys for tenants and subjects: wrapped in a [Store], unwrapped in memory for as long as its options say. Make one
// with [NewKeyring]; one serves a whole process. It is safe for concurrent use.
type Keyring struct {
	_   [0]func()
	get func() *ring // a closure: printers and dumpers stop here
}

// Root returns the KMS key that wraps a tenant's keys: one for all, or the customer's own. It is called at every load, so it should remember its keys; they stay its
// own to close. An error that wraps none of package kms's is taken for an outage. To move a tenant to another key return kms.Rolling(to, from), then call [Keyring.Rewrap]. Backups
// of the store from before that still open under the old key.
type Root func(ctx context.Context, tenant string) (*kms.Key, error)

// SingleRoot returns the Root of a deployment with one KMS key for all tenants.
func SingleRoot(k *kms.Key) Root {
	return func(context.Context, string) (*kms.Key, error) { return k, nil }
}

// NewKeyring returns a Keyring of the deployment, such as "acme-prod": 1 to 255 bytes of valid UTF-8, which every key is bound to, so that one environment opens nothing of
// another. It makes no I/O. Store and KMS keys stay the caller's to close, after the Keyring. It fails with kms.ErrInvalid when something is missing or an option is out of
// bounds.
func NewKeyring(deployment string, store Store, root Root, o *KeyringOptions) (*Keyring, error) {
	return edge(newKeyring(deployment, store, root, o))
}

func newKeyring(deployment string, store Store, root Root, o *KeyringOptions) (*Keyring, error) {
	own, err := o.withDefaults()
	switch {
	case err != nil:
		return nil, err
	case store == nil:
		return nil, invalid("the Store is nil")
	case root == nil:
		return nil, invalid("the Root is nil: use SingleRoot for one KMS key")
	}
	if err := checkID("deployment", deployment); err != nil {
		return nil, err
	}
	r := &ring{deployment: deployment, store: store, root: root, KeyringOptions: own, front: newFront(own.CacheEntries), tenants: map[string]*keyset{}}
	r.life, r.end = context.WithCancel(context.Background())
	inline := func(f func()) { f() }
	r.sets, err = otter.New(&otter.Options[setKey, *keyset]{
		MaximumSize:      own.CacheEntries,
		Executor:         inline,
		OnAtomicDeletion: func(e otter.DeletionEvent[setKey, *keyset]) { r.release(e.Value) },
	})
	if err != nil {
		return nil, invalid("cache: %v", err)
	}
	r.seen, err = otter.New(&otter.Options[setKey, uint64]{MaximumSize: remembered * own.CacheEntries, Executor: inline})
	if err != nil {
		return nil, invalid("cache: %v", err)
	}
	r.owners, err = otter.New(&otter.Options[aead.KeyID, owner]{MaximumSize: own.CacheEntries, Executor: inline})
	if err != nil {
		return nil, invalid("cache: %v", err)
	}
	return &Keyring{get: func() *ring { return r }}, nil
}

// Close ends what runs in the background, waits for calls in flight and clears every key in memory. Later calls are ErrClosed; Close again does nothing. Streams
// that were opened go on. It does not close Store and KMS keys.
func (r *Keyring) Close() error {
	if r != nil && r.get != nil {
		r.get().close()
	}
	return nil
}

// String returns nothing of the keys.
func (r *Keyring) String() string { return "envelope.Keyring" }

const (
	pause       = 2 * time.Second // until a failure, or that a key is unknown, is asked for again
	remembered  = 4               // times CacheEntries scopes are known by the highest version seen
	loadTimeout = time.Minute     // of one load, beside what the KMS key and the store set themselves
)

// setKey is what a keyset is cached under.
type setKey struct {
	tenant, subject string
	person          bool
}

// ring is what a Keyring holds.
type ring struct {
	KeyringOptions
	deployment string
	store      Store
	root       Root

	sets   *otter.Cache[setKey, *keyset]
	seen   *otter.Cache[setKey, uint64] // the highest versions of scopes that were evicted
	owners *otter.Cache[aead.KeyID, owner]
	front  *front

	mu       sync.Mutex
	tenants  map[string]*keyset // those that are cached or have a subject that is
	retired  []*liveKey         // to be cleared
	clearing bool
	closed   bool

	announced atomic.Bool
	life      context.Context // ended by Close
	end       func()
	work      sync.WaitGroup // loads and clearing in flight
}

// begin counts work in flight. Who gets nil calls r.work.Done.
func (r *ring) begin() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	r.work.Add(1)
	return nil
}

// detached returns a context for work that outlives the call which began it, since others wait for it too.
func (r *ring) detached(ctx context.Context) (context.Context, func()) {
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	stop := context.AfterFunc(r.life, cancel)
	return own, func() { stop(); cancel() }
}

func (r *ring) close() {
	r.mu.Lock()
	again := r.closed
	r.closed = true
	r.mu.Unlock()
	if again {
		r.work.Wait()
		return
	}
	r.end()
	r.work.Wait()
	r.sets.InvalidateAll()
	r.sets.CleanUp()
	r.owners.InvalidateAll()
	r.clear()
}

// retire has keys cleared, which waits for those who use them.
func (r *ring) retire(keys ...*liveKey) {
	if len(keys) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retired = append(r.retired, keys...)
	if r.closed || r.clearing {
		return
	}
	r.clearing = true
	r.work.Add(1)
	go func() {
		defer r.work.Done()
		r.clear()
	}()
}

// clear clears the keys that are retired, until there are none.
func (r *ring) clear() {
	for {
		r.mu.Lock()
		keys := r.retired
		r.retired = nil
		if len(keys) == 0 {
			r.clearing = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		for _, k := range keys {
			k.destroy()
		}
	}
}

// set returns the keyset of a scope, which may be empty yet. The caller releases it.
func (r *ring) set(key setKey) *keyset {
	for {
		ks, ok := r.sets.GetIfPresent(key)
		if !ok {
			ks = r.add(key)
		}
		if r.pin(ks) {
			return ks
		}
	}
}

// pin takes a reference to a keyset that still has one.
func (r *ring) pin(ks *keyset) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ks.refs == 0 {
		return false
	}
	ks.refs++
	return true
}

// add puts a keyset into the cache, which has a reference to it, and it one to its tenant's. A keyset that calls still hold after it was evicted comes back.
func (r *ring) add(key setKey) *keyset {
	r.mu.Lock()
	ks := r.tenants[key.tenant]
	if ks == nil {
		ks = &keyset{ring: r, tenant: key.tenant, prefix: tenantPrefix(key.tenant), subjects: map[string]*keyset{}}
		r.tenants[key.tenant] = ks
	}
	if tenant := ks; key.person {
		if ks = tenant.subjects[key.subject]; ks == nil {
			tenant.refs++
			ks = &keyset{ring: r, tenant: key.tenant, subject: key.subject, parent: tenant, prefix: key.knownPrefix()}
			tenant.subjects[key.subject] = ks
		}
	}
	ks.refs++
	r.mu.Unlock()
	if seen, ok := r.seen.GetIfPresent(key); ok {
		ks.mu.Lock()
		ks.seen = max(ks.seen, seen)
		ks.mu.Unlock()
	}
	stored, ok := r.sets.SetIfAbsent(key, ks)
	if !ok {
		r.release(ks)
	}
	return stored
}

// release gives back a reference to a keyset, which ends with the last.
func (r *ring) release(ks *keyset) {
	r.mu.Lock()
	ks.refs--
	last := ks.refs == 0
	if last && r.tenants[ks.tenant] == ks {
		delete(r.tenants, ks.tenant)
	}
	if last && ks.parent != nil {
		ks.parent.forget(ks)
	}
	r.mu.Unlock()
	if !last {
		return
	}
	ks.kill()
	if ks.parent != nil {
		r.release(ks.parent)
	}
}

// evict ends the keysets of a scope with a prefix at once, and those of a tenant's subjects, and returns when their keys are cleared. Calls that hold them start over.
func (r *ring) evict(key setKey, prefix string) {
	var ended []*keyset
	r.mu.Lock()
	tenant := r.tenants[key.tenant]
	switch {
	case tenant == nil:
	case key.person:
		for _, subject := range []string{key.subject, byReference + refOf(prefix)} {
			if ks := tenant.subjects[subject]; ks != nil {
				ended = append(ended, ks)
			}
			delete(tenant.subjects, subject)
		}
	default:
		ended = append(slices.Collect(maps.Values(tenant.subjects)), tenant)
		clear(tenant.subjects)
		delete(r.tenants, key.tenant)
	}
	r.mu.Unlock()
	for _, ks := range ended {
		for _, live := range ks.kill() {
			live.destroy()
		}
		r.sets.Invalidate(ks.key())
	}
}

// forget has a subject's keyset not be found among its tenant's, unless another has taken its place. The caller holds the ring's mu.
func (ks *keyset) forget(subject *keyset) {
	if ks.subjects[subject.subject] == subject {
		delete(ks.subjects, subject.subject)
	}
}
