package sqltest

import (
	"cmp"
	"errors"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
)

// history is what the journals say together.
type history struct {
	counts     map[string]int
	records    []deed
	uses       []deed // of keys, to seal or open
	rotations  []deed
	erasures   map[place]map[string]bool // references of all that were tried
	erased     map[place]bool            // acknowledged
	readmitted map[place]bool            // tried
	ends       map[string]time.Time      // of the keys that were erased: when no cache has them any more
	skips      map[place]bool
}

func newHistory(t *testing.T, all []deed) *history {
	t.Helper()
	h := &history{
		counts: map[string]int{}, erasures: map[place]map[string]bool{}, erased: map[place]bool{}, readmitted: map[place]bool{}, ends: map[string]time.Time{}, skips: map[place]bool{},
	}
	for _, d := range all {
		h.counts[d.What]++
		switch p := d.place(); d.What {
		case sealed:
			h.records = append(h.records, d)
			h.uses = append(h.uses, d)
		case opened:
			h.uses = append(h.uses, d)
		case rotated:
			h.rotations = append(h.rotations, d)
		case erasing:
			if h.erasures[p] == nil {
				h.erasures[p] = map[string]bool{}
			}
			h.erasures[p][d.Ref] = true
		case erased:
			h.erased[p] = true
			for _, id := range d.Keys {
				if at, known := h.ends[id]; !known || d.ClearBy.Before(at) {
					h.ends[id] = d.ClearBy
				}
			}
		case readmitting:
			h.readmitted[p] = true
		case skipped:
			h.skips[p] = true
		case wrong:
			t.Errorf("%s: %s", d.Tenant, d.Text)
		}
	}
	return h
}

// tried tells whether somebody wanted the keys of a place destroyed, or with a ref, under this one.
func (h *history) tried(p place, ref string) bool {
	for _, refs := range []map[string]bool{h.erasures[p], h.erasures[place{tenant: p.tenant}]} {
		if refs[ref] || ref == "" && len(refs) > 0 {
			return true
		}
	}
	return false
}

// gone tells whether all keys that a place ever had are destroyed.
func (h *history) gone(p place) bool {
	return h.erased[p] && !h.readmitted[p] || h.erased[place{tenant: p.tenant}]
}

// audit compares what the journals say with what the store has and what opens, in a process that has used no key before.
func audit(t *testing.T, dir, dsn string) {
	h := newHistory(t, deeds(t, dir))
	t.Logf("%v", h.counts)
	for p := range h.skips {
		require.True(t, h.tried(p, ""), "%q: nobody wanted anything of it erased", p)
	}
	for _, d := range h.uses {
		if end, over := h.ends[d.Keys[0]]; over {
			require.False(t, d.Time.After(end), "%q: key %s %s %v after its end", d.place(), d.Keys[0], d.What, d.Time.Sub(end))
		}
	}
	r := fleetKeyring(t, dir, dsn, 0)
	h.auditRecords(t, r)
	h.finish(t, r, readFleetRows(t, dsn))
	h.auditRecords(t, fleetKeyring(t, dir, dsn, 0))
	h.auditRows(t, readFleetRows(t, dsn))
}

// auditRecords opens every record that was acknowledged: it has the right plaintext, or somebody wanted it erased.
func (h *history) auditRecords(t *testing.T, r *envelope.Keyring) {
	t.Helper()
	slices.SortFunc(h.records, func(a, b deed) int { // so that the keys of a place are loaded once
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Subject, b.Subject))
	})
	errs := make([]error, len(h.records))
	var workers sync.WaitGroup
	for w := range fleetSize {
		workers.Go(func() {
			for i := w * len(errs) / fleetSize; i < (w+1)*len(errs)/fleetSize; i++ {
				errs[i] = checkRecord(t.Context(), r, h.records[i])
			}
		})
	}
	workers.Wait()
	living := 0
	for i, d := range h.records {
		p := d.place()
		var why *envelope.Error
		switch err := errs[i]; {
		case err == nil:
			living++
			require.False(t, h.gone(p), "%q: all of it was erased, and a record opens", p)
			require.Zero(t, h.ends[d.Keys[0]], "%q: its key was erased, and a record opens", p)
		case errors.As(err, &why) && errors.Is(err, envelope.ErrErased):
			require.True(t, h.tried(p, why.Ref), "%q: erased under %q", p, why.Ref)
		default:
			require.NoError(t, err, "%q", p)
		}
	}
	t.Logf("%d of %d records open", living, len(h.records))
	require.NotZero(t, living)
	require.Less(t, living, len(h.records))
}

// finish does what is left of the erasures that were cut short: who has no receipt repeats the call.
func (h *history) finish(t *testing.T, r *envelope.Keyring, rows fleetRows) {
	t.Helper()
	for p, prefix := range rows.prefixes(t, h) {
		if rows.head(t, prefix).State != "erasing" {
			continue
		}
		e := envelope.Erasure{Ref: "finish"}
		var err error
		if p.subject == "" {
			_, err = r.Tenant(p.tenant).Destroy(t.Context(), e, p.tenant)
		} else if rows.head(t, "tenant/"+url.PathEscape(p.tenant)+"/").State == "active" {
			_, err = r.Tenant(p.tenant).Subject(p.subject).Erase(t.Context(), e)
		}
		require.NoError(t, err)
		h.erased[p] = true
		delete(h.readmitted, p)
	}
}
