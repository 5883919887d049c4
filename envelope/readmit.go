package envelope

import (
	"context"
	"errors"
	"unicode/utf8"
)

// Readmit lets an erased subject have keys again, such as a person who comes back: the next Seal makes a fresh one. What was erased stays ErrErased. ref names the reason: 1 to 255 bytes of valid UTF-8 and no personal data. Other processes see it after some seconds.
// It fails with kms.ErrInvalid where nothing is erased, and with ErrErased while an erasure is not finished, which [Subject.Erase] does, or when the whole tenant is destroyed.
func (s Subject) Readmit(ctx context.Context, ref string) error {
	return s.manage(ctx, func(ks *keyset) error {
		if err := checkText("reference of a readmission", ref); err != nil {
			return err
		}
		if !utf8.ValidString(ref) {
			return invalid("the reference of a readmission must be valid UTF-8")
		}
		prefix, err := ks.place(ctx)
		if err != nil {
			return err
		}
		e := Event{Op: "readmit", Tenant: s.tenant, SubjectRef: refOf(prefix), Ref: ref}
		return ks.ring.audited(ctx, e, func() error { return ks.readmit(ctx, prefix, s.key(), ref) })
	})
}

func (ks *keyset) readmit(ctx context.Context, prefix string, key setKey, ref string) error {
	r := ks.ring
	for range retries {
		rows, err := r.read(ctx, prefix)
		if err != nil {
			return err
		}
		switch rows.head.State {
		case erased:
		case erasing:
			return ks.refusal(rows)
		default:
			if rows.head.State == active && rows.head.Ref == ref {
				return nil // a call before did it, though it may have failed after that
			}
			return invalid("the subject is not erased")
		}
		// Rows that came back from a copy of the store are of the erased keys.
		d := removal{ring: r, scope: key, prefix: prefix}
		if _, err := d.bury(ctx, prefix); err != nil {
			return err
		}
		above, err := r.read(ctx, tenantPrefix(ks.tenant))
		if err == nil {
			err = ks.parent.refusal(above)
		}
		if err != nil {
			return err
		}
		h := rows.head
		h.State, h.Ref, h.Erasure = active, ref, nil
		if err := r.apply(ctx, rows.put(h), above.guard()); !errors.Is(err, ErrConflict) {
			if err == nil {
				r.evict(key, prefix)
			}
			return err
		}
	}
	return errConflict("readmission")
}
