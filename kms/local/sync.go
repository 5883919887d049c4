package local

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/holdfast-go/holdfast/internal/durable"
	"github.com/holdfast-go/holdfast/internal/keyfile"
	"github.com/holdfast-go/holdfast/kms"
)

// reload takes over what the file says now.
func (d *driver) reload(ctx context.Context) error {
	if err := d.hold(ctx); err != nil {
		return err
	}
	defer d.release()
	return d.read()
}

// update lets change edit what the file says now, writes it if that reports a
// change, and takes it over.
func (d *driver) update(ctx context.Context, change func(*contents) (bool, error)) error {
	if err := d.hold(ctx); err != nil {
		return err
	}
	defer d.release()
	unlock, err := lockFile(ctx, d.path)
	if err != nil {
		return err
	}
	defer unlock()
	c, err := readFile(d.path)
	if err != nil {
		return err
	}
	defer c.clear()
	if err := d.adopt(c); err != nil {
		return err
	}
	changed, err := change(c)
	if err != nil {
		return err
	}
	if !changed { // it was done before, perhaps by a call that failed to make it durable
		return keyfile.Error(durable.SyncDir(filepath.Dir(d.path)))
	}
	if err := writeFile(d.path, c, c.State == destroyed); err != nil {
		return err
	}
	return d.install(c)
}

// hold takes the right to read or change the file, unless the driver is closed.
func (d *driver) hold(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case d.file <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		d.release()
		return kms.ErrClosed
	}
	return nil
}

func (d *driver) release() { <-d.file }

func (d *driver) read() error {
	c, err := readFile(d.path)
	if err != nil {
		return err
	}
	defer c.clear()
	return d.adopt(c)
}

// adopt installs what was read. A version that another process added may not be durable yet, if it was killed
// after its rename: nothing is to be wrapped under it before it is.
func (d *driver) adopt(c *contents) error {
	d.mu.RLock()
	known := len(d.versions)
	d.mu.RUnlock()
	if len(c.Versions) > known {
		if err := durable.SyncDir(filepath.Dir(d.path)); err != nil {
			return keyfile.Error(err)
		}
	}
	return d.install(c)
}

// install takes over what c says. It refuses a file that is no successor of the
// one known: of another key, or a copy from before a rotation or the destruction, whose next
// rotation would make a second key of the same version.
func (d *driver) install(c *contents) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.KeyID != d.ref.KeyID {
		return fmt.Errorf("%w: the file holds another key than when it was opened", kms.ErrInvalid)
	}
	if c.State == destroyed {
		d.forget()
		d.state, d.goneAt = kms.Destroyed, c.DestroyedAt
		return nil
	}
	if d.state == kms.Destroyed {
		return fmt.Errorf("%w: the file is an old copy", kms.ErrDestroyed)
	}
	if !c.Passphrase.equal(d.stretch) {
		return fmt.Errorf("%w: the file's passphrase has changed since it was opened", kms.ErrInvalid)
	}
	for i, v := range d.versions {
		if i >= len(c.Versions) || c.Versions[i].ID != v.id {
			return fmt.Errorf("%w: the file lacks version %d, which was in use: it is an old copy: restore the newest", kms.ErrInvalid, i+1)
		}
	}
	for n := len(d.versions) + 1; n <= len(c.Versions); n++ {
		key, err := c.wrappingKey(n, d.kek)
		if err != nil {
			return err
		}
		d.versions = append(d.versions, opened{id: c.Versions[n-1].ID, created: c.Versions[n-1].Created, key: key})
	}
	d.state = kms.Enabled
	if c.State == disabled {
		d.state = kms.Disabled
	}
	return nil
}

// forget destroys the keys in memory. Call it under mu.
func (d *driver) forget() {
	for _, v := range d.versions {
		v.key.Destroy()
	}
	d.versions = nil
	if d.kek != nil {
		d.kek.Destroy()
	}
}
