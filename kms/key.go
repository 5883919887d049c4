package kms

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"sync"
	"time"
)

// Key is a key at a provider, which never leaves it: a [Driver] with the checks and limits
// that all providers share. Make one with [NewKey] or a provider's constructor.
// A Key is safe for concurrent use. Methods of the zero Key fail with
// [ErrInvalid].
type Key struct {
	driver Driver
	ref    Ref
	limits *limits // nil for a group, whose members have their own
	status status
	// What the driver can do besides; nil for what it can't.
	describer Describer
	rotator   Rotator
	destroyer Destroyer
	versioner Versioner
	owner     Owner
	wrapOnly  bool
	group     group

	mu     sync.Mutex // guards closed, and calls against new ones
	closed bool
	calls  sync.WaitGroup
	close  func() error
}

// NewKey returns a Key over d, and closes d when the Key is closed. It fails
// with [ErrInvalid] when d is nil, its Ref is not within the limits of [Ref],
// or an option is out of bounds; d then stays the caller's. It makes no I/O: call [Key.Check] at start-up.
func NewKey(d Driver, o *Options) (*Key, error) {
	refuse := func(what string) (*Key, error) {
		return nil, &Error{Op: "new key", Err: fmt.Errorf("%w: %s", ErrInvalid, what)}
	}
	if d == nil {
		return refuse("the driver is nil")
	}
	own, err := o.withDefaults()
	if err != nil {
		return nil, &Error{Op: "new key", Err: err}
	}
	ref := d.Ref()
	if n := len(ref.Provider); n == 0 || n > math.MaxUint8 || ref.Provider == anyProvider {
		return refuse("the driver's Ref.Provider must be 1 to 255 bytes, and not " + anyProvider)
	}
	if n := len(ref.KeyID); n == 0 || n > math.MaxUint16 {
		return refuse("the driver's Ref.KeyID must be 1 to 65535 bytes")
	}
	return newKey(d, newLimits(own)), nil
}

func newKey(d Driver, l *limits) *Key {
	k := &Key{driver: d, ref: d.Ref(), limits: l}
	k.describer, _ = d.(Describer)
	k.rotator, _ = d.(Rotator)
	k.destroyer, _ = d.(Destroyer)
	k.versioner, _ = d.(Versioner)
	k.owner, _ = d.(Owner)
	if w, ok := d.(WrapOnly); ok {
		k.wrapOnly = w.WrapOnly()
	}
	k.group, _ = d.(group)
	k.close = sync.OnceValue(func() error {
		k.mu.Lock()
		k.closed = true
		k.mu.Unlock()
		k.calls.Wait()
		if err := k.driver.Close(); err != nil {
			ctx := context.Background()
			return failure(ctx, ctx, "close", k.ref, err)
		}
		return nil
	})
	return k
}

// Ref returns the key's canonical name.
func (k *Key) Ref() Ref { return k.ref }

// String returns provider:keyid.
func (k *Key) String() string { return k.ref.String() }

// Wrap encrypts plaintext, 1 to [MaxPlaintext] bytes, bound to ec. It fails with
// [ErrInvalid] on another length, on an ec that breaks the rules of [Context],
// and on an answer that names another key.
func (k *Key) Wrap(ctx context.Context, plaintext []byte, ec Context) (Wrapped, error) {
	return call(ctx, k, request[Wrapped]{
		op:     "wrap",
		ec:     ec,
		data:   true,
		repeat: true,
		check: func() error {
			if n := len(plaintext); n == 0 || n > MaxPlaintext {
				return fmt.Errorf("%w: plaintext must be 1 to %d bytes, not %d", ErrInvalid, MaxPlaintext, n)
			}
			return checkContext(ctx, ec)
		},
		prepare: func() func(context.Context) (Wrapped, error) {
			secret, ec := bytes.Clone(plaintext), maps.Clone(ec)
			return func(ctx context.Context) (Wrapped, error) {
				defer clear(secret)
				w, err := k.driver.Wrap(ctx, secret, ec)
				if err != nil {
					return Wrapped{}, err
				}
				if w.Ref != k.ref {
					return Wrapped{}, fmt.Errorf("%w: the driver answered with the key %.300q", ErrInvalid, w.Ref.String())
				}
				if err := w.check(); err != nil {
					return Wrapped{}, fmt.Errorf("the driver's answer: %w", err)
				}
				return w, nil
			}
		},
	})
}

