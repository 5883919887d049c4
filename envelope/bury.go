package envelope

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
)

// bury writes over the keys under a prefix, as long as the scope stays fenced: a subject that was readmitted meanwhile has new keys.
func (d *removal) bury(ctx context.Context, under string) (int, error) {
	return d.ring.sweep(ctx, under, func(page []Row) ([]Change, error) {
		row, err := d.ring.get(ctx, d.prefix)
		if err != nil {
			return nil, err
		}
		var own head
		if err := decodeRow(row, &own); err != nil {
			return nil, err
		}
		if !own.fenced() {
			return nil, errConflict("no longer erased")
		}
		var changes []Change
		for _, r := range page {
			if c, needed := d.grave(r, under, own.Ref); needed {
				changes = append(changes, c)
			}
		}
		if len(changes) > 0 {
			changes = append(changes, Change{Row: Row{Key: d.prefix, Revision: row.Revision}, Check: true})
		}
		return changes, nil
	})
}

// grave is the change that leaves nothing of a key in its row, or that has a subject go with its tenant. It is not needed where that is so already.
func (d *removal) grave(r Row, under, ref string) (c Change, needed bool) {
	prefix := d.prefix
	if under != d.prefix {
		prefix = scopeOf(r.Key, under)
	}
	if r.Key == d.prefix {
		return Change{}, false // comes last
	}
	if r.Key == prefix {
		var h head
		if decodeRow(r, &h) == nil && h.State == erased {
			return Change{}, false
		}
		h = head{Format: rowFormat, State: erased, Since: now(), Ref: ref}
		return Change{Row: Row{Key: r.Key, Value: encodeRow(h), Revision: r.Revision}}, true
	}
	k := storedKey{name: r.Key, revision: r.Revision}
	err := decodeRow(r, &k.keyRow)
	if err == nil && k.Destroyed != nil && len(k.Wrapped) == 0 && k.Commitment == (hexBytes{}) {
		return Change{}, false
	}
	if err != nil { // what says who has been here is kept where it can be read
		k.keyRow = keyRow{}
		json.Unmarshal(r.Value, &k.keyRow)
	}
	kind, digits, _ := strings.Cut(strings.TrimPrefix(r.Key, prefix), "/")
	if version, err := strconv.ParseUint(digits, 10, 64); err == nil { // of a damaged row its name counts
		k.Kind, k.Version = kind, version
	}
	return k.tombstone(now(), ref), true
}

// count returns how many subjects of the tenant there are and how many versions of keys they had, once none of these is left.
func (d *removal) count(ctx context.Context) (subjects, keys int, err error) {
	under, last := subjectsPrefix(d.scope.tenant), ""
	for row, err := range d.ring.rows(ctx, under, "") {
		if err != nil {
			return 0, 0, err
		}
		if _, needed := d.grave(row, under, d.Ref); needed {
			return 0, 0, errConflict("a row of a subject")
		}
		prefix := scopeOf(row.Key, under)
		if prefix != last {
			subjects++
			last = prefix
		}
		if row.Key != prefix {
			keys++
		}
	}
	return subjects, keys, nil
}
