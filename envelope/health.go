package envelope

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

// Health is what a process knows of a tenant's keys without asking KMS or store.
type Health struct {
	// Status is that of the KMS key which the Root returns now.
	Status kms.Status
	// State is "active", "disabled" or "erased" as the tenant was read last, and "" where this process has nothing of it.
	State string
	// ReadsUntil and WritesUntil are until when the tenant's keys in memory open and seal if the KMS is away from now on and the store is not, and where the store failed last, until when
	// they do if it stays away. Zero where none is in memory or they are refused. What is not in memory needs both at once.
	ReadsUntil, WritesUntil time.Time
	// Err is why the Root gave no key, or else how the tenant's last load failed. nil when neither did.
	Err error
}

// Health returns what this process knows of a tenant and of the KMS key above it, for a page that shows where a customer's key fails. It calls the Root with ctx and nothing
// else, so it is as old as the last use of the tenant here: at most CacheTTL for one in use.
//
// A customer's revocation at the KMS holds in every process after at most its CacheTTL while the KMS answers. A process that can't reach the KMS opens for up to CacheTTL and
// StaleIfError together, and seals for up to CacheTTL and WriteStaleIfError. One that learns of the revocation in any other way, such as at a key that is not in memory, ends all that the revoked key wrapped at once.
func (r *Keyring) Health(ctx context.Context, tenant string) Health {
	if r == nil || r.get == nil {
		return Health{Err: edgeErr(invalid("zero Keyring: use NewKeyring"))}
	}
	h := r.get().health(ctx, tenant)
	if h.Err != nil {
		s := scope{tenant: tenant}
		h.Err = edgeErr(s.explain(h.Err, aead.KeyID{}))
	}
	return h
}

func (r *ring) health(ctx context.Context, tenant string) (h Health) {
	if err := checkID("tenant", tenant); err != nil {
		return Health{Err: err}
	}
	if err := r.begin(); err != nil {
		return Health{Err: err}
	}
	defer r.work.Done()
	r.mu.Lock()
	ks := r.tenants[tenant]
	r.mu.Unlock()
	if ks != nil {
		h = ks.health()
	}
	key, err := r.kmsKey(ctx, tenant)
	if err != nil {
		h.Err = err
		return h
	}
	h.Status = key.Status()
	return h
}

// health is the part of a tenant's Health that its keyset knows.
func (ks *keyset) health() Health {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	h := Health{Err: ks.failed}
	if ks.rows == nil {
		return h
	}
	switch h.State = string(ks.rows.head.State); ks.rows.head.State {
	case erasing:
		h.State = string(erased)
	case active:
		switch end := ks.kmsAt.Add(ks.ring.CacheTTL); {
		case len(ks.keys) == 0:
		case ks.failed != nil && !kmsOutage(ks.failed): // of the store: a refusal leaves no keys
			h.ReadsUntil, h.WritesUntil = ks.expiry(), ks.expiry()
		default:
			h.ReadsUntil, h.WritesUntil = end.Add(ks.ring.StaleIfError), end.Add(ks.ring.WriteStaleIfError)
		}
	}
	return h
}
