package kms

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/internal/reserved"
)

// Check wraps 32 random bytes, unwraps and compares them, and unwraps them
// under another context, which must be refused. It finds wrong credentials, a wrong key and a provider
// that does not bind the context, and costs three calls: for start-up, not for a liveness
// probe. It fails as Wrap and Unwrap do, and with [ErrInvalid] when the
// provider answers what it should not.
func (k *Key) Check(ctx context.Context) error {
	own := reserved.Allow(ctx)
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	w, err := k.Wrap(own, secret, Context{reserved.Prefix + "purpose": "check"})
	if err != nil {
		return err
	}
	got, err := k.Unwrap(own, w, Context{reserved.Prefix + "purpose": "check"})
	if err != nil {
		return err
	}
	same := subtle.ConstantTimeCompare(got, secret) == 1
	clear(got)
	if !same {
		return k.unfit("it unwraps other bytes than were wrapped")
	}
	got, err = k.Unwrap(own, w, Context{reserved.Prefix + "purpose": "check of a wrong context"})
	if err == nil {
		clear(got)
		return k.unfit("it unwraps under a context that was not wrapped with: it does not bind the context")
	}
	if errors.Is(err, ErrCiphertext) || errors.Is(err, ErrAccessDenied) {
		return nil
	}
	return err
}

func (k *Key) unfit(what string) error {
	return &Error{Op: "check", Ref: k.ref, Err: fmt.Errorf("%w: do not use this provider: %s", ErrInvalid, what)}
}
