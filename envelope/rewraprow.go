package envelope

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

// row does one row and notes how it ended.
func (w *rewrapping) row(ctx context.Context, number int, row Row) {
	tenant, prefix, err := tenantOf(row.Key, tenantRows)
	o, id := failed, aead.KeyID{}
	if err == nil {
		o, id, err = w.try(ctx, tenant, prefix, row)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		o = interrupted
	case err != nil:
		o, err = failed, &Error{Tenant: tenant, KeyID: id, Err: err}
	}
	w.note(number, row.Key, o, tenant, err)
}

// try has the key in a row wrapped as it should be.
func (w *rewrapping) try(ctx context.Context, tenant, prefix string, row Row) (o outcome, id aead.KeyID, err error) {
	for range retries {
		k, err := parseKeyRow(row, prefix)
		if err != nil {
			return failed, id, err
		}
		id = aead.KeyID(k.ID)
		if k.Destroyed != nil {
			return destroyed, id, nil
		}
		stale, err := w.stale(ctx, tenant, &k)
		switch {
		case err != nil:
			return failed, id, err
		case !stale:
			return fine, id, nil
		case w.DryRun:
			return rewrapped, id, nil
		}
		if err := w.pace(ctx); err != nil {
			return failed, id, err
		}
		e := Event{Op: "rewrap", Tenant: tenant, KeyID: id}
		err = w.audited(ctx, e, func() error { return w.replace(ctx, tenant, &k) })
		if !errors.Is(err, ErrConflict) {
			return rewrapped, id, err
		}
		if row, err = w.get(ctx, row.Key); err != nil {
			return failed, id, err
		}
	}
	return failed, id, errConflict("rewrap")
}

// stale tells whether a key is to be wrapped anew.
func (w *rewrapping) stale(ctx context.Context, tenant string, k *storedKey) (bool, error) {
	have, err := k.wrapped()
	if err != nil {
		return false, err
	}
	key, err := w.kmsKey(ctx, tenant)
	if err != nil {
		return false, err
	}
	// A process that has not used a KMS key yet does not know its version. An error is no matter: the version may be known all the same.
	ask, _ := w.asked.LoadOrStore(key.Ref(), sync.OnceFunc(func() { key.Describe(ctx) }))
	ask.(func())()
	return key.Stale(have), nil
}

// pace waits for the key's turn.
func (w *rewrapping) pace(ctx context.Context) error {
	if w.tick == nil {
		return ctx.Err()
	}
	select {
	case <-w.tick:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// replace writes the row of a key anew, wrapped under the current KMS key, once that is known to open.
func (r *ring) replace(ctx context.Context, tenant string, k *storedKey) error {
	have, err := k.wrapped()
	if err != nil {
		return err
	}
	raw, err := r.unwrapChecked(ctx, tenant, k, have)
	if err != nil {
		return err
	}
	defer clear(raw)
	w, err := r.wrapTenant(ctx, tenant, k, raw)
	if err != nil {
		return err
	}
	again, err := r.unwrapChecked(ctx, tenant, k, w)
	if err != nil {
		return err
	}
	clear(again)
	if key, err := r.kmsKey(ctx, tenant); err != nil {
		return err
	} else if key.Stale(w) { // it may open under fewer keys than the old one
		return fmt.Errorf("%w: %w: not every KMS key that should has wrapped it", ErrUnavailable, kms.ErrUnavailable)
	}
	row := k.keyRow
	if row.Wrapped, err = w.AppendBinary(nil); err != nil {
		return err
	}
	row.Refs = addRefs(row.Refs, w)
	value := encodeRow(row)
	if len(value) > MaxRowValue {
		return fmt.Errorf("%w: row %.400q would have %d bytes, and at most %d are allowed", ErrTooLarge, k.name, len(value), MaxRowValue)
	}
	return r.apply(ctx, Change{Row: Row{Key: k.name, Value: value, Revision: k.revision}})
}

// unwrapChecked is unwrapTenant that refuses any other key than the row's.
func (r *ring) unwrapChecked(ctx context.Context, tenant string, k *storedKey, w kms.Wrapped) ([]byte, error) {
	raw, err := r.unwrapTenant(ctx, tenant, k, w)
	if err == nil && !matches(raw, k.Commitment) {
		clear(raw)
		err = fmt.Errorf("%w: the KMS unwrapped another key than the one that the commitment of row %.400q names", ErrOpen, k.name)
	}
	return raw, err
}
