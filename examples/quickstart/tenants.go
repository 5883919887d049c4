package main

import (
	"context"
	"errors"
	"strings"

	"github.com/holdfast-go/holdfast/envelope"
)

// columns are those of customers.csv that are sealed.
var columns = [...]string{"name", "email", "iban"}

// isPerson tells which customers get keys of their own: what is to be erased on its own needs one.
func isPerson(id string) bool { return id == "7" || id == "8" }

// cellsOf returns the cells of a line of customers.csv.
func cellsOf(line string, scope envelope.Scope) (id string, cells []*cell) {
	values := strings.Split(line, ",")
	for i, column := range columns {
		cells = append(cells, &cell{row: values[0], column: column, scope: scope, text: values[1+i]})
	}
	return values[0], cells
}

// sealForTenants seals the first half of the customers for one tenant, the second for another, and leaves out the persons.
func (m *managed) sealForTenants(ctx context.Context) error {
	m.title("Seal customers of two tenants, each value bound to its column and row")
	before := m.calls.Load()
	for i, line := range m.rows {
		tenant := m.acme
		if i >= len(m.rows)/2 {
			tenant = m.globex
		}
		id, cells := cellsOf(line, tenant)
		for _, c := range cells {
			if isPerson(id) {
				continue
			}
			if err := m.seal(ctx, c); err != nil {
				return err
			}
		}
	}
	shown := m.cells[1]
	if shown.column != "email" {
		return errors.New("the second column should be the address")
	}
	m.row("before", "%s", shown.text)
	m.row("as a record, on disk", "%s", head(shown.record, 20))
	m.row("overhead", "%d bytes: f5, the key's id, and what a record of aead.Key has", len(shown.record)-len(shown.text))
	m.row("calls to the KMS", "%d, to make two keys, for %d records sealed and opened", m.calls.Load()-before, len(m.cells))
	if err := m.refuses(ctx, "acme's value, for globex", shown, m.globex, shown.binding(), envelope.ErrWrongScope); err != nil {
		return err
	}
	elsewhere := envelope.Bind("customers", "email", "2")
	return m.refuses(ctx, "as that of another row", shown, m.acme, elsewhere, envelope.ErrOpen)
}
