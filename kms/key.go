package kms

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// Key is a key at a provider, which never leaves it: a [Driver] with the checks and limits
// that all providers share. Make one with [NewKey] or a provider's constructor.
// A Key is safe for concurrent use. Methods of the zero Key fail with
// [ErrInvalid].
type Key struct {
	driver  Driver
	ref     Ref
	timeout time.Duration // of a call; 0 for none
	// What the driver can do besides; nil for what it can't.
	describer Describer
	rotator   Rotator
	destroyer Destroyer
	versioner Versioner
	group     group

	mu     sync.Mutex // guards closed, and calls against new ones
	closed bool
	calls  sync.WaitGroup
	close  func() error
}

// group is a Driver of this package that stands for several Keys.
type group interface {
	refs() []Ref
	stale(Wrapped) bool
}

// Options are the settings of a [Key]. nil and the zero value are the defaults.
type Options struct {
	// Timeout bounds each call to the provider, besides the caller's own
	// context. 0 means 10 seconds; negative is refused.
	Timeout time.Duration
}

const defaultTimeout = 10 * time.Second

// NewKey returns a Key over d, and closes d when the Key is closed. It fails
// with [ErrInvalid] when d is nil, its Ref is not within the limits of [Ref],
// or an option is out of bounds; d then stays the caller's. It makes no I/O: call [Key.Check] at start-up.
func NewKey(d Driver, o *Options) (*Key, error) {
	refuse := func(what string) (*Key, error) {
		return nil, &Error{Op: "new key", Err: fmt.Errorf("%w: %s", ErrInvalid, what)}
	}
	if o == nil {
		o = &Options{}
	}
	if d == nil {
		return refuse("the driver is nil")
	}
	if o.Timeout < 0 {
		return refuse("Options.Timeout is negative: use 0 for 10 seconds")
	}
	ref := d.Ref()
	if n := len(ref.Provider); n == 0 || n > math.MaxUint8 {
		return refuse("the driver's Ref.Provider must be 1 to 255 bytes")
	}
	if n := len(ref.KeyID); n == 0 || n > math.MaxUint16 {
		return refuse("the driver's Ref.KeyID must be 1 to 65535 bytes")
	}
	timeout := o.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	return newKey(d, timeout), nil
}

func newKey(d Driver, timeout time.Duration) *Key {
	k := &Key{driver: d, ref: d.Ref(), timeout: timeout}
	k.describer, _ = d.(Describer)
	k.rotator, _ = d.(Rotator)
	k.destroyer, _ = d.(Destroyer)
	k.versioner, _ = d.(Versioner)
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
func (k *Key) Wrap(ctx context.Context, plaintext []byte, ec Context) (w Wrapped, err error) {
	err = k.call(ctx, "wrap", func(call context.Context) error {
		if n := len(plaintext); n == 0 || n > MaxPlaintext {
			return fmt.Errorf("%w: plaintext must be 1 to %d bytes, not %d", ErrInvalid, MaxPlaintext, n)
		}
		if err := checkContext(ctx, ec); err != nil {
			return err
		}
		secret := bytes.Clone(plaintext) // a driver that clears or changes it must not change what the caller seals with
		defer clear(secret)
		got, err := k.driver.Wrap(call, secret, ec)
		if err != nil {
			return err
		}
		if got.Ref != k.ref {
			return fmt.Errorf("%w: the driver answered with the key %.300q", ErrInvalid, got.Ref.String())
		}
		if err := got.check(); err != nil {
			return fmt.Errorf("the driver's answer: %w", err)
		}
		w = got
		return nil
	})
	return w, err
}

// Unwrap returns the plaintext of w, which is the caller's to clear. It fails with
// [ErrNotFound], and without a call to the provider, when w was wrapped under
// another key; with [ErrCiphertext] when w or ec is not what it was; and with
// [ErrInvalid] when ec breaks the rules of [Context].
func (k *Key) Unwrap(ctx context.Context, w Wrapped, ec Context) (plaintext []byte, err error) {
	err = k.call(ctx, "unwrap", func(call context.Context) error {
		if err := checkContext(ctx, ec); err != nil {
			return err
		}
		if !k.owns(w.Ref) {
			return fmt.Errorf("%w: wrapped under %.300q, which is not configured here", ErrNotFound, w.Ref.String())
		}
		if err := w.check(); err != nil {
			return fmt.Errorf("%w: %w", ErrCiphertext, err)
		}
		got, err := k.driver.Unwrap(call, w, ec)
		if err != nil {
			clear(got)
			return err
		}
		if n := len(got); n == 0 || n > MaxPlaintext {
			clear(got)
			return fmt.Errorf("%w: it holds %d bytes, not 1 to %d", ErrCiphertext, n, MaxPlaintext)
		}
		plaintext = got
		return nil
	})
	return plaintext, err
}

// Stale tells whether w should be wrapped anew: it is under another key, or not under
// the version that the provider last named as current. It makes no I/O, so a
// rotation elsewhere may not be known yet.
func (k *Key) Stale(w Wrapped) bool {
	if k.group != nil {
		return k.group.stale(w)
	}
	if w.Ref != k.ref {
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

// owns tells whether the driver was constructed with the key ref.
func (k *Key) owns(ref Ref) bool {
	return slices.Contains(k.refs(), ref)
}

// refs returns the keys that the driver was constructed with.
func (k *Key) refs() []Ref {
	if k.group != nil {
		return k.group.refs()
	}
	return []Ref{k.ref}
}

// call runs f under the Key's timeout and maps its error.
func (k *Key) call(ctx context.Context, op string, f func(context.Context) error) error {
	if err := k.enter(); err != nil {
		return &Error{Op: op, Ref: k.ref, Err: err}
	}
	defer k.calls.Done()
	if err := ctx.Err(); err != nil {
		return &Error{Op: op, Ref: k.ref, Err: err}
	}
	call := ctx
	if k.timeout > 0 {
		var cancel context.CancelFunc
		call, cancel = context.WithTimeout(ctx, k.timeout)
		defer cancel()
	}
	if err := f(call); err != nil {
		return failure(ctx, call, op, k.ref, err)
	}
	return nil
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
