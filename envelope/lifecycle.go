package envelope

import (
	"context"
	"errors"
	"iter"
	"time"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/aead"
)

// KeyInfo is a version of the key of a tenant or subject.
type KeyInfo struct {
	ID        aead.KeyID
	Version   uint64 // from 1; the highest that is not destroyed seals
	Created   time.Time
	Destroyed time.Time // zero while the key is there
	// WrappedBy is the KMS key that wraps a tenant's key, as kms.Ref.String says, and the id of the wrap key of a subject's. "" for one that is destroyed.
	WrappedBy string
}

// Create makes the scope's key where there is none, and returns the id of the current one.
func (s scope) Create(ctx context.Context) (aead.KeyID, error) {
	var id aead.KeyID
	err := s.manage(ctx, func(ks *keyset) error {
		if err := ks.serve(ctx, true); err != nil {
			return err
		}
		live, _, err := ks.sealer(ctx)
		if live == nil && err == nil {
			if err = ks.make(ctx, kindData); err == nil {
				live, _, err = ks.sealer(ctx)
			}
		}
		if err == nil && live == nil {
			err = ErrConflict
		}
		if err == nil {
			id = live.id
		}
		return err
	})
	return id, err
}

// Rotate makes a new version of the scope's key, which seals from now on: here at once, in other processes after at most their CacheTTL. What older versions have sealed still opens; Reseal moves it. It returns
// the id of the new version, and makes the first where there is none.
func (s scope) Rotate(ctx context.Context) (aead.KeyID, error) {
	var id aead.KeyID
	err := s.manage(ctx, func(ks *keyset) (err error) {
		if err = ks.serve(ctx, true); err == nil {
			id, err = ks.rotate(ctx, 0)
		}
		return err
	})
	return id, err
}

// rotate makes a new version, where from is given only after that one, and has it seal here, once it has been read back, unwrapped and checked.
func (ks *keyset) rotate(ctx context.Context, from uint64) (aead.KeyID, error) {
	e := Event{Op: "rotate", Tenant: ks.tenant, SubjectRef: ks.ref(), Outcome: Started}
	if err := ks.ring.audit(ctx, e, nil); err != nil {
		return aead.KeyID{}, err
	}
	k, err := ks.newVersion(ctx, kindData, true, from)
	if err == nil {
		if k != nil {
			e.KeyID = aead.KeyID(k.ID)
		}
		err = ks.newer(ctx)
	}
	if err == nil {
		_, _, err = ks.sealer(ctx)
	}
	e.Outcome = ""
	if audit := ks.ring.audit(ctx, e, err); err == nil {
		err = audit
	}
	return e.KeyID, err
}

// Versions lists the versions of the scope's key, the oldest first, as the store has them. Errors end it.
func (s scope) Versions(ctx context.Context) iter.Seq2[KeyInfo, error] {
	return func(yield func(KeyInfo, error) bool) {
		var rows *stored
		err := s.manage(ctx, func(ks *keyset) (err error) {
			rows, err = ks.state(ctx)
			return err
		})
		if err != nil {
			yield(KeyInfo{}, err)
			return
		}
		for _, k := range rows.keys {
			if k.Kind != kindData {
				continue
			}
			info := KeyInfo{ID: aead.KeyID(k.ID), Version: k.Version, Created: k.Created}
			switch {
			case k.Destroyed != nil:
				info.Destroyed = *k.Destroyed
			case s.person && len(k.Wrapped) == subjectBlob:
				info.WrappedBy = aead.KeyID(k.Wrapped[1:recordHeader]).String()
			default:
				if w, err := k.wrapped(); err == nil {
					info.WrappedBy = w.Ref.String()
				}
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

// Disable has Seal and Open fail with ErrDisabled, for a tenant also those of its subjects, until Enable: here at once, in other processes after at most their CacheTTL. reason is stored and told in errors and events: no personal
// data. Whoever writes to the store can undo it; what must hold against them is done at the KMS. To disable again changes the reason.
func (s scope) Disable(ctx context.Context, reason string) error {
	if err := checkText("reason", reason); err != nil {
		return edgeErr(s.explain(err, aead.KeyID{}))
	}
	return s.change(ctx, "disable", reason, func(h *head) error {
		h.State, h.Ref = disabled, reason
		return nil
	})
}

// Enable undoes Disable: here at once, in other processes after some seconds. It does nothing where nothing is disabled.
func (s scope) Enable(ctx context.Context) error {
	return s.change(ctx, "enable", "", func(h *head) error {
		if h.State == active {
			return errSame
		}
		h.State, h.Ref = active, ""
		return nil
	})
}

var errSame = errors.New("nothing to change")

// change writes the head of the scope anew, whose state edit may set. It refuses what is erased.
func (s scope) change(ctx context.Context, op, ref string, edit func(h *head) error) error {
	return s.manage(ctx, func(ks *keyset) error {
		e := Event{Op: op, Tenant: s.tenant, Ref: ref, Outcome: Started}
		prefix, err := ks.place(ctx)
		if s.person && err == nil {
			e.SubjectRef = refOf(prefix)
		}
		if err != nil {
			return err
		}
		return ks.ring.audited(ctx, e, func() error {
			if err := ks.swap(ctx, prefix, edit); err != nil {
				return err
			}
			ks.renew(ctx)
			return nil
		})
	})
}

// audited runs do between two events.
func (r *ring) audited(ctx context.Context, e Event, do func() error) error {
	e.Outcome = Started
	if err := r.audit(ctx, e, nil); err != nil {
		return err
	}
	err := do()
	e.Outcome = ""
	if audit := r.audit(ctx, e, err); err == nil {
		err = audit
	}
	return err
}

// now is the time as rows have it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// place returns the prefix of the scope's rows for an operation on its state, which must also work while the scope is disabled.
func (ks *keyset) place(ctx context.Context) (string, error) {
	if ks.parent == nil {
		return ks.prefix, nil
	}
	if err := ks.parent.serve(ctx, false); err != nil {
		return "", err
	}
	return ks.home(ctx)
}

// state returns what the store has of the scope now.
func (ks *keyset) state(ctx context.Context) (*stored, error) {
	if ks.parent == nil {
		return ks.read(ctx)
	}
	if err := ks.parent.serve(ctx, false); err != nil {
		return nil, err
	}
	if prefix, err := ks.where(ctx); prefix == "" && err == nil { // another process may have made the tenant's first subject since
		if err := ks.parent.newer(ctx); err != nil {
			return nil, err
		}
	}
	return ks.read(ctx)
}

// renew has the keyset take in what this process has just written. Where that fails it is used no more until it does not.
func (ks *keyset) renew(ctx context.Context) {
	if err := ks.newer(ctx); err != nil {
		ks.expire()
	}
	if twin := ks.twin(); twin != nil {
		twin.expire()
	}
}

// manage runs an operation on the scope's keyset.
func (s *scope) manage(ctx context.Context, do func(ks *keyset) error) error {
	r, err := s.ring()
	if err != nil {
		return edgeErr(err)
	}
	if err := r.hold(s, do); err != nil {
		return edgeErr(s.explain(err, aead.KeyID{}))
	}
	return nil
}

// checkText refuses references and reasons that a row should not hold.
func checkText(what, text string) error {
	if n := len(text); n == 0 || n > maxID || !utf8.ValidString(text) {
		return invalid("the %s must be 1 to %d bytes of valid UTF-8; it has %d", what, maxID, n)
	}
	return nil
}

func edgeErr(err error) error {
	_, err = edge(struct{}{}, err)
	return err
}
