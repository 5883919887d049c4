package envelope

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
)

// Report is what a run of [Keyring.Rewrap] did.
type Report struct {
	// Cursor is where a later run can go on: all keys up to it are done. It stays before the first one that failed. "" before the first that is done.
	Cursor string
	// Keys is how many keys were looked at: the sum of Rewrapped, or in a dry run those that would be, Fresh, which needed nothing, and Failed. Destroyed keys don't count.
	Keys, Rewrapped, Fresh, Failed int
	// Reasons is Failed by reason, as [Class] names it. nil when none failed.
	Reasons map[string]int
	// Failures is Failed by tenant and reason, as they came, the first 1000 of such pairs.
	Failures []RewrapFailure
}

// RewrapFailure is why keys of a tenant could not be rewrapped.
type RewrapFailure struct {
	Tenant string // "" where the row's name is of none
	Reason string // as [Class] names it
	Keys   int
	Err    error // of the first key
}

const maxFailures = 1000 // pairs of tenant and reason

// outcome is how a row of a run ended.
type outcome int

const (
	interrupted outcome = iota // not done, since the run ended
	failed
	destroyed // there is no key any more
	fine      // wrapped as it should be
	rewrapped
)

// tally counts how rows ended, in any order, and moves the cursor over those that are done. It is safe for concurrent use.
type tally struct {
	progress func(Report)

	mu     sync.Mutex
	report Report
	next   int            // the number of the first row that is not done
	done   map[int]string // the names of those behind it that are
	end    int            // the number of the first row that failed
	pairs  map[pair]int   // where Failures has them
}

type pair struct{ tenant, reason string }

func newTally(cursor string, progress func(Report)) *tally {
	return &tally{progress: progress, report: Report{Cursor: cursor}, done: map[int]string{}, end: math.MaxInt, pairs: map[pair]int{}}
}

// note takes in how the row with a number ended. err, of a tenant, says why it failed.
func (t *tally) note(n int, name string, o outcome, tenant string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch o {
	case failed:
		t.report.Keys++
		t.fail(tenant, err)
	case fine:
		t.report.Keys++
		t.report.Fresh++
	case rewrapped:
		t.report.Keys++
		t.report.Rewrapped++
	}
	if o == failed || o == interrupted {
		t.end = min(t.end, n)
	} else if n < t.end {
		t.done[n] = name
	}
	for name, ok := t.done[t.next]; ok; name, ok = t.done[t.next] {
		t.report.Cursor = name
		delete(t.done, t.next)
		t.next++
	}
	if t.progress != nil && o != interrupted {
		r := t.report
		r.Reasons, r.Failures = nil, nil
		t.progress(r)
	}
}

// fail counts a key that failed. Call it under mu.
func (t *tally) fail(tenant string, err error) {
	t.report.Failed++
	if t.report.Reasons == nil {
		t.report.Reasons = map[string]int{}
	}
	at := pair{tenant, Class(err)}
	t.report.Reasons[at.reason]++
	i, ok := t.pairs[at]
	if !ok {
		if i = len(t.report.Failures); i == maxFailures {
			return
		}
		t.pairs[at] = i
		t.report.Failures = append(t.report.Failures, RewrapFailure{Tenant: tenant, Reason: at.reason, Err: err})
	}
	t.report.Failures[i].Keys++
}

// total returns the report, and an error where keys failed. Nothing may be noted any more.
func (t *tally) total() (Report, error) {
	r := t.report
	if r.Failed == 0 {
		return r, nil
	}
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(r.Reasons)) {
		reasons = append(reasons, fmt.Sprintf("%s %d", reason, r.Reasons[reason]))
	}
	return r, fmt.Errorf("rewrap: %d of %d keys failed (%s), first %w", r.Failed, r.Keys, strings.Join(reasons, ", "), r.Failures[0].Err)
}
