package envelope

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/holdfast-go/holdfast/aead"
)

// AppendOpenAny is AppendOpen for a record of the tenant's or of any of its subjects': for readers of a queue or a log, who can't know beforehand whose a record is. The key that it names decides,
// which only the tenant or that subject ever had. Where the reader knows whose it is, AppendOpen finds out that it is somebody else's. A subject that was erased here is refused at once, elsewhere
// after at most CacheTTL. Errors are those of Open.
func (t Tenant) AppendOpenAny(ctx context.Context, dst, record []byte, b Binding) ([]byte, error) {
	s := t.scope
	r, err := s.ready(b)
	if err == nil {
		err = checkRecord(record)
	}
	if err != nil {
		return edge(dst, err)
	}
	id := *(*aead.KeyID)(record[1:recordHeader])
	if k := r.front.opening(&id).Load(); k != nil && k.id == id && k.set.tenant == s.tenant {
		if !k.set.fresh() {
			return t.within(k.set.key()).AppendOpen(ctx, dst, record, b)
		}
		r.heard(k.set)
		out, err, ok := k.open(dst, record, b)
		if ok && err == nil {
			return out, nil
		}
		if ok {
			return edge(dst, s.explain(err, id))
		}
	}
	if k := r.hotByID(&s, &id); k != nil {
		return s.AppendOpen(ctx, dst, record, b)
	}
	owner, err := r.ownerFor(ctx, &s, id)
	if errors.Is(err, ErrUnavailable) { // it goes on with what is in memory, as Open does
		if ks := r.holder(s.tenant, id); ks != nil {
			return t.within(ks.key()).AppendOpen(ctx, dst, record, b)
		}
	}
	switch {
	case err != nil:
	case owner == "":
		err = ErrUnknownKey
	case owner == tenantPrefix(s.tenant):
		return s.AppendOpen(ctx, dst, record, b)
	case strings.HasPrefix(owner, subjectsPrefix(s.tenant)):
		return t.within(setKey{subject: byReference + refOf(owner), person: true}).AppendOpen(ctx, dst, record, b)
	default:
		err = ErrWrongScope
	}
	return edge(dst, s.explain(err, id))
}

// Tenant returns the tenant that the subject is of.
func (s Subject) Tenant() Tenant {
	if s.keyring == nil {
		return Tenant{}
	}
	return s.keyring.Tenant(s.tenant)
}

// byReference begins what stands for a subject's identifier where only its reference is known. No identifier begins so: it is not UTF-8.
const (
	byReference = "\xff"
	noID        = "\xfe" // instead of an identifier that begins so
)

// within returns the scope of the tenant's that is cached under a key, for opening: it has no hash.
func (t Tenant) within(key setKey) scope {
	s := t.scope
	if key.person {
		s.subject, s.person = hide(key.subject), true
	}
	return s
}

// ownerFor is owner, between checks of the scope and of Close.
func (r *ring) ownerFor(ctx context.Context, s *scope, id aead.KeyID) (string, error) {
	if err := s.check(); err != nil {
		return "", err
	}
	if err := r.begin(); err != nil {
		return "", err
	}
	defer r.work.Done()
	return r.owner(ctx, id)
}

// holder returns the keyset of a tenant or of its subjects that has a key in memory, or nil.
func (r *ring) holder(tenant string, id aead.KeyID) *keyset {
	r.mu.Lock()
	defer r.mu.Unlock()
	own := r.tenants[tenant]
	if own == nil {
		return nil
	}
	if own.opens(id) {
		return own
	}
	for _, ks := range own.subjects {
		if ks.opens(id) {
			return ks
		}
	}
	return nil
}

// opens tells whether a data key is in memory.
func (ks *keyset) opens(id aead.KeyID) bool {
	keys := ks.opening.Load()
	return keys != nil && slices.ContainsFunc(*keys, func(k *liveKey) bool { return k.id == id })
}

// knownPrefix returns the prefix of a subject's rows where it is cached by its reference, and "" otherwise.
func (key setKey) knownPrefix() string {
	if ref, ok := strings.CutPrefix(key.subject, byReference); ok {
		return subjectPrefix(key.tenant, ref)
	}
	return ""
}

// twin returns the keyset that is cached by the reference of a subject whose keyset this is, or nil.
func (ks *keyset) twin() *keyset {
	if ks.parent == nil {
		return nil
	}
	ref := ks.ref()
	ks.ring.mu.Lock()
	defer ks.ring.mu.Unlock()
	return ks.parent.subjects[byReference+ref]
}
