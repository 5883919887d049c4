package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-go/holdfast/envelope"
)

// rotateTenant gives acme a new version of its key and moves a record to it.
func (m *managed) rotateTenant(ctx context.Context) error {
	m.title("Rotate acme's key, and reseal a record at leisure")
	if _, err := m.acme.Rotate(ctx); err != nil {
		return err
	}
	for _, tenant := range []envelope.Tenant{m.acme, m.globex} {
		versions := ""
		for key, err := range tenant.Versions(ctx) {
			if err != nil {
				return err
			}
			versions += fmt.Sprintf(", %d (%.8s..)", key.Version, key.ID)
		}
		m.row("versions of "+tenant.ID()+"'s key", "%s", versions[2:])
	}
	c := m.cells[0]
	old := c.record
	if err := c.compare(ctx); err != nil {
		return err
	}
	record, err := m.acme.Reseal(ctx, old, c.binding())
	if err != nil {
		return err
	}
	c.record = record
	if err := c.compare(ctx); err != nil {
		return err
	}
	if string(old[1:17]) == string(record[1:17]) {
		return errors.New("resealing left the key as it was")
	}
	m.row("a record of version 1", "%s  opens, as before", head(old, 10))
	m.row("resealed", "%s  opens, too", head(record, 10))
	return nil
}
