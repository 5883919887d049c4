package envelope_test

import (
	"crypto/fips140"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

const (
	modelTTL        = 10 * time.Second // for which a process may use what it knows
	modelStale      = time.Minute      // longer while the KMS is away, to open
	modelWriteStale = 20 * time.Second // likewise, to seal
	modelPause      = 4 * time.Second  // for which a process may remember a failure: two for the tenant, and two more for its subject
)

// modelActions are the errors that the model knows, with what to do.
var modelActions = map[error]envelope.Action{
	envelope.ErrDisabled: envelope.Hold, envelope.ErrErased: envelope.Skip, envelope.ErrHeld: envelope.Hold,
	envelope.ErrWrongScope: envelope.Reject, envelope.ErrOpen: envelope.Reject,
	envelope.ErrUnknownKey: envelope.Reject, envelope.ErrUnavailable: envelope.Retry,
	kms.ErrUnavailable: envelope.Retry, kms.ErrThrottled: envelope.Retry,
	kms.ErrDisabled: envelope.Hold, kms.ErrAccessDenied: envelope.Hold, kms.ErrInvalid: envelope.Fix,
}

// modelScope is a tenant or subject as it should be.
type modelScope struct {
	of    func(*envelope.Keyring) envelope.Scope
	above *modelScope // the tenant of a subject
	past  []modelState
	holds []string
	known time.Time // of a tenant: since when it has a subject
}

// modelState is a state with who made it and when.
type modelState struct {
	since time.Time
	by    *modelProcess
	cause error // why it is not served, or nil
	keys  []modelKey
	again bool      // it was readmitted, and nothing changed since
	until time.Time // of a view: when it ended, zero for the present one
}

type modelKey struct {
	id   aead.KeyID
	dead bool
}

// modelRecord is what a scope has sealed.
type modelRecord struct {
	scope     *modelScope
	record    []byte
	plaintext string
}

func (r modelRecord) id() aead.KeyID { return aead.KeyID(r.record[1:17]) }

// modelProcess is a Keyring of several over one store.
type modelProcess struct {
	ring     *envelope.Keyring
	o        *envelope.KeyringOptions
	evicts   bool
	explicit bool
	used     map[aead.KeyID]time.Time // when, since the last that was no Seal or Open
	end      func()
}

type keyringModel struct {
	t       testing.TB
	fake    *kmstest.Fake
	store   *modelStore
	procs   []*modelProcess
	scopes  []*modelScope
	records []modelRecord
	weather []modelWeather
}

// modelBubble hides Deadline, which a bubble forbids, from rapid.
type modelBubble struct{ testing.TB }

// TestKeyringModel has processes do anything at any time, while KMS and store come and go, and knows what each call may end in.
func TestKeyringModel(t *testing.T) {
	if fips140.Enabled() && fips140.Version() != "v1.0.0" {
		t.Skip("the FIPS module takes its entropy from the clock, which stands still in a bubble")
	}
	bubble.Test(t, func(t *testing.T) {
		rapid.Check(modelBubble{t}, func(rt *rapid.T) {
			m := newKeyringModel(t)
			defer m.end()
			rt.Repeat(m.operations())
		})
	})
}

func newKeyringModel(t testing.TB) *keyringModel {
	m := &keyringModel{t: t, fake: kmstest.NewFake("key"), store: &modelStore{Store: memstore.New()}}
	m.weather = []modelWeather{{since: time.Now().Add(-time.Hour)}}
	for _, id := range []string{"acme", "globex"} {
		tenant := &modelScope{of: func(r *envelope.Keyring) envelope.Scope { return r.Tenant(id) }}
		m.scopes = append(m.scopes, tenant)
		for _, person := range []string{"ada", "bob"} {
			m.scopes = append(m.scopes, &modelScope{above: tenant, of: func(r *envelope.Keyring) envelope.Scope { return r.Tenant(id).Subject(person) }})
		}
	}
	for _, s := range m.scopes {
		s.past = []modelState{{since: time.Now().Add(-time.Hour)}}
	}
	policy := envelope.KeyringOptions{CacheTTL: modelTTL, StaleIfError: modelStale, WriteStaleIfError: modelWriteStale, RotateAfter: -1}
	tiny, explicit := policy, policy
	tiny.CacheEntries, explicit.ExplicitCreate = 1, true
	m.procs = []*modelProcess{{o: &policy}, {o: &tiny, evicts: true}, {o: &explicit, explicit: true}}
	for i := range m.procs {
		m.start(i)
	}
	return m
}

// start replaces a process by a new one.
func (m *keyringModel) start(i int) {
	p := *m.procs[i]
	key, err := kms.NewKey(m.fake.Driver(), &kms.Options{Attempts: 1, BreakAfter: 1000})
	require.NoError(m.t, err)
	p.ring, err = envelope.NewKeyring("test", m.store, envelope.SingleRoot(key), p.o)
	require.NoError(m.t, err)
	p.used = map[aead.KeyID]time.Time{}
	p.end = func() {
		require.NoError(m.t, p.ring.Close())
		require.NoError(m.t, key.Close())
	}
	m.procs[i] = &p
}

func (m *keyringModel) end() {
	for _, p := range m.procs {
		p.end()
	}
	require.NoError(m.t, m.store.Close())
}

func (s *modelScope) now() modelState { return s.past[len(s.past)-1] }

// tenant returns the tenant of a subject, and a tenant itself.
func (s *modelScope) tenant() *modelScope {
	if s.above != nil {
		return s.above
	}
	return s
}

func (s modelState) find(id aead.KeyID) (modelKey, bool) {
	i := slices.IndexFunc(s.keys, func(k modelKey) bool { return k.id == id })
	if i < 0 {
		return modelKey{}, false
	}
	return s.keys[i], true
}

// current returns the key that seals.
func (s modelState) current() (aead.KeyID, bool) {
	if n := len(s.keys); n > 0 && !s.keys[n-1].dead {
		return s.keys[n-1].id, true
	}
	return aead.KeyID{}, false
}

// seals tells whether there is a key that may seal.
func (s modelState) seals() bool {
	_, ok := s.current()
	return ok && s.cause == nil
}

// change has p change a scope.
func (m *keyringModel) change(p *modelProcess, s *modelScope, edit func(*modelState)) {
	next := s.now()
	next.keys = slices.Clone(next.keys)
	next.since, next.by, next.again = time.Now(), p, false
	edit(&next)
	s.past = append(s.past, next)
	if tenant := s.tenant(); tenant != s && tenant.known.IsZero() {
		tenant.known = time.Now()
	}
	m.reloaded()
}

// views returns the states in which a process may see a scope, the present one first: its own change at once, that of another after the time for which it
// may use what it knows.
func (m *keyringModel) views(p *modelProcess, s *modelScope) (all []modelState) {
	for i, next := len(s.past)-1, (modelState{}); i >= 0; i-- {
		life := modelTTL
		if s.past[i].cause != nil {
			life = modelPause
		}
		if next.since.IsZero() || time.Since(next.since) < life {
			view := s.past[i]
			view.until = next.since
			all = append(all, view)
		}
		if next = s.past[i]; next.by == p {
			break
		}
	}
	return all
}

// check returns which of the errors err is, nil for none, and requires that it is one of those allowed.
func (m *keyringModel) check(rt *rapid.T, err error, allowed []error) error {
	synctest.Wait()
	var is error
	for known, action := range modelActions {
		if !errors.Is(err, known) || known == envelope.ErrUnavailable && (errors.Is(err, kms.ErrUnavailable) || errors.Is(err, kms.ErrThrottled)) {
			continue
		}
		require.NoError(rt, is, "two kinds at once: %v", err)
		require.Equal(rt, action, envelope.ActionFor(err), err)
		is = known
	}
	rt.Logf("%v: %v", time.Now().Format("15:04:05.0"), err)
	require.True(rt, err == nil || is != nil, "no known kind: %v", err)
	require.True(rt, slices.Contains(allowed, is), "%v; allowed are %v", err, allowed)
	return is
}
