package envelope

import (
	"context"
	"errors"
	"slices"
)

const maxHolds = 64

// Hold forbids the erasure of the scope, such as while a legal dispute lasts, until Release with the same ref: 1 to 255 bytes that name the case and no person. A hold on a tenant also forbids the
// erasure of its subjects, and one on a subject the destruction of its tenant. To hold again under the same ref changes nothing; a scope takes at most 64 holds. It does not need a key, and makes the tenant's lookup key where there is none.
func (s scope) Hold(ctx context.Context, ref string) error {
	return s.holds(ctx, "hold", ref, func(h *head) (int, error) {
		switch {
		case slices.Contains(h.Holds, ref):
			return 0, errSame
		case len(h.Holds) == maxHolds:
			return 0, invalid("it has %d holds already", maxHolds)
		}
		h.Holds = append(slices.Clone(h.Holds), ref)
		return 1, nil
	})
}

// Release takes back the hold with this ref. It fails with kms.ErrInvalid where there is none.
func (s scope) Release(ctx context.Context, ref string) error {
	return s.holds(ctx, "release", ref, func(h *head) (int, error) {
		i := slices.Index(h.Holds, ref)
		if i < 0 {
			return 0, invalid("there is no hold with the reference %.64q", ref)
		}
		h.Holds = slices.Delete(slices.Clone(h.Holds), i, i+1)
		return -1, nil
	})
}

// holds edits the holds of the scope, and has the tenant of a subject count them, in one step: so that a destruction of the tenant sees them.
func (s scope) holds(ctx context.Context, op, ref string, edit func(h *head) (change int, err error)) error {
	return s.manage(ctx, func(ks *keyset) error {
		if err := checkText("reference of a hold", ref); err != nil {
			return err
		}
		prefix, err := ks.place(ctx)
		if err != nil {
			return err
		}
		e := Event{Op: op, Tenant: s.tenant, Ref: ref}
		if s.person {
			e.SubjectRef = refOf(prefix)
		}
		return ks.ring.audited(ctx, e, func() error {
			change := 0
			also := func(tenant *head) { tenant.Held = max(0, tenant.Held+change) }
			if !s.person {
				also = nil
			}
			return ks.swapWith(ctx, prefix, func(h *head) (err error) {
				change, err = edit(h)
				return err
			}, also)
		})
	})
}

// swap edits the head under prefix by compare-and-swap, and refuses where the scope is being erased.
func (ks *keyset) swap(ctx context.Context, prefix string, edit func(h *head) error) error {
	return ks.swapWith(ctx, prefix, edit, nil)
}

// swapWith is swap that edits the head of the subject's tenant in the same step.
func (ks *keyset) swapWith(ctx context.Context, prefix string, edit func(h *head) error, tenant func(h *head)) error {
	for range retries {
		rows, err := ks.ring.read(ctx, prefix)
		if err == nil && (rows.head.State == erasing || rows.head.State == erased) {
			err = ks.refusal(rows)
		}
		if err != nil {
			return err
		}
		h := rows.head
		if err := edit(&h); errors.Is(err, errSame) {
			return nil
		} else if err != nil {
			return err
		}
		changes := []Change{rows.put(h)}
		if tenant != nil {
			above, err := ks.ring.read(ctx, tenantPrefix(ks.tenant))
			if err == nil {
				err = ks.parent.refusal(above)
			}
			if err != nil {
				return err
			}
			h := above.head
			tenant(&h)
			changes = append(changes, above.put(h))
		}
		err = ks.ring.apply(ctx, changes...)
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return errConflict("change of state")
}

// put is the change that writes the head anew.
func (s *stored) put(h head) Change {
	h.Format = rowFormat
	if h.State != s.head.State || h.Since.IsZero() {
		h.Since = now()
	}
	return Change{Row: Row{Key: s.prefix, Value: encodeRow(h), Revision: s.row.Revision}}
}
