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
// provider answers what it should not. A key that can only wrap fails: wrap something to check it.
func (k *Key) Check(ctx context.Context) error {
	if k.group != nil {
		if err := k.enter(); err != nil {
			return &Error{Op: opCheck, Ref: k.ref, Err: err}
		}
		defer k.calls.Done()
		return k.group.check(ctx)
	}
	own := reserved.Allow(ctx)
	secret, w, err := k.wrapCheck(own)
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
	got, err = k.unwrap(own, opCheck, w, Context{reserved.Prefix + "purpose": "check of a wrong context"})
	if err == nil {
		clear(got)
		return k.unfit("it unwraps under a context that was not wrapped with: it does not bind the context")
	}
	if errors.Is(err, ErrCiphertext) || errors.Is(err, ErrAccessDenied) {
		return nil
	}
	return err
}

// checkWrap is the Check of a key that only wraps.
func (k *Key) checkWrap(ctx context.Context) error {
	_, _, err := k.wrapCheck(reserved.Allow(ctx))
	return err
}

// wrapCheck wraps 32 random bytes.
func (k *Key) wrapCheck(own context.Context) (secret []byte, w Wrapped, err error) {
	secret = make([]byte, 32)
	rand.Read(secret) // never fails
	w, err = k.Wrap(own, secret, Context{reserved.Prefix + "purpose": "check"})
	return secret, w, err
}

// opCheck is the call of Check that must fail.
const opCheck = "check"

func (k *Key) unfit(what string) error {
	err := &Error{Op: opCheck, Ref: k.ref, Err: fmt.Errorf("%w: do not use this provider: %s", ErrInvalid, what)}
	k.status.unfit(err)
	return err
}
