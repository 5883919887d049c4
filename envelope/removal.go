package envelope

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// removal is an erasure under way, of a tenant or a subject. Each of its steps may have been done before, wholly or in part, and may be under way in another process.
type removal struct {
	Erasure
	ring   *ring
	ks     *keyset // gone after the fence
	scope  setKey
	prefix string    // of the scope's rows
	asked  time.Time // when it began

	living []string // rows of keys that were there after the fence
	buried int      // of them
	others int      // rows of a tenant's subjects that were written over
}

// run does what is left to do, and returns the receipt.
func (d *removal) run(ctx context.Context) (*Receipt, error) {
	if err := d.fence(ctx); err != nil {
		return nil, err
	}
	fenced := time.Now()
	d.evict()
	rows, err := d.destroy(ctx, fenced)
	if err != nil {
		return nil, d.unfinished(err)
	}
	receipt, err := d.receipt(ctx, rows)
	if err != nil {
		return nil, fmt.Errorf("erased; remaining: the receipt: repeat the call: %w", err)
	}
	return receipt, nil
}

// fence has nobody seal, open or make a key of the scope from then on.
func (d *removal) fence(ctx context.Context) error {
	for range retries {
		rows, err := d.ring.read(ctx, d.prefix)
		if err != nil {
			return err
		}
		h := rows.head
		if h.fenced() && h.Erasure != nil {
			return nil
		}
		if err := d.held(&h); err != nil {
			return err
		}
		h.State, h.Ref, h.Erasure = erasing, d.Ref, &erasure{Requested: d.asked, Basis: d.Basis}
		changes := []Change{rows.put(h)}
		if d.scope.person {
			above, err := d.ring.read(ctx, tenantPrefix(d.scope.tenant))
			if err == nil && above.head.fenced() {
				err = d.ks.parent.refusal(above)
			}
			if err == nil {
				err = d.held(&above.head)
			}
			if err != nil {
				return err
			}
			changes = append(changes, above.guard())
		}
		switch err := d.ring.apply(ctx, changes...); {
		case err == nil:
			return nil
		case !errors.Is(err, ErrConflict):
			d.evict() // the fence may be there
			return fmt.Errorf("nothing is destroyed, the fence is not confirmed: repeat the call: %w", err)
		}
	}
	return errConflict("fence")
}

func (h *head) fenced() bool { return h.State == erasing || h.State == erased }

// held is why a scope with this head, or one of the tenant with this head, must stay.
func (d *removal) held(h *head) error {
	switch {
	case len(h.Holds) > 0:
		return &Error{Tenant: d.scope.tenant, Ref: h.Holds[0], Err: ErrHeld}
	case h.Held > 0 && !d.scope.person:
		return &Error{Tenant: d.scope.tenant, Err: fmt.Errorf("%w: there are %d holds on its subjects", ErrHeld, h.Held)}
	}
	return nil
}

// evict has this process forget the keys of the scope, and of a tenant's subjects.
func (d *removal) evict() { d.ring.evict(d.scope, d.prefix) }

// destroy writes over all keys and then says so in the head, whose rows it returns. The scope was fenced at a time.
func (d *removal) destroy(ctx context.Context, fenced time.Time) (*stored, error) {
	rows, err := d.ring.read(ctx, d.prefix) // with the versions that were made until the fence
	if err != nil {
		return nil, err
	}
	for _, k := range rows.keys {
		if k.Destroyed == nil {
			d.living = append(d.living, strings.TrimPrefix(k.name, d.prefix))
		}
	}
	if !d.scope.person {
		d.others, err = d.bury(ctx, subjectsPrefix(d.scope.tenant))
		if err != nil {
			return nil, err
		}
	}
	if d.buried, err = d.bury(ctx, d.prefix); err != nil {
		return nil, err
	}
	return d.finish(ctx, fenced)
}

// unfinished says what remains.
func (d *removal) unfinished(err error) error {
	const most = 4
	left := d.living[min(d.buried, len(d.living)):]
	more := ""
	if len(left) > most {
		more = fmt.Sprintf("%d more, ", len(left)-most)
		left = left[:most]
	}
	names := ""
	for _, name := range left {
		names += name + ", "
	}
	of := ""
	if !d.scope.person {
		of = fmt.Sprintf(" and %d rows of its subjects", d.others)
		if d.buried == 0 {
			names = "subjects, " + names
		}
	}
	return fmt.Errorf("fenced; %d of %d key versions%s destroyed; remaining: %s%sthe receipt: repeat the call: %w", d.buried, len(d.living), of, names, more, err)
}

// slack is added to when caches are clear: for calls that were under way when a key's time was over, and for timers that are late.
const slack = 2 * time.Second

// finish says in the head that all is destroyed.
func (d *removal) finish(ctx context.Context, fenced time.Time) (*stored, error) {
	for range retries {
		rows, err := d.ring.read(ctx, d.prefix)
		if err != nil {
			return nil, err
		}
		h := rows.head
		switch {
		case !h.fenced() || h.Erasure == nil || rows.alive():
			return nil, errConflict("no longer erased")
		case h.State == erased:
			return rows, nil
		}
		own := *h.Erasure
		own.Fenced = h.Since
		// Who read the rows before the fence uses them for its CacheTTL, and had its CacheTTL written to the store before it read: so the longest that
		// is there after the fence counts, from when the fence was known to be in place. Those that read later don't get any keys.
		longest, err := d.ring.longestTTL(ctx)
		if err != nil {
			return nil, err
		}
		own.ClearBy = fenced.Add(longest + slack + time.Second).UTC().Truncate(time.Second)
		tenant := rows
		if d.scope.person {
			tenant, err = d.ring.read(ctx, tenantPrefix(d.scope.tenant)) // nothing is left that a newer wrap key could wrap
		} else {
			own.Subjects, own.Keys, err = d.count(ctx)
		}
		if err != nil {
			return nil, err
		}
		own.Wraps = tenant.latest(kindWrap)
		h.State, h.Erasure = erased, &own
		if err := d.ring.apply(ctx, rows.put(h)); err != nil && !errors.Is(err, ErrConflict) {
			return nil, err
		}
	}
	return nil, errConflict("final state")
}

// alive tells whether a key is left.
func (s *stored) alive() bool {
	for _, k := range s.keys {
		if k.Destroyed == nil {
			return true
		}
	}
	return false
}

// longestTTL is for how long any process uses what it has read.
func (r *ring) longestTTL(ctx context.Context) (time.Duration, error) {
	f, row, err := r.fleet(ctx)
	if err != nil {
		return 0, err
	}
	if row.Revision == 0 { // somebody removed it
		return maxWindow, nil
	}
	return time.Duration(f.CacheTTL) * time.Millisecond, nil
}
