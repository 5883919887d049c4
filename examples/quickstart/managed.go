package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/boltstore"
)

// managed is the second half of the walk: the same customers under keys that a keyring keeps.
type managed struct {
	*walk
	store  *boltstore.Store
	public ed25519.PublicKey // of who signs receipts
	acme   envelope.Tenant
	globex envelope.Tenant
	cells  []*cell
}

// cell is a value of the application's own table, which holds the record and not the text.
type cell struct {
	row, column string
	scope       envelope.Scope
	record      []byte
	text        string // to compare
}

// binding says where the cell is. It is made anew to open it, and stored nowhere.
func (c *cell) binding() envelope.Binding { return envelope.Bind("customers", c.column, c.row) }

// keepKeys walks through a keyring whose store is a file beside the key.
func (w *walk) keepKeys(ctx context.Context) error {
	fmt.Fprintln(w.out, "\nNow with an envelope.Keyring: a key for every tenant and for persons, kept wrapped in keys.db.")
	store, err := boltstore.Open(filepath.Join(w.dir, "keys.db"), nil)
	if err != nil {
		return err
	}
	defer store.Close()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	ring, err := envelope.NewKeyring("quickstart", store, envelope.SingleRoot(w.key.Key()), &envelope.KeyringOptions{Signer: private})
	if err != nil {
		return err
	}
	defer ring.Close()
	m := &managed{walk: w, store: store, public: public, acme: ring.Tenant("acme"), globex: ring.Tenant("globex")}
	return inTurn(ctx, m.sealForTenants, m.sealForPersons, m.rotateTenant,
		func(ctx context.Context) error { return m.erasePerson(ctx, ring) })
}

// seal fills the cell, and sees that it opens.
func (m *managed) seal(ctx context.Context, c *cell) (err error) {
	if c.record, err = c.scope.Seal(ctx, []byte(c.text), c.binding()); err != nil {
		return err
	}
	m.cells = append(m.cells, c)
	return c.compare(ctx)
}

// compare opens the cell.
func (c *cell) compare(ctx context.Context) error {
	text, err := c.scope.Open(ctx, c.record, c.binding())
	if err == nil && string(text) != c.text {
		err = fmt.Errorf("row %s, %s: it came back changed", c.row, c.column)
	}
	return err
}

// refuses opens the cell for a scope, as what is at a place, and expects the error want.
func (m *managed) refuses(ctx context.Context, what string, c *cell, by envelope.Scope, as envelope.Binding, want error) error {
	_, err := by.Open(ctx, c.record, as)
	switch {
	case err == nil:
		return fmt.Errorf("%s: it opened", what)
	case !errors.Is(err, want):
		return fmt.Errorf("%s: another error than expected: %w", what, err)
	}
	m.row(what, "%s", cause(err))
	return nil
}

// cause is what is behind an error of a keyring, without the ids that stand in front.
func cause(err error) string {
	if e, ok := errors.AsType[*envelope.Error](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}
