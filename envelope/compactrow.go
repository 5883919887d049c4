package envelope

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/aead"
)

// move wraps the keys of the living under the target. A row is only written while the target is not closed.
func (c *compaction) move(ctx context.Context) error {
	n, err := c.ring.sweep(ctx, c.under, func(page []Row) ([]Change, error) {
		target, rows, err := c.target(ctx)
		if err != nil {
			return nil, err
		}
		var changes []Change
		for _, row := range page {
			change, err := c.moved(ctx, row, target, rows)
			if damaged(err) {
				c.note(row.Key, err)
			} else if err != nil {
				return nil, err
			}
			if change != nil {
				changes = append(changes, *change)
			}
		}
		if len(changes) > 0 {
			changes = append(changes, Change{Row: Row{Key: target.name, Revision: target.revision}, Check: true})
		}
		return changes, nil
	})
	c.Rewrapped += n
	return err
}

func (c *compaction) note(name string, err error) {
	if c.hurt == nil {
		c.hurt = map[string]bool{}
	}
	c.hurt[name] = true
	c.damage = err
}

// moved is the change that has a row be wrapped under the target; nil where there is nothing to do.
func (c *compaction) moved(ctx context.Context, row Row, target *storedKey, rows *stored) (*Change, error) {
	prefix := scopeOf(row.Key, c.under)
	if row.Key == prefix {
		return nil, c.see(row)
	}
	k, err := parseKeyRow(row, prefix)
	if err == nil && k.Destroyed != nil {
		return nil, nil
	}
	if c.head != prefix { // it was on an earlier page, or there is none
		head, err := c.ring.get(ctx, prefix)
		if err != nil {
			return nil, err
		}
		head.Key = prefix
		if err := c.see(head); err != nil {
			return nil, err
		}
	}
	switch {
	case c.state == erasing || c.state == erased:
		return nil, nil // it shall not open any more
	case err != nil:
		return nil, err
	case len(k.Wrapped) != subjectBlob || k.Wrapped[0] != recordByte:
		return nil, fmt.Errorf("%w: row %.400q holds no wrapped key", ErrFormat, k.name)
	}
	id := aead.KeyID(k.Wrapped[1:recordHeader])
	if id == aead.KeyID(target.ID) {
		return nil, nil
	}
	raw, err := c.opened(ctx, &k, rows.find(kindWrap, id))
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	wrap, err := c.unwrapped(ctx, target)
	if err != nil {
		return nil, err
	}
	if k.Wrapped, err = c.ring.wrapSubject(wrap, c.tenant, &k, raw); err != nil {
		return nil, err
	}
	return &Change{Row: Row{Key: k.name, Value: encodeRow(k.keyRow), Revision: k.revision}}, nil
}

// see takes in the head of a subject. No row means that the subject is active.
func (c *compaction) see(row Row) error {
	c.head, c.state = row.Key, active
	if row.Revision == 0 {
		return nil
	}
	var h head
	err := decodeRow(row, &h)
	if err == nil {
		c.state = h.State
	}
	return err
}

// opened returns the key in a row, which the caller clears.
func (c *compaction) opened(ctx context.Context, k, under *storedKey) ([]byte, error) {
	if under == nil || under.Kind != kindWrap || under.Destroyed != nil {
		now, err := c.ring.get(ctx, k.name)
		if err != nil {
			return nil, err
		}
		if now.Revision != k.revision { // another run has moved it since it was listed
			return nil, errConflict("row of a subject")
		}
		return nil, fmt.Errorf("%w: row %.400q: its wrap key is not there", ErrOpen, k.name)
	}
	wrap, err := c.unwrapped(ctx, under)
	if err != nil {
		return nil, err
	}
	raw, err := c.ring.openSubject(wrap, c.tenant, k)
	if err == nil && !matches(raw, k.Commitment) {
		clear(raw)
		err = fmt.Errorf("%w: the key in row %.400q is not the one that its commitment names", ErrOpen, k.name)
	}
	return raw, err
}
