package field

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/kms"
)

// mode is what a pass is for.
type mode uint8

const (
	writing mode = iota
	counting
	verifying
)

// pass is one call of a batch.
type pass[R any] struct {
	*backfill[R]
	mode  mode
	rows  map[string]bool // by id: those that are up to date, to be looked at again where it verifies
	count BackfillReport
	wrote bool
	stop  error // why the whole run must end
}

// read calls the batch.
func (p *pass[R]) read(ctx context.Context, after string) (string, error) {
	last, err := p.batch(ctx, after, p.Limit, func(r *R) ([]string, error) {
		if p.stop != nil {
			return nil, p.stop
		}
		var columns []string
		columns, p.stop = p.each(ctx, r)
		return columns, p.stop
	})
	if p.stop != nil { // even where the batch keeps it to itself
		err = p.stop
	}
	return last, err
}

// each brings a row up to date and returns the columns that changed. Its error ends the run.
func (p *pass[R]) each(ctx context.Context, r *R) ([]string, error) {
	if r == nil {
		return nil, fmt.Errorf("%w: the batch has a row that is nil", kms.ErrInvalid)
	}
	w := renewal[R]{keys: keys[R]{table: p.table, tenant: p.tenant, row: r}, mode: p.mode}
	id := p.table.row(r)
	if p.mode == verifying && !p.rows[id] { // it failed, or others inserted or deleted rows meanwhile
		return nil, nil
	}
	p.count.Rows++
	var failed []error
	for _, c := range p.table.columns {
		err := w.renew(ctx, c)
		if err == nil {
			continue
		}
		if w.ends(ctx, c, err) {
			return nil, p.table.fail(c.name, err)
		}
		if p.mode == verifying {
			err = fmt.Errorf("%w: %w", ErrUnverified, err)
		}
		failed = append(failed, p.table.fail(c.name, err))
	}
	switch err := errors.Join(failed...); {
	case err != nil && p.mode == verifying:
		return nil, err
	case err != nil:
		p.count.Failed++
		if p.Failed != nil {
			p.Failed(r, err)
		}
		return nil, nil
	}
	p.count.add(w.count)
	if p.mode != writing {
		return nil, nil
	}
	p.rows[id] = true
	w.apply(w.work)
	p.wrote = p.wrote || len(w.columns) > 0
	return w.columns, nil
}
