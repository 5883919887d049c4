package envelope

import (
	"context"
	"errors"
	"strings"
)

const sweepPage = MaxChanges - 1 // rows: their changes fit one Apply together with a Check

// sweep writes the changes that edit makes of the rows under prefix, page by page, each page in one step. It returns how many rows it has written. After a conflict, of edit's or
// the store's, it lists the page again, so edit may see rows twice and must leave alone what is as it should be.
func (r *ring) sweep(ctx context.Context, prefix string, edit func(page []Row) ([]Change, error)) (written int, err error) {
	conflicts := 0
	for after := ""; ; {
		page, err := r.store.List(ctx, prefix, after, sweepPage)
		if err != nil {
			return written, storeFailure(ctx, err)
		}
		changes, err := edit(page)
		if err == nil && len(changes) > 0 {
			err = r.apply(ctx, changes...)
		}
		if errors.Is(err, ErrConflict) && conflicts < retries {
			conflicts++
			continue
		}
		if err != nil {
			return written, err
		}
		conflicts = 0
		for _, c := range changes {
			if !c.Check {
				written++
			}
		}
		if len(page) < sweepPage {
			return written, nil
		}
		after = page[len(page)-1].Key
	}
}

// scopeOf returns the prefix of the scope that a row is of, where the rows of the scopes begin with under and a name: those of a tenant's subjects.
func scopeOf(name, under string) string {
	if i := strings.IndexByte(strings.TrimPrefix(name, under), '/'); i >= 0 {
		return name[:len(under)+i+1]
	}
	return under
}
