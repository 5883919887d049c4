package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/boltstore"
	"github.com/holdfast-go/holdfast/kms"
)

// keys is a tenant of a service, with what has to be closed after it.
type keys struct {
	tenant envelope.Tenant
	ring   *envelope.Keyring
	store  *boltstore.Store
	key    *kms.Key
}

// openKeyring opens key and store. Only -init makes a file.
func (j *job) openKeyring(ctx context.Context) (*keys, error) {
	if err := j.checkStore(); err != nil {
		return nil, err
	}
	k := &keys{}
	err := k.open(ctx, j)
	if err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

func (k *keys) open(ctx context.Context, j *job) (err error) {
	if k.key, err = j.openKey(ctx); err != nil {
		return err
	}
	if k.store, err = boltstore.Open(j.store, nil); err != nil {
		if errors.Is(err, envelope.ErrUnavailable) {
			err = fmt.Errorf("%w\nIf a service has it open, stop that, or work on a copy that was made while it was stopped", err)
		}
		return err
	}
	// The process lives for a second: it keeps no policy of the service's, and states in receipts no longer time than any other.
	k.ring, err = envelope.NewKeyring(j.deployment, k.store, envelope.SingleRoot(k.key), &envelope.KeyringOptions{
		CacheTTL: time.Second, StaleIfError: -1, WriteStaleIfError: -1, RotateAfter: -1,
	})
	if err != nil {
		return err
	}
	k.tenant = k.ring.Tenant(j.tenant)
	return nil
}

// known tells whether the tenant has a key.
func (k *keys) known(ctx context.Context) (bool, error) {
	for _, err := range k.tenant.Versions(ctx) {
		return err == nil, err
	}
	return false, nil
}

func (k *keys) close() {
	if k.ring != nil {
		k.ring.Close()
	}
	if k.store != nil {
		k.store.Close()
	}
	if k.key != nil {
		k.key.Close()
	}
}

// checkStore refuses a mistyped path: boltstore makes what is missing.
func (j *job) checkStore() error {
	_, err := os.Stat(j.store)
	switch {
	case j.init && err == nil:
		return fmt.Errorf("the store %q exists: leave out -init", j.store)
	case j.init && errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no store %q: give the path of the service's, or have seal make one with -init", j.store)
	}
	return err
}
