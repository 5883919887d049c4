package envelope

import (
	"context"
	"iter"
)

// Tenants lists the tenants that the store has rows of, destroyed ones too, each once, in the order of their rows: that of their percent-encoded ids. Tenants that
// appear meanwhile may be missing. An error of the store ends it; one about a row whose name is of no tenant does not, so that the others can still be found.
func (r *Keyring) Tenants(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if r == nil || r.get == nil {
			yield(edge("", invalid("zero Keyring: use NewKeyring")))
			return
		}
		r.get().eachTenant(ctx, func(tenant string, err error) bool { return yield(edge(tenant, err)) })
	}
}

func (r *ring) eachTenant(ctx context.Context, yield func(string, error) bool) {
	if err := r.begin(); err != nil {
		yield("", err)
		return
	}
	defer r.work.Done()
	if _, _, err := r.fleet(ctx); err != nil { // a store of another deployment
		yield("", err)
		return
	}
	last := ""
	for row, err := range r.rows(ctx, tenantRows, "") {
		if err != nil {
			yield("", err)
			return
		}
		tenant, prefix, err := tenantOf(row.Key, tenantRows)
		if err == nil && prefix == last {
			continue
		}
		last = prefix
		if !yield(tenant, err) {
			return
		}
	}
}

// rows lists the rows whose names start with prefix and come after after. An error is the last.
func (r *ring) rows(ctx context.Context, prefix, after string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for {
			page, err := r.store.List(ctx, prefix, after, pageSize)
			if err != nil {
				yield(Row{}, storeFailure(ctx, err))
				return
			}
			for _, row := range page {
				if !yield(row, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			after = page[len(page)-1].Key
		}
	}
}
