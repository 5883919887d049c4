package kms

import (
	"context"
	"fmt"
	"slices"
)

// Rolling returns a Key that wraps under current, and unwraps under whichever of its keys has exactly the
// Ref of what it is given, or of most of its recipients: never by trial. It is how to move from one KMS key or provider to another.
// [Key.Stale] finds what is not yet under current; a new version of the same key needs no Rolling.
//
// Ref, Describe, Rotate and Check are current's; Destroy is ErrUnsupported, so
// that nobody destroys the wrong one. Each key keeps its own Options. Closing the Rolling key does not
// close the others: close them after it. Rolling fails with [ErrInvalid] when a
// key is nil or given twice.
func Rolling(current *Key, previous ...*Key) (*Key, error) {
	r := &rolling{}
	for i, k := range append([]*Key{current}, previous...) {
		if k == nil || k.driver == nil {
			return nil, &Error{Op: "rolling", Err: fmt.Errorf("%w: key %d is nil or zero", ErrInvalid, i)}
		}
		if slices.Contains(r.keys, k) {
			return nil, &Error{Op: "rolling", Err: fmt.Errorf("%w: key %d, %s, is given twice", ErrInvalid, i, k)}
		}
		for _, ref := range k.refs() {
			if slices.Contains(r.refs(), ref) {
				return nil, &Error{Op: "rolling", Err: fmt.Errorf("%w: key %d, %s, is given twice", ErrInvalid, i, ref)}
			}
		}
		r.keys = append(r.keys, k)
	}
	return newKey(r, nil), nil
}

// rolling is the Driver of a Rolling key: the current key, then the previous ones.
type rolling struct{ keys []*Key }

func (r *rolling) Ref() Ref { return r.keys[0].ref }

func (r *rolling) Wrap(ctx context.Context, plaintext []byte, ec Context) (Wrapped, error) {
	return r.keys[0].Wrap(ctx, plaintext, ec)
}

func (r *rolling) Unwrap(ctx context.Context, w Wrapped, ec Context) ([]byte, error) {
	return r.best(w).Unwrap(ctx, w, ec)
}

func (r *rolling) Describe(ctx context.Context) (Info, error) { return r.keys[0].Describe(ctx) }

func (r *rolling) Rotate(ctx context.Context) error { return r.keys[0].Rotate(ctx) }

func (r *rolling) Close() error { return nil } // the members are their owners' to close

func (r *rolling) refs() (all []Ref) {
	for _, k := range r.keys {
		all = append(all, k.refs()...)
	}
	return all
}

func (r *rolling) stale(w Wrapped) bool { return r.keys[0].Stale(w) }

func (r *rolling) fit(w Wrapped) int { return r.best(w).fit(w) }

// WrapOnly implements [WrapOnly].
func (r *rolling) WrapOnly() bool {
	return !slices.ContainsFunc(r.keys, func(k *Key) bool { return !k.wrapOnly })
}

func (r *rolling) check(ctx context.Context) error { return r.keys[0].Check(ctx) }

// status is current's, and degraded when a previous key is not usable.
func (r *rolling) status() Status {
	s := r.keys[0].Status()
	if s.Health > HealthUsable {
		return s
	}
	for _, k := range r.keys[1:] {
		if p := k.Status(); p.Health > HealthUsable {
			return Status{Health: HealthDegraded, Since: p.Since, LastSuccess: s.LastSuccess, Err: p.Err}
		}
	}
	return s
}

// best returns the key that fits w best, the first of several.
func (r *rolling) best(w Wrapped) *Key {
	return slices.MaxFunc(r.keys, func(a, b *Key) int { return a.fit(w) - b.fit(w) })
}
