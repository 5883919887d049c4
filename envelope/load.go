package envelope

import (
	"context"
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/kms"
)

// read returns what the store has of the scope.
func (ks *keyset) read(ctx context.Context) (*stored, error) {
	prefix, err := ks.where(ctx)
	if err != nil {
		return nil, err
	}
	if prefix == "" {
		return &stored{head: head{State: active}, readAt: time.Now()}, nil // no subject of this tenant has a key
	}
	return ks.ring.read(ctx, prefix)
}

// where returns the prefix of the scope's rows: "" for a subject of a tenant that never had one.
func (ks *keyset) where(ctx context.Context) (string, error) {
	ks.mu.Lock()
	prefix := ks.prefix
	ks.mu.Unlock()
	if prefix != "" {
		return prefix, nil
	}
	lookup, err := ks.parent.lookup(ctx)
	if lookup == nil || err != nil {
		return "", err
	}
	ref, ok := lookup.reference(ks.subject)
	if !ok {
		return "", errGone
	}
	prefix = subjectPrefix(ks.tenant, ref)
	ks.mu.Lock()
	defer ks.mu.Unlock()
	ks.prefix = prefix
	return prefix, nil
}

// ref returns the reference of a subject, "" for a tenant.
func (ks *keyset) ref() string {
	if ks.parent == nil {
		return ""
	}
	ks.mu.Lock()
	defer ks.mu.Unlock()
	return refOf(ks.prefix)
}

// refOf returns the reference that a subject's prefix ends with.
func refOf(prefix string) string {
	prefix = strings.TrimSuffix(prefix, "/")
	return prefix[strings.LastIndexByte(prefix, '/')+1:]
}

// lookup returns the tenant's lookup key, or nil when it has none.
func (ks *keyset) lookup(ctx context.Context) (*liveKey, error) {
	return ks.newest(ctx, kindLookup)
}

// newest returns the living key of a kind with the highest version, or nil when there is none. It must not be a data key.
func (ks *keyset) newest(ctx context.Context, kind string) (*liveKey, error) {
	ks.mu.Lock()
	rows := ks.rows
	ks.mu.Unlock()
	for name, err := range rows.broken {
		if kindOf(name, rows.prefix) == kind {
			return nil, err
		}
	}
	if k := rows.newest(kind); k != nil {
		return ks.unlock(ctx, k)
	}
	return nil, nil
}

func kindOf(name, prefix string) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(name, prefix), "/")
	return kind
}

// recheck has the KMS unwrap the keys in memory again: it may refuse them now. Those that nobody has used for as long as an outage is bridged are dropped instead. A tenant with subjects in memory has its wrap key
// unwrapped in any case, since they are served for as long as the KMS allows that.
func (ks *keyset) recheck(ctx context.Context, rows *stored) error {
	ks.mu.Lock()
	keys, now := ks.keys, time.Now()
	for _, live := range keys {
		if live.used.Swap(false) {
			live.usedAt = now
		}
	}
	ks.mu.Unlock()
	ks.ring.mu.Lock()
	probe := len(ks.subjects) > 0
	ks.ring.mu.Unlock()
	var dropped []*liveKey
	for _, live := range keys {
		k := rows.at(live.name)
		switch {
		case k == nil || k.Destroyed != nil || !live.of(k):
			continue // settle drops it
		case live.kind == kindWrap && probe:
		case now.Sub(live.usedAt) > ks.ring.CacheTTL+ks.ring.StaleIfError:
			dropped = append(dropped, live)
			continue
		}
		again, err := ks.unwrap(ctx, k)
		switch {
		case damaged(err):
			dropped = append(dropped, live)
			continue
		case err != nil:
			return err
		}
		again.destroy()
		probe = probe && live.kind != kindWrap
	}
	if probe {
		k := rows.newest(kindWrap)
		if k != nil {
			if err := ks.install(ctx, k); err != nil && !damaged(err) {
				return err
			} else if err != nil {
				k = nil
			}
		}
		if k == nil {
			ks.dropSubjects()
		}
	}
	ks.mu.Lock()
	defer ks.mu.Unlock()
	ks.drop(func(live *liveKey) bool { return slices.Contains(dropped, live) })
	return nil
}

// unwrap returns the key of a row.
func (ks *keyset) unwrap(ctx context.Context, k *storedKey) (*liveKey, error) {
	var raw []byte
	var ref kms.Ref
	var err error
	if ks.parent != nil {
		raw, err = ks.unwrapSubject(ctx, k)
	} else {
		var w kms.Wrapped
		if w, err = k.wrapped(); err == nil {
			ref = w.Ref
			raw, err = ks.ring.unwrapTenant(ctx, ks.tenant, k, w)
		}
	}
	if err == nil && !matches(raw, k.Commitment) {
		err = fmt.Errorf("%w: the key in row %.400q is not the one that its commitment names", ErrOpen, k.name)
	}
	e := Event{Op: "unwrap", Tenant: ks.tenant, KeyID: aead.KeyID(k.ID), SubjectRef: ks.ref()}
	if audit := ks.ring.audit(ctx, e, err); err == nil {
		err = audit
	}
	if err != nil {
		clear(raw)
		return nil, err
	}
	return newLiveKey(k, ref, (*[derive.Size]byte)(raw)), nil
}

// matches tells whether raw is the key of a commitment.
func matches(raw []byte, commitment hexBytes) bool {
	if len(raw) != derive.Size {
		return false
	}
	got := derive.Commitment((*[derive.Size]byte)(raw))
	return subtle.ConstantTimeCompare(got[:], commitment[:]) == 1
}
