package envelope

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/internal/verify"
	"github.com/holdfast-go/holdfast/kms"
)

// kmsKey returns the KMS key of a tenant.
func (r *ring) kmsKey(ctx context.Context, tenant string) (*kms.Key, error) {
	key, err := r.root(ctx, tenant)
	switch {
	case err != nil && ctx.Err() != nil && kms.Class(err) == kms.ClassCanceled:
		return nil, ctx.Err()
	case err != nil && kms.Class(err) == kms.ClassOther, kms.Class(err) == kms.ClassCanceled:
		return nil, fmt.Errorf("root of the tenant: %w: %w: %w", ErrUnavailable, kms.ErrUnavailable, foreign(err))
	case err != nil:
		return nil, fmt.Errorf("root of the tenant: %w", kmsFailure(err))
	case key == nil:
		return nil, invalid("the Root returned no key and no error")
	}
	return key, nil
}

// unwrapTenant has the KMS unwrap a tenant's key, which the caller clears.
func (r *ring) unwrapTenant(ctx context.Context, tenant string, k *storedKey, w kms.Wrapped) ([]byte, error) {
	key, err := r.kmsKey(ctx, tenant)
	if err != nil {
		return nil, err
	}
	known := func(raw []byte) bool { return matches(raw, k.Commitment) }
	raw, err := key.Unwrap(verify.With(reserved.Allow(ctx), known), w, r.tenantContext(tenant, k))
	if err != nil {
		return nil, fmt.Errorf("unwrap row %.400q: %w", k.name, kmsFailure(err))
	}
	return raw, nil
}

// wrapTenant has the KMS wrap a tenant's key.
func (r *ring) wrapTenant(ctx context.Context, tenant string, k *storedKey, raw []byte) (kms.Wrapped, error) {
	key, err := r.kmsKey(ctx, tenant)
	if err != nil {
		return kms.Wrapped{}, err
	}
	w, err := key.Wrap(reserved.Allow(ctx), raw, r.tenantContext(tenant, k))
	if err != nil {
		return kms.Wrapped{}, fmt.Errorf("wrap row %.400q: %w", k.name, kmsFailure(err))
	}
	return w, nil
}

// tenantContext is what a tenant's key is bound to at the KMS: FORMAT.md section 6.
func (r *ring) tenantContext(tenant string, k *storedKey) kms.Context {
	return kms.Context{
		reserved.Prefix + "commitment": hex.EncodeToString(k.Commitment[:]),
		reserved.Prefix + "deployment": r.deployment,
		reserved.Prefix + "kind":       k.Kind,
		reserved.Prefix + "purpose":    "tenant-key",
		reserved.Prefix + "tenant":     tenant,
		reserved.Prefix + "version":    strconv.FormatUint(k.Version, 10),
	}
}

// kmsFailure has an error of the KMS match what this package says of it too.
func kmsFailure(err error) error {
	switch {
	case kmsOutage(err):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case errors.Is(err, kms.ErrCiphertext):
		return fmt.Errorf("%w: %w", ErrOpen, err)
	case errors.Is(err, kms.ErrClosed):
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return err
}

// kmsOutage tells whether err says that a KMS could not be reached.
func kmsOutage(err error) bool {
	return errors.Is(err, kms.ErrUnavailable) || errors.Is(err, kms.ErrThrottled)
}

// revoked tells whether err is the KMS's refusal to use a key.
func revoked(err error) bool {
	for _, class := range []error{kms.ErrDisabled, kms.ErrPendingDeletion, kms.ErrDestroyed, kms.ErrAccessDenied, kms.ErrNotFound} {
		if errors.Is(err, class) {
			return true
		}
	}
	return false
}

// damaged tells whether err says that a row does not hold the key that it should.
func damaged(err error) bool { return errors.Is(err, ErrOpen) || errors.Is(err, ErrFormat) }

// foreign is an error of somebody else's code, or its text where it matches what we say of records and keys.
func foreign(err error) error {
	switch Class(err) {
	case "other", "canceled", "kms_unavailable", "store_unavailable", "throttled":
		return err
	}
	return errors.New(err.Error())
}
