package tlsconfig

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"slices"
	"sync/atomic"
	"time"
)

// trusted are Roots in use: the last good ones. It is safe for concurrent use.
type trusted struct {
	roots Roots
	tell  func(Event)
	state atomic.Pointer[trustedState]
	moved change
}

// trustedState is what counts at a time. It is immutable.
type trustedState struct {
	pool   *x509.CertPool
	digest [sha256.Size]byte
	roots  []*x509.Certificate // nil for not known
	ends   time.Time           // when the last root ends, zero for not known
	failed error               // why the last reload does not count
}

// holdRoots loads the roots, which must succeed, and then, until ctx ends, whenever they change. tell hears KindTrust of each change, with a Reason and Err of what does not count.
func holdRoots(ctx context.Context, r Roots, tell func(Event)) (*trusted, error) {
	if r == nil {
		return nil, invalid("the roots are nil: SystemRoots are those of the operating system")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t := &trusted{roots: r, tell: tell}
	moved := r.Changed() // before load, or a change during it is missed
	state, err := t.load()
	if err != nil {
		return nil, err
	}
	t.state.Store(state)
	if s, ok := r.(source); ok {
		s.hold(ctx)
	}
	go follow(ctx, moved, r.Changed, t.reload)
	return t, nil
}

// load returns what the roots are now.
func (t *trusted) load() (*trustedState, error) {
	if l, ok := t.roots.(rootLister); ok {
		roots, err := l.list()
		if err != nil {
			return nil, err
		}
		last := slices.MaxFunc(roots, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
		return &trustedState{pool: newPool(roots), digest: digestRoots(roots), roots: roots, ends: last.NotAfter}, nil
	}
	pool, err := t.roots.Pool()
	if err == nil && (pool == nil || pool.Equal(x509.NewCertPool())) {
		err = errors.New("there are none") // a nil pool would stand for those of the system
	}
	if err != nil {
		if !errors.Is(err, ErrInvalid) {
			err = invalid("roots: %w", err)
		}
		return nil, err
	}
	s := &trustedState{pool: pool.Clone()}
	_, err = rand.Read(s.digest[:])
	return s, err
}

// digestRoots returns a digest of a set of roots, whatever their order.
func digestRoots(roots []*x509.Certificate) [sha256.Size]byte {
	ders := make([][]byte, len(roots))
	for i, root := range roots {
		ders[i] = root.Raw
	}
	slices.SortFunc(ders, bytes.Compare)
	ders = slices.CompactFunc(ders, bytes.Equal)
	return sha256.Sum256(bytes.Join(ders, nil)) // DER says how long it is
}

// reload takes what the roots are now, or keeps the last good ones and returns when to try again. It tells of what is new: other roots, another failure, or the end of a failure.
func (t *trusted) reload(ctx context.Context) time.Duration {
	next, err := t.load()
	if ctx.Err() != nil {
		return 0
	}
	now := t.state.Load()
	if err != nil {
		if now.failed == nil || now.failed.Error() != err.Error() {
			kept := *now
			kept.failed = err
			t.state.Store(&kept)
			t.tell(Event{Kind: KindTrust, Time: time.Now(), Reason: ReasonOther, Err: err})
		}
		return pollMax
	}
	same := next.digest == now.digest
	if same && now.failed == nil {
		return 0
	}
	t.state.Store(next)
	if !same {
		t.moved.announce()
	}
	t.tell(Event{Kind: KindTrust, Time: time.Now()})
	return 0
}

// now returns the roots that count, which nobody may change, and a digest that differs when they do. Roots that can't be listed have another digest after each load, so that nothing outlives a change.
func (t *trusted) now() (*x509.CertPool, [sha256.Size]byte) {
	s := t.state.Load()
	return s.pool, s.digest
}

// systems says whether the roots are those of the system, under whatever name.
func (t *trusted) systems() bool {
	system, err := x509.SystemCertPool()
	pool, _ := t.now()
	return isSystem(t.roots) || err == nil && pool.Equal(system)
}

// listed says whether the roots are known one by one. Those of a user's own pool may check more than a chain.
func (t *trusted) listed() bool {
	_, ok := t.roots.(rootLister)
	return ok
}

// changed returns a channel that is closed when now returns something else.
func (t *trusted) changed() <-chan struct{} { return t.moved.wait() }

// healthy returns why the roots are not what they should be, or nil.
func (t *trusted) healthy(now time.Time) error { return rootsHealth(t.state.Load(), now) }
