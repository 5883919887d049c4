package envelope

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// fleet is the row that all processes of a deployment share.
type fleet struct {
	Format     int    `json:"format"`
	Deployment string `json:"deployment"`
	CacheTTL   int64  `json:"cache_ttl_ms"` // the longest that any process has
}

// announce has the store know how long this process may use what it has read, before it reads anything: a receipt of an erasure states the longest.
func (r *ring) announce(ctx context.Context) error {
	if r.announced.Load() {
		return nil
	}
	for range retries {
		have, row, err := r.fleet(ctx)
		if err != nil {
			return err
		}
		mine := r.CacheTTL.Milliseconds() + 1
		if row.Revision != 0 && have.CacheTTL >= mine {
			r.announced.Store(true)
			return nil
		}
		row.Key, row.Value = fleetRow, encodeRow(fleet{Format: rowFormat, Deployment: r.deployment, CacheTTL: mine})
		if err := r.apply(ctx, Change{Row: row}); err != nil && !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return errConflict("row " + fleetRow)
}

const retries = 64 // of a compare-and-swap

// fleet reads what all processes share.
func (r *ring) fleet(ctx context.Context) (fleet, Row, error) {
	row, err := r.get(ctx, fleetRow)
	if err != nil || row.Revision == 0 {
		return fleet{}, row, err
	}
	var f fleet
	if err := decodeRow(row, &f); err != nil {
		return fleet{}, row, err
	}
	if f.Format != rowFormat || f.CacheTTL <= 0 || f.CacheTTL > (maxWindow+time.Minute).Milliseconds() {
		return fleet{}, row, fmt.Errorf("%w: row %q has format %d, cache_ttl_ms %d", ErrFormat, fleetRow, f.Format, f.CacheTTL)
	}
	if f.Deployment != r.deployment {
		return fleet{}, row, invalid("the store is of the deployment %.64q, not %.64q: give each a store of its own", f.Deployment, r.deployment)
	}
	return f, row, nil
}
