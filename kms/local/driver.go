package local

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/kms"
)

// driver is the kms.Driver over a key file.
type driver struct {
	path    string // free of symbolic links
	ref     kms.Ref
	stretch *stretch  // nil without a passphrase
	kek     *aead.Key // the stretched passphrase, or nil

	// file is held, by sending to it, while the file is read or changed, so that what is read
	// is never older than what is known; a channel, so that a wait for it ends with its context.
	file chan struct{}

	mu       sync.RWMutex // held for writing while the rest changes: no key is destroyed in use
	closed   bool
	state    kms.State
	versions []opened // version n is at n-1; append-only until destroyed
	goneAt   time.Time
}

// opened is a version of the key in memory.
type opened struct {
	id      string
	created time.Time
	key     *aead.Key // derived: what wraps, not what the file holds
}

func (d *driver) Ref() kms.Ref { return d.ref }

func (d *driver) Wrap(ctx context.Context, plaintext []byte, ec kms.Context) (kms.Wrapped, error) {
	if err := ctx.Err(); err != nil {
		return kms.Wrapped{}, err
	}
	if n := len(plaintext); n == 0 || n > kms.MaxPlaintext {
		return kms.Wrapped{}, fmt.Errorf("%w: plaintext must be 1 to %d bytes, not %d", kms.ErrInvalid, kms.MaxPlaintext, n)
	}
	ad, err := ec.Canonical()
	if err != nil {
		return kms.Wrapped{}, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := d.usable(); err != nil {
		return kms.Wrapped{}, err
	}
	n := len(d.versions)
	return kms.Wrapped{Ref: d.ref, Version: strconv.Itoa(n), Blob: d.versions[n-1].key.Seal(nil, plaintext, ad)}, nil
}

func (d *driver) Unwrap(ctx context.Context, w kms.Wrapped, ec kms.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if w.Ref != d.ref {
		return nil, fmt.Errorf("%w: it was wrapped under another", kms.ErrNotFound)
	}
	n, err := strconv.Atoi(w.Version)
	if err != nil || n < 1 || strconv.Itoa(n) != w.Version {
		return nil, fmt.Errorf("%w: no version %.20q", kms.ErrNotFound, w.Version)
	}
	if n := len(w.Blob) - aead.Overhead; n < 1 || n > kms.MaxPlaintext {
		return nil, kms.ErrCiphertext
	}
	ad, err := ec.Canonical()
	if err != nil {
		return nil, err
	}
	known, err := d.knows(n)
	if err == nil && !known {
		// Another process may have rotated.
		if err = d.reload(ctx); err == nil {
			known, err = d.knows(n)
		}
	}
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, fmt.Errorf("%w: no version %d in this copy of the key file", kms.ErrNotFound, n)
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := d.usable(); err != nil {
		return nil, err
	}
	plaintext, err := d.versions[n-1].key.Open(nil, w.Blob, ad)
	if err != nil {
		return nil, kms.ErrCiphertext
	}
	return plaintext, nil
}

// knows tells whether version n is in memory.
func (d *driver) knows(n int) (bool, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return n <= len(d.versions), d.usable()
}

// CurrentVersion implements [kms.Versioner].
func (d *driver) CurrentVersion() string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if len(d.versions) == 0 {
		return ""
	}
	return strconv.Itoa(len(d.versions))
}

// Describe implements [kms.Describer]. It reads the file.
func (d *driver) Describe(ctx context.Context) (kms.Info, error) {
	if err := d.reload(ctx); err != nil {
		return kms.Info{}, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	info := kms.Info{State: d.state, DestroyAt: d.goneAt}
	if n := len(d.versions); n > 0 {
		info.Version, info.Rotated = strconv.Itoa(n), d.versions[n-1].created
	}
	return info, nil
}

// Rotate implements [kms.Rotator].
func (d *driver) Rotate(ctx context.Context) error {
	return d.update(ctx, func(c *contents) (bool, error) {
		switch c.State {
		case disabled:
			return false, kms.ErrDisabled
		case destroyed:
			return false, kms.ErrDestroyed
		}
		c.rotate(d.kek)
		return true, nil
	})
}

// Destroy implements [kms.Destroyer].
func (d *driver) Destroy(ctx context.Context, after time.Duration) (time.Time, error) {
	if after != 0 {
		return time.Time{}, fmt.Errorf("%w: a key file is destroyed at once: pass 0", kms.ErrUnsupported)
	}
	err := d.update(ctx, func(c *contents) (bool, error) {
		if c.State == destroyed {
			return false, nil
		}
		c.destroy()
		return true, nil
	})
	if err != nil {
		return time.Time{}, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.goneAt, nil
}

// enable enables or disables the key.
func (d *driver) enable(ctx context.Context, state string) error {
	return d.update(ctx, func(c *contents) (bool, error) {
		if c.State == destroyed {
			return false, kms.ErrDestroyed
		}
		changed := c.State != state
		c.State = state
		return changed, nil
	})
}

// Close waits for calls in flight and destroys the keys in memory.
func (d *driver) Close() error {
	d.file <- struct{}{}
	defer func() { <-d.file }()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	d.forget()
	return nil
}

// usable tells why the key can't be used. Call it under mu.
func (d *driver) usable() error {
	switch {
	case d.closed:
		return kms.ErrClosed
	case d.state == kms.Disabled:
		return kms.ErrDisabled
	case d.state == kms.Destroyed:
		return kms.ErrDestroyed
	}
	return nil
}
