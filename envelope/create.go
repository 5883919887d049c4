package envelope

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/internal/derive"
)

// newVersion makes a key of a kind: the first, or with rotate one more, where from is given only after that version. It returns its row as it was written. When another process made
// it at the same time it returns nil.
func (ks *keyset) newVersion(ctx context.Context, kind string, rotate bool, from uint64) (*storedKey, error) {
	raw := make([]byte, derive.Size)
	defer clear(raw)
	rand.Read(raw) // never fails
	commitment := derive.Commitment((*[derive.Size]byte)(raw))
	for range retries {
		prefix, err := ks.home(ctx)
		if err != nil {
			return nil, err
		}
		peopled := false
		if kind == kindLookup {
			if peopled, err = ks.peopled(ctx); err != nil { // before the rows are read: another process may make the key and a subject now
				return nil, err
			}
		}
		rows, err := ks.ring.read(ctx, prefix)
		if err != nil {
			return nil, err
		}
		if err := ks.refusal(rows); err != nil {
			return nil, err
		}
		switch latest := rows.latest(kind); {
		case !rotate && rows.living(kind), from != 0 && latest != from:
			return nil, nil
		case kind == kindLookup && (peopled || latest > 0): // another one would find no subject, nor that one was erased
			return nil, fmt.Errorf("%w: the tenant has subjects, and no row with the lookup key that finds them: restore it", ErrFormat)
		case latest >= maxVersion:
			return nil, fmt.Errorf("%w: there is a version %d", ErrFormat, latest)
		}
		k := &storedKey{
			keyRow: keyRow{
				Format: rowFormat, Kind: kind, Version: rows.latest(kind) + 1, ID: hexID(commitment[:16]), Commitment: commitment,
				Created: time.Now().UTC().Truncate(time.Millisecond),
			},
		}
		k.name = versionName(prefix, kind, k.Version)
		changes, err := ks.wrapNew(ctx, k, raw)
		if err == errReplaced {
			if err := ks.parent.newer(ctx); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		changes = append(changes, rows.guard(),
			Change{Row: Row{Key: k.name, Value: encodeRow(k.keyRow)}},
			Change{Row: Row{Key: idName(aead.KeyID(k.ID)), Value: encodeRow(idRow{Format: rowFormat, Row: k.name})}})
		switch err := ks.ring.apply(ctx, changes...); {
		case err == nil:
			return k, nil
		case !errors.Is(err, ErrConflict):
			return nil, err
		}
		if ks.parent != nil { // the conflict may be about the tenant's rows
			if err := ks.parent.newer(ctx); err != nil {
				return nil, err
			}
		}
	}
	return nil, errConflict("new version of a key")
}

// peopled tells whether the tenant has rows of subjects.
func (ks *keyset) peopled(ctx context.Context) (bool, error) {
	page, err := ks.ring.store.List(ctx, subjectsPrefix(ks.tenant), "", 1)
	if err != nil {
		return false, storeFailure(ctx, err)
	}
	return len(page) > 0, nil
}

// home returns the prefix of the scope's rows, having made the tenant's lookup key where there is none.
func (ks *keyset) home(ctx context.Context) (string, error) {
	for {
		prefix, err := ks.where(ctx)
		if prefix != "" || err != nil {
			return prefix, err
		}
		if err := ks.parent.make(ctx, kindLookup); err != nil {
			return "", err
		}
	}
}

// make makes the first key of a kind and has it found, once for all who want it.
func (ks *keyset) make(ctx context.Context, kind string) error {
	return ks.once(ctx, "make "+kind, func(ctx context.Context) error { return ks.makeOnce(ctx, kind) })
}

func (ks *keyset) makeOnce(ctx context.Context, kind string) error {
	e := Event{Op: "create", Tenant: ks.tenant, SubjectRef: ks.ref(), Outcome: Started}
	if err := ks.ring.audit(ctx, e, nil); err != nil {
		return err
	}
	k, err := ks.newVersion(ctx, kind, false, 0)
	if k != nil {
		e.KeyID = aead.KeyID(k.ID)
	}
	e.Outcome, e.SubjectRef = "", ks.ref()
	if audit := ks.ring.audit(ctx, e, err); err == nil {
		err = audit
	}
	if err != nil {
		return err
	}
	return ks.newer(ctx)
}

// living tells whether there is a key of the kind that is not destroyed, readable or not.
func (s *stored) living(kind string) bool {
	for _, k := range s.keys {
		if k.Kind == kind && k.Destroyed == nil && !k.Closed {
			return true
		}
	}
	for name := range s.broken {
		if kindOf(name, s.prefix) == kind {
			return true
		}
	}
	return false
}

// guard is the change that fails when the state of the scope is not what it was, and makes its head where there is none.
func (s *stored) guard() Change {
	if s.row.Revision != 0 {
		return Change{Row: Row{Key: s.prefix, Revision: s.row.Revision}, Check: true}
	}
	return Change{Row: Row{Key: s.prefix, Value: encodeRow(head{Format: rowFormat, State: active, Since: time.Now().UTC().Truncate(time.Millisecond)})}}
}

// errReplaced says that the wrap key was replaced while the KMS was asked.
var errReplaced = errors.New("wrap key replaced meanwhile")

// wrapNew has a new key wrapped, and returns what must not change until it is written.
func (ks *keyset) wrapNew(ctx context.Context, k *storedKey, raw []byte) ([]Change, error) {
	if ks.parent == nil {
		w, err := ks.ring.wrapTenant(ctx, ks.tenant, k, raw)
		if err != nil {
			return nil, err
		}
		if k.Wrapped, err = w.AppendBinary(nil); err != nil {
			return nil, err
		}
		k.Refs = addRefs(nil, w)
		return nil, nil
	}
	wrap, err := ks.parent.newest(ctx, kindWrap)
	if err != nil {
		return nil, err
	}
	if wrap == nil {
		if err := ks.parent.make(ctx, kindWrap); err != nil {
			return nil, err
		}
		if wrap, err = ks.parent.newest(ctx, kindWrap); wrap == nil && err == nil {
			err = errReplaced
		}
		if err != nil {
			return nil, err
		}
	}
	ks.parent.mu.Lock()
	rows := ks.parent.rows
	ks.parent.mu.Unlock()
	under := rows.at(wrap.name)
	if under == nil || !wrap.of(under) || under.Closed || under.Destroyed != nil || rows.row.Revision == 0 {
		return nil, errReplaced
	}
	if k.Wrapped, err = ks.ring.wrapSubject(wrap, ks.tenant, k, raw); err != nil {
		return nil, err
	}
	return []Change{
		{Row: Row{Key: rows.prefix, Revision: rows.row.Revision}, Check: true},
		{Row: Row{Key: under.name, Revision: under.revision}, Check: true},
	}, nil
}
