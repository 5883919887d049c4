package kmstest

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/kms"
)

// fakeDriver is a client of a Fake.
type fakeDriver struct {
	f      *Fake
	closed chan struct{}

	mu      sync.Mutex
	version string // as last heard of
}

func (d *fakeDriver) Ref() kms.Ref { return d.f.ref }

func (d *fakeDriver) Wrap(ctx context.Context, plaintext []byte, ec kms.Context) (w kms.Wrapped, err error) {
	if n := len(plaintext); n == 0 || n > kms.MaxPlaintext {
		return w, fmt.Errorf("%w: plaintext must be 1 to %d bytes, not %d", kms.ErrInvalid, kms.MaxPlaintext, n)
	}
	fault, err := d.bound(ctx, "wrap", ec, func(canonical []byte) error {
		w = d.f.wrap(d.learn(), plaintext, canonical)
		return nil
	})
	if err == nil && fault.Wrap != nil {
		w = fault.Wrap(w)
	}
	return w, err
}

func (d *fakeDriver) Unwrap(ctx context.Context, w kms.Wrapped, ec kms.Context) (plaintext []byte, err error) {
	if w.Ref != d.f.ref {
		return nil, fmt.Errorf("%w: it was wrapped under another", kms.ErrNotFound)
	}
	fault, err := d.bound(ctx, "unwrap", ec, func(canonical []byte) error {
		plaintext, err = d.f.unwrap(d, w, canonical)
		return err
	})
	if err == nil && fault.Unwrap != nil {
		plaintext = fault.Unwrap(plaintext)
	}
	return plaintext, err
}

// CurrentVersion implements [kms.Versioner].
func (d *fakeDriver) CurrentVersion() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.version
}

// learn notes and returns the version that the KMS wraps with. Call it under the Fake's mu.
func (d *fakeDriver) learn() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.version = strconv.Itoa(d.f.version(d))
	return d.version
}

// Describe implements [kms.Describer].
func (d *fakeDriver) Describe(ctx context.Context) (info kms.Info, err error) {
	_, err = d.call(ctx, "describe", nil, func() error {
		s, since := d.f.state(d)
		if s == kms.Unknown {
			return kms.ErrNotFound
		}
		info = kms.Info{State: s, Version: d.learn(), Rotated: d.f.versions[d.f.version(d)-1].at}
		if s == kms.Destroyed {
			info.DestroyAt = since
		} else if last := d.f.states[len(d.f.states)-1]; s == kms.PendingDeletion && last.state == kms.Destroyed {
			info.DestroyAt = last.at
		}
		return nil
	})
	return info, err
}

// Rotate implements [kms.Rotator].
func (d *fakeDriver) Rotate(ctx context.Context) error {
	_, err := d.call(ctx, "rotate", nil, func() error {
		if err := d.f.usable(d); err != nil {
			return err
		}
		d.f.rotate()
		d.learn()
		return nil
	})
	return err
}

// Destroy implements [kms.Destroyer].
func (d *fakeDriver) Destroy(ctx context.Context, after time.Duration) (at time.Time, err error) {
	if after < 0 {
		return at, fmt.Errorf("%w: negative delay", kms.ErrInvalid)
	}
	_, err = d.call(ctx, "destroy", nil, func() error {
		if s, _ := d.f.state(d); s == kms.Unknown || s == kms.Destroyed {
			return d.f.usable(d)
		}
		now := time.Now()
		at = now.Add(after)
		d.f.become(kms.PendingDeletion, now)
		d.f.become(kms.Destroyed, at)
		return nil
	})
	return at, err
}

// Close has calls in flight fail with ErrClosed.
func (d *fakeDriver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.isClosed() {
		close(d.closed)
	}
	return nil
}

func (d *fakeDriver) isClosed() bool {
	select {
	case <-d.closed:
		return true
	default:
		return false
	}
}

// call sends a request to the KMS, and returns its fault.
func (d *fakeDriver) call(ctx context.Context, op string, ec kms.Context, answer func() error) (Fault, error) {
	if err := ctx.Err(); err != nil {
		return Fault{}, err
	}
	if d.isClosed() {
		return Fault{}, kms.ErrClosed
	}
	return d.f.call(ctx, d, op, ec, answer)
}

// bound sends a request that is bound to a context and needs a usable key.
func (d *fakeDriver) bound(ctx context.Context, op string, ec kms.Context, answer func(canonical []byte) error) (Fault, error) {
	canonical, err := ec.Canonical()
	if err != nil {
		return Fault{}, err
	}
	return d.call(ctx, op, ec, func() error {
		if err := d.f.usable(d); err != nil {
			return err
		}
		return answer(canonical)
	})
}