// Unwrap returns the plaintext of w, which is the caller's to clear. Of what an [AnyOf] key wrapped it
// takes the recipient that is its own. It fails with
// [ErrNotFound], and without a call to the provider, when w was wrapped under
// another key; with [ErrCiphertext] when w or ec is not what it was; and with
// [ErrInvalid] when ec breaks the rules of [Context].
func (k *Key) Unwrap(ctx context.Context, w Wrapped, ec Context) ([]byte, error) {
	return k.unwrap(ctx, "unwrap", w, ec)
}

func (k *Key) unwrap(ctx context.Context, op string, w Wrapped, ec Context) ([]byte, error) {
	return call(ctx, k, request[[]byte]{
		op:     op,
		ec:     ec,
		data:   true,
		repeat: true,
		check: func() error {
			if err := checkContext(ctx, ec); err != nil {
				return err
			}
			switch {
			case k.owns(w):
			case w.Provider == anyProvider:
				return fmt.Errorf("%w: wrapped under several, none of which is configured here", ErrNotFound)
			default:
				return fmt.Errorf("%w: wrapped under %.300q, which is not configured here", ErrNotFound, w.Ref.String())
			}
			err := w.check()
			if err == nil && k.group == nil {
				w, err = k.recipient(w)
			}
			if err != nil {
				return fmt.Errorf("%w: %v", ErrCiphertext, err)
			}
			return nil
		},
		prepare: func() func(context.Context) ([]byte, error) {
			w, ec := w, maps.Clone(ec)
			w.Blob = bytes.Clone(w.Blob)
			return func(ctx context.Context) ([]byte, error) {
				plaintext, err := k.driver.Unwrap(ctx, w, ec)
				if n := len(plaintext); err == nil && (n == 0 || n > MaxPlaintext) {
					err = fmt.Errorf("%w: it holds %d bytes, not 1 to %d", ErrCiphertext, n, MaxPlaintext)
				}
				if err != nil {
					clear(plaintext)
					return nil, err
				}
				return plaintext, nil
			}
		},
	})
}

// Stale tells whether w should be wrapped anew: it is under another key, or not under
// the version that the provider last named as current. It makes no I/O, so a
// rotation elsewhere may not be known yet.
func (k *Key) Stale(w Wrapped) bool {
	if k.group != nil {
		return k.group.stale(w)
	}
	if w.Provider == anyProvider || !k.owns(w) {
		return true
	}
	if k.versioner == nil {
		return false
	}
	current := k.versioner.CurrentVersion()
	return current != "" && w.Version != current
}

// Close waits for calls in flight and closes the driver. Later calls fail with
// [ErrClosed]; Close again returns what the first returned.
func (k *Key) Close() error {
	if k.close == nil {
		return nil // the zero Key holds nothing
	}
	return k.close()
}

// observe tells the Observer of an attempt.
func (k *Key) observe(ctx context.Context, op string, ec Context, attempt int, start time.Time, err error) {
	if k.limits == nil || k.limits.Observer == nil {
		return
	}
	e := Event{Op: op, Ref: k.ref, Attempt: attempt, Start: start, Duration: time.Since(start), Class: Class(err), Err: err}
	if said, ok := err.(*Error); ok {
		e.RequestID = said.RequestID
	}
	for _, name := range k.limits.ObserveContext {
		if value, ok := ec[name]; ok {
			if e.Context == nil {
				e.Context = Context{}
			}
			e.Context[name] = value
		}
	}
	k.limits.Observer.Observe(ctx, e)
}

// enter counts a call in flight.
func (k *Key) enter() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.driver == nil {
		return fmt.Errorf("%w: zero Key: use NewKey", ErrInvalid)
	}
	if k.closed {
		return ErrClosed
	}
	k.calls.Add(1)
	return nil
}
