package envelope

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast-go/holdfast/aead"
)

// Compaction is what [Keyring.Compact] did.
type Compaction struct {
	Key       aead.KeyID // the wrap key that wraps the tenant's subjects now; zero where no subject has a key
	Rewrapped int        // versions of subjects' keys that were wrapped under it or another new one
	Destroyed int        // wrap keys
}

// Compact replaces the key that wraps the keys of the tenant's subjects: it makes a new one, wraps the keys of the living under it, and destroys the old. From then on the rows of a subject that was erased
// before, from a copy of the store, don't open with the store that lives on. They still do with a whole copy of the store from before, for whoever may use the KMS key. Call it now and then, such as once a day
// when somebody was erased: it writes a row for every living version of a subject's key.
//
// Nothing stands still meanwhile: other calls and processes go on. It may be killed at any point and repeated at any time, also by several processes at once. Each call makes a new wrap key, and destroys what earlier ones left.
// Where a row of a subject that is not erased does not open, whatever destroyed it, it destroys no wrap key and fails with ErrOpen: that row may still be mended from a copy. Mend it or erase its subject, and
// call Compact again. It fails with ErrDisabled, ErrErased, ErrConflict, ErrUnavailable and the errors of package kms too. What it returns is also true when it fails.
func (r *Keyring) Compact(ctx context.Context, tenant string) (Compaction, error) {
	s := scope{keyring: r, tenant: tenant}
	var done Compaction
	err := s.manage(ctx, func(ks *keyset) error {
		if err := ks.serve(ctx, true); err != nil {
			return err
		}
		c := &compaction{keyset: ks, under: subjectsPrefix(tenant), open: map[aead.KeyID]*liveKey{}}
		return ks.ring.audited(ctx, Event{Op: "compact", Tenant: tenant}, func() error {
			defer c.forget()
			err := c.run(ctx)
			done.Key = c.Key
			done.Rewrapped += c.Rewrapped
			done.Destroyed += c.Destroyed
			return err
		})
	})
	return done, err
}

// compaction is a run of Compact.
type compaction struct {
	Compaction
	*keyset
	under  string                  // the prefix of the rows of all subjects
	open   map[aead.KeyID]*liveKey // wrap keys, its own to clear
	damage error                   // about a row that does not open
	hurt   map[string]bool         // rows that don't
	head   string                  // the subject of the head that was seen last
	state  state                   // of it
}

func (c *compaction) run(ctx context.Context) error {
	rows, err := c.ring.read(ctx, c.prefix)
	if err != nil {
		return err
	}
	if !rows.living(kindWrap) {
		return nil
	}
	for name, err := range rows.broken {
		if kindOf(name, c.prefix) == kindWrap {
			return err
		}
	}
	if _, err := c.newVersion(ctx, kindWrap, true, 0); err != nil {
		return err
	}
	// Most are moved before the old keys are closed, so that others seldom meet a key that is closed already. Those that were made meanwhile are moved after it.
	if err := c.move(ctx); err != nil {
		return err
	}
	old, err := c.close(ctx)
	if err != nil {
		return err
	}
	c.damage, c.hurt = nil, nil
	if err := c.move(ctx); err != nil {
		return err
	}
	if c.damage != nil {
		return fmt.Errorf("%d keys of subjects don't open, so no wrap key is destroyed: mend them or erase their subjects: %w", len(c.hurt), c.damage)
	}
	if err := c.destroy(ctx, old); err != nil {
		return err
	}
	c.renew(ctx)
	return nil
}

// target returns the wrap key that subjects are wrapped under, and the tenant's rows. It is the newest, which no run of Compact closes.
func (c *compaction) target(ctx context.Context) (*storedKey, *stored, error) {
	rows, err := c.ring.read(ctx, c.prefix)
	if err == nil {
		err = c.refusal(rows)
	}
	if err != nil {
		return nil, nil, err
	}
	for i := len(rows.keys) - 1; i >= 0; i-- {
		if k := &rows.keys[i]; k.Kind == kindWrap && k.Destroyed == nil && !k.Closed {
			c.Key = aead.KeyID(k.ID)
			return k, rows, nil
		}
	}
	return nil, nil, errConflict("the new wrap key is gone")
}

// unwrapped returns a wrap key, which the KMS is asked for once.
func (c *compaction) unwrapped(ctx context.Context, k *storedKey) (*liveKey, error) {
	id := aead.KeyID(k.ID)
	if c.open[id] == nil {
		live, err := c.unwrap(ctx, k)
		if err != nil {
			return nil, err
		}
		c.open[id] = live
	}
	return c.open[id], nil
}

// forget clears the wrap keys.
func (c *compaction) forget() {
	for _, live := range c.open {
		live.destroy()
	}
}

// close has nothing more be wrapped under the wrap keys before the target, and returns the names of their rows.
func (c *compaction) close(ctx context.Context) (old []string, err error) {
	for range retries {
		target, rows, err := c.target(ctx)
		if err != nil {
			return nil, err
		}
		var changes []Change
		old = nil
		for _, k := range rows.keys {
			if k.Kind != kindWrap || k.Destroyed != nil || k.Version >= target.Version {
				continue
			}
			old = append(old, k.name)
			if !k.Closed && len(changes) < MaxChanges {
				k.Closed = true
				changes = append(changes, Change{Row: Row{Key: k.name, Value: encodeRow(k.keyRow), Revision: k.revision}})
			}
		}
		if len(changes) == 0 {
			return old, nil
		}
		if err := c.ring.apply(ctx, changes...); err != nil && !errors.Is(err, ErrConflict) {
			return nil, err
		}
	}
	return nil, errConflict("close the old wrap keys")
}

// destroy writes over wrap keys that are closed and wrap nothing any more.
func (c *compaction) destroy(ctx context.Context, names []string) error {
	for range retries {
		rows, err := c.ring.read(ctx, c.prefix)
		if err != nil {
			return err
		}
		var changes []Change
		for _, k := range rows.keys {
			if slices.Contains(names, k.name) && k.Destroyed == nil && len(changes) < MaxChanges {
				changes = append(changes, k.tombstone(now(), ""))
			}
		}
		if len(changes) == 0 {
			return nil
		}
		err = c.ring.apply(ctx, changes...)
		if err == nil {
			c.Destroyed += len(changes)
		} else if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return errConflict("destroy the old wrap keys")
}
