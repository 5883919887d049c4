package envelope

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

// Erasure says why keys are destroyed, and under which reference.
type Erasure struct {
	// Ref names the request, such as a case number: 1 to 255 bytes of valid UTF-8, and no personal data, since rows, errors, events and the receipt hold it.
	Ref string
	// Basis is the rule that the request rests on, such as "Art. 17(1)(b)", for the receipt: up to 255 bytes of valid UTF-8, and no personal data.
	Basis string
	// Retired are KMS keys that wrapped keys of the tenant before, and are destroyed by now or scheduled to be: they are asked for the receipt's BackupsUnreadableAfter. The key that the Root returns is asked
	// too. A key with replicas in other regions is gone only when they all are, so give it only then. nil where there are none.
	Retired []*kms.Key
}

// check refuses what rows and receipts should not hold.
func (e Erasure) check() error {
	if err := checkText("Erasure.Ref", e.Ref); err != nil {
		return err
	}
	if n := len(e.Basis); n > maxID {
		return invalid("Erasure.Basis must be at most %d bytes, not %d", maxID, n)
	}
	if !utf8.ValidString(e.Ref) || !utf8.ValidString(e.Basis) {
		return invalid("Erasure.Ref and Basis must be valid UTF-8")
	}
	for i, k := range e.Retired {
		if k == nil {
			return invalid("Erasure.Retired[%d] is nil", i)
		}
	}
	return nil
}

// Erase destroys every version of the subject's key, so that nothing that was sealed for the subject opens again, and returns what proves it. First the subject is fenced: from then on nothing is sealed or opened for it, here at once and
// in other processes from the receipt's CachesClearBy at the latest, and every call is ErrErased. Calls and streams that began before go on to their end. Then the keys are written over in the
// store, and then the receipt is made. A subject that never had a key gets none after this either, until Readmit.
//
// It may be repeated at any time. After a failure midway, which the error tells, a repeat does the rest. After success it returns the same facts again, also under another Ref, and looks anew whether
// backups still open the data. So the order of a complete erasure is: Erase, later [Keyring.Compact] for all that were erased until then, later the destruction of the KMS key when the tenant has moved to another, and then Erase for
// the final receipt.
//
// A disabled subject is erased too, also of a disabled tenant. Erase fails with ErrHeld, and changes nothing, while there is a hold on the subject or its tenant, with kms.ErrInvalid on an Erasure out of bounds,
// with ErrErased when the whole tenant is destroyed, and with ErrConflict, ErrUnavailable and the errors of package kms: it needs the tenant's lookup key to find the subject's rows.
func (s Subject) Erase(ctx context.Context, e Erasure) (*Receipt, error) {
	return s.erase(ctx, "erase", e)
}

// erase runs a removal of the scope.
func (s scope) erase(ctx context.Context, op string, e Erasure) (receipt *Receipt, err error) {
	asked := now()
	if err := e.check(); err != nil {
		return edge[*Receipt](nil, s.explain(err, aead.KeyID{}))
	}
	err = s.manage(ctx, func(ks *keyset) error {
		prefix, err := ks.site(ctx)
		if err != nil {
			return err
		}
		event := Event{Op: op, Tenant: s.tenant, Ref: e.Ref}
		if s.person {
			event.SubjectRef = refOf(prefix)
		}
		d := &removal{Erasure: e, ring: ks.ring, ks: ks, scope: s.key(), prefix: prefix, asked: asked}
		return ks.ring.audited(ctx, event, func() (err error) {
			receipt, err = d.run(ctx)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return receipt, nil
}

// site is place that works for a subject of a disabled tenant, too.
func (ks *keyset) site(ctx context.Context) (string, error) {
	if ks.parent == nil {
		return ks.prefix, nil
	}
	if err := ks.parent.serve(ctx, false); err != nil && !errors.Is(err, ErrDisabled) {
		return "", err
	}
	return ks.home(ctx)
}

// erasure is what the head of a scope keeps of its erasure, beside state and reference.
type erasure struct {
	Requested time.Time `json:"requested"`
	Basis     string    `json:"basis,omitempty"`
	// The rest is known when all is destroyed.
	Fenced   time.Time `json:"fenced,omitzero"`
	ClearBy  time.Time `json:"caches_clear_by,omitzero"`
	Wraps    uint64    `json:"wraps,omitempty"`    // no wrap key of a higher version ever wrapped a key of the scope
	Subjects int       `json:"subjects,omitempty"` // of a tenant
	Keys     int       `json:"keys,omitempty"`     // versions of their keys
}
