package envelope

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// RewrapOptions are the settings of [Keyring.Rewrap]. nil and the zero value are the defaults.
type RewrapOptions struct {
	// Tenants are those whose keys are rewrapped, such as one that moves to a KMS key of its own. nil means all, an empty list none.
	Tenants []string
	// Cursor is that of a Report of an earlier run with the same Tenants, to go on behind what it had done. "" means from the start.
	Cursor string
	// DryRun counts what would be rewrapped, and neither wraps, unwraps nor writes.
	DryRun bool
	// Workers is how many keys are rewrapped at once. 0 means 8. At most 256.
	Workers int
	// PerSecond is how many keys are rewrapped in a second at most, each with three calls to the KMS. 0 means no limit. At most 10000.
	PerSecond int
	// Progress is told how far the run is, after every key and by one goroutine at a time, which it holds up: a Report without Reasons and Failures. nil for nobody.
	Progress func(Report)
}

// Rewrap wraps the stored keys of tenants, all kinds and versions, under the current version of the KMS key that the Root returns for each, and leaves alone what is wrapped so already. Neither
// data nor keys of subjects, which are wrapped under those of tenants, change. States don't matter: a disabled tenant's keys are rewrapped too, a destroyed key stays so. A key is unwrapped, checked, wrapped, unwrapped
// and checked again before it takes the place of the old one, unless the row has changed meanwhile. Where the provider can tell its current version each KMS key is asked for it once, also in a dry run.
//
// A key that fails stops no other. The error at the end counts the failures and matches the first; the Report has them by tenant and reason, and its Cursor stays before the first. When ctx ends, the store fails or the Keyring is closed the
// run ends with that error, and the Report says what was done until then. It may be killed at any point and repeated at any time, also by several processes at once: every key opens under one of the two KMS keys throughout.
//
// To move a tenant from one KMS key to another, such as the customer's own: have the Root return kms.Rolling(to, from) in all processes, call Rewrap until it finds nothing to rewrap, wait for the longest CacheTTL
// of the processes, since they may hold rows from before, and only then have the Root return to alone. The move revokes nothing: copies of the store from before it, such as backups, still open for whoever can use the old
// KMS key, and with them all data under the keys in them. That ends when the old KMS key is destroyed.
func (r *Keyring) Rewrap(ctx context.Context, o *RewrapOptions) (Report, error) {
	if r == nil || r.get == nil {
		return edge(Report{}, invalid("zero Keyring: use NewKeyring"))
	}
	return edge(r.get().rewrap(ctx, o))
}

// rewrapping is a run of Rewrap.
type rewrapping struct {
	*ring
	*tally
	RewrapOptions
	prefixes []string // of the rows, ascending
	asked    sync.Map // KMS keys by Ref, with what asks for their version once
	tick     <-chan time.Time
}

func (r *ring) rewrap(ctx context.Context, o *RewrapOptions) (Report, error) {
	w := &rewrapping{ring: r}
	if o != nil {
		w.RewrapOptions = *o
	}
	if err := w.check(); err != nil {
		return Report{Cursor: w.Cursor}, err
	}
	if err := r.begin(); err != nil {
		return Report{Cursor: w.Cursor}, err
	}
	defer r.work.Done()
	if w.PerSecond > 0 {
		ticker := time.NewTicker(time.Second / time.Duration(w.PerSecond))
		defer ticker.Stop()
		w.tick = ticker.C
	}
	w.tally = newTally(w.Cursor, w.Progress)
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	ended := w.run(own)
	report, err := w.total()
	switch {
	case ended != nil && r.life.Err() != nil:
		return report, ErrClosed
	case ended != nil:
		return report, ended
	}
	return report, err
}

// check refuses what is out of bounds, and fills in defaults.
func (w *rewrapping) check() error {
	orDefault(&w.Workers, 8)
	switch {
	case w.Workers < 0 || w.Workers > 256:
		return invalid("RewrapOptions.Workers must be 1 to 256, or 0 for 8")
	case w.PerSecond < 0 || w.PerSecond > 10_000:
		return invalid("RewrapOptions.PerSecond must be 1 to 10000, or 0 for no limit")
	}
	if _, _, err := tenantOf(w.Cursor, tenantRows); w.Cursor != "" && (err != nil || !strings.HasPrefix(w.Cursor, tenantRows) || len(w.Cursor) > MaxRowKey) {
		return invalid("RewrapOptions.Cursor must be that of a Report")
	}
	if w.Tenants == nil {
		w.prefixes = []string{tenantRows}
	}
	for _, tenant := range w.Tenants {
		if err := checkID("tenant", tenant); err != nil {
			return err
		}
		w.prefixes = append(w.prefixes, tenantPrefix(tenant))
	}
	slices.Sort(w.prefixes)
	w.prefixes = slices.Compact(w.prefixes)
	return nil
}

// run goes through the rows. It returns why it ended early, not why keys failed.
func (w *rewrapping) run(ctx context.Context) error {
	if _, _, err := w.fleet(ctx); err != nil { // a store of another deployment
		return err
	}
	var workers errgroup.Group
	workers.SetLimit(w.Workers)
	defer workers.Wait()
	n := 0
	for _, prefix := range w.prefixes {
		for row, err := range w.rows(ctx, prefix, w.Cursor) {
			if err != nil {
				return err
			}
			if strings.HasSuffix(row.Key, "/") {
				continue // a head
			}
			number := n
			n++
			workers.Go(func() error {
				w.row(ctx, number, row)
				return nil
			})
		}
	}
	workers.Wait()
	return ctx.Err()
}
