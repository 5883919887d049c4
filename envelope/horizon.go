package envelope

import (
	"context"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

// receipt says what the rows of an erased scope say.
func (d *removal) receipt(ctx context.Context, rows *stored) (*Receipt, error) {
	h := rows.head
	receipt := &Receipt{
		Deployment: d.ring.deployment, Tenant: d.scope.tenant, Ref: h.Ref, Basis: h.Erasure.Basis, Subjects: h.Erasure.Subjects, SubjectKeys: h.Erasure.Keys,
		Requested: h.Erasure.Requested, Fenced: h.Erasure.Fenced, Destroyed: h.Since, CachesClearBy: h.Erasure.ClearBy, Note: noteOpen,
	}
	for _, k := range rows.keys {
		if id := aead.KeyID(k.ID); id != (aead.KeyID{}) {
			receipt.Keys = append(receipt.Keys, id)
		}
	}
	above, gone := rows.keys, len(rows.broken) == 0 // of the keys that KMS keys wrapped; whether all are known and destroyed
	if d.scope.person {
		receipt.SubjectRef = refOf(d.prefix)
		tenant, err := d.ring.read(ctx, tenantPrefix(d.scope.tenant))
		if err != nil {
			return nil, err
		}
		above = slices.DeleteFunc(tenant.keys, func(k storedKey) bool { return k.Kind != kindWrap || k.Version > h.Erasure.Wraps })
		gone = gone && uint64(len(above)) == h.Erasure.Wraps
	}
	for _, k := range above {
		receipt.KMSKeys = append(receipt.KMSKeys, k.Refs...)
		gone = gone && k.Destroyed != nil && len(k.Refs) > 0
	}
	slices.Sort(receipt.KMSKeys)
	receipt.KMSKeys = slices.Compact(receipt.KMSKeys)
	switch {
	case len(rows.keys) == 0 && len(rows.broken) == 0 && h.Erasure.Keys == 0:
		receipt.Note = noteNever
	case gone:
		if at := d.horizon(ctx, receipt.KMSKeys); !at.IsZero() {
			receipt.BackupsUnreadableAfter, receipt.Note = at, noteClosed
		}
	}
	if d.ring.Signer == nil {
		return receipt, nil
	}
	return receipt, receipt.sign(d.ring.Signer)
}

// horizon returns when the last of the KMS keys is destroyed; zero where that is not certain of each.
func (d *removal) horizon(ctx context.Context, refs []string) (last time.Time) {
	keys := slices.Clone(d.Retired)
	if root, err := d.ring.kmsKey(ctx, d.scope.tenant); err == nil {
		keys = append(keys, root)
	}
	for _, ref := range refs {
		i := slices.IndexFunc(keys, func(k *kms.Key) bool { return k.Ref().String() == ref })
		if i < 0 {
			return time.Time{}
		}
		info, err := keys[i].Describe(ctx) // of a group of keys it fails
		at := info.DestroyAt
		if info.State == kms.Destroyed && at.IsZero() {
			at = time.Now()
		}
		if err != nil || info.State != kms.Destroyed && info.State != kms.PendingDeletion || at.IsZero() {
			return time.Time{}
		}
		at = at.UTC().Add(time.Millisecond - 1).Truncate(time.Millisecond)
		if at.After(last) {
			last = at
		}
	}
	return last
}

// addRefs returns the names of KMS keys with those that can each unwrap w.
func addRefs(refs []string, w kms.Wrapped) []string {
	list, err := w.Recipients()
	if err != nil {
		list = []kms.Wrapped{w} // no key has that name
	}
	refs = slices.Clone(refs)
	for _, one := range list {
		if name := one.Ref.String(); !slices.Contains(refs, name) {
			refs = append(refs, name)
		}
	}
	return refs
}
