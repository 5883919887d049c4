package main

import (
	"context"
	"strings"

	"github.com/holdfast-go/holdfast/envelope"
)

// sealForPersons seals two customers of acme under keys of their own, and shows the rows of acme's keys.
func (m *managed) sealForPersons(ctx context.Context) error {
	m.title("Give two persons keys of their own, so that each can be erased")
	before, persons := m.calls.Load(), 0
	for _, line := range m.rows {
		id, _, _ := strings.Cut(line, ",")
		if !isPerson(id) {
			continue
		}
		persons++
		_, cells := cellsOf(line, m.acme.Subject(id))
		for _, c := range cells {
			if err := m.seal(ctx, c); err != nil {
				return err
			}
		}
	}
	last := m.cells[len(m.cells)-1]
	m.row("calls to the KMS", "%d, to make a wrap and a lookup key, for all persons of acme", m.calls.Load()-before)
	if err := m.refuses(ctx, "a person's, for acme", last, m.acme, last.binding(), envelope.ErrWrongScope); err != nil {
		return err
	}
	m.row("", "")
	return m.showRows(ctx)
}

// showRows says what the rows of acme's keys are: FORMAT.md section 6.
func (m *managed) showRows(ctx context.Context) error {
	label := "in keys.db"
	for _, kind := range []struct{ rows, key, does string }{
		{"tenant/acme/", "data/", "seals; wrapped by the KMS"},
		{"tenant/acme/", "wrap/", "wraps the keys of persons; wrapped by the KMS"},
		{"tenant/acme/", "lookup/", "makes of a person's id the hash below; wrapped by the KMS"},
		{"subject/acme/", "data/", "seals; wrapped by the wrap key"},
	} {
		rows, err := m.store.List(ctx, kind.rows, "", 100)
		if err != nil {
			return err
		}
		for _, row := range rows {
			scope, version, found := strings.Cut(strings.TrimPrefix(row.Key, kind.rows), kind.key)
			if !found {
				continue // another key, or a state
			}
			if scope != "" {
				scope = scope[:4] + "../"
			}
			m.row(label, "%-30s %s", kind.rows+scope+kind.key+strings.TrimLeft(version, "0"), kind.does)
			label = ""
		}
	}
	return nil
}
