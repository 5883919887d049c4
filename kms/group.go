package kms

import (
	"context"
	"slices"
)

// group is a Driver of this package that stands for several Keys.
type group interface {
	refs() []Ref
	fit(Wrapped) int // as Key.fit, and the sum for a list
	stale(Wrapped) bool
	status() Status
	check(context.Context) error
}

// owns tells whether w was wrapped under a key that the driver was constructed with.
func (k *Key) owns(w Wrapped) bool { return k.fit(w) > 0 }

// fit tells how well the driver fits w: 2 when it was constructed with its Ref, 1 when it owns it besides. Of a list the best counts, and
// for a group the sum.
func (k *Key) fit(w Wrapped) int {
	switch {
	case k.group != nil:
		return k.group.fit(w)
	case w.Provider == anyProvider:
		own, err := k.recipient(w)
		if err != nil {
			return 1 // it is ours to refuse
		}
		return k.fit(own)
	case w.Ref == k.ref:
		return 2
	case k.owner != nil && k.owner.Owns(w.Ref):
		return 1
	}
	return 0
}

// recipient returns the one of w's recipients that the driver fits best.
func (k *Key) recipient(w Wrapped) (Wrapped, error) {
	list, err := w.recipients()
	if err != nil {
		return Wrapped{}, err
	}
	return slices.MaxFunc(list, func(a, b Wrapped) int { return k.fit(a) - k.fit(b) }), nil
}

// refs returns the keys that the driver was constructed with.
func (k *Key) refs() []Ref {
	if k.group != nil {
		return k.group.refs()
	}
	return []Ref{k.ref}
}
