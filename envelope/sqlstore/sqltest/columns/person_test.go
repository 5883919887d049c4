package columns

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/field"
)

// person is a row of most tests.
type person struct {
	ID      string
	Email   field.Field[string] `seal:"email"`
	EmailEq field.Index         `seal:"email_eq,of=email,norm=email/v1"`
	Phone   field.Field[string] `seal:"phone"`
	Note    string              // a plain column
}

var personColumn = []string{"email", "email_eq", "phone", "note"}

func (p *person) id() string { return p.ID }

func (p *person) values() []any { return []any{p.ID, p.Email, p.EmailEq, p.Phone, []byte(p.Note)} }

func (p *person) scan(scan func(...any) error) error {
	var note []byte
	err := scan(&p.ID, &p.Email, &p.EmailEq, &p.Phone, &note)
	p.Note = string(note)
	return err
}

// newPerson is the nth person, whose values say so.
func newPerson(n int) *person {
	return &person{ID: fmt.Sprintf("p%04d", n), Email: field.Of(fmt.Sprintf("person%d@example.com", n)), Phone: field.Of(fmt.Sprintf("+46 %d", n)), Note: "plain"}
}

// people is a table of persons, whose keys are the tenant's, or their own.
func people(t testing.TB, name string, own bool) *field.Table[person] {
	t.Helper()
	s := field.Spec[person]{Row: (*person).id, Indexes: map[string]field.Plan{"email_eq": plan(t)}}
	if own {
		s.Subject = (*person).id
	}
	table, err := field.NewTable(name, s)
	require.NoError(t, err)
	return table
}

// add seals and inserts a person.
func add(t testing.TB, c client, name string, table *field.Table[person], tn envelope.Tenant, p *person) {
	t.Helper()
	require.NoError(t, table.Seal(t.Context(), tn, p))
	must(t, c, 1, insert(name, personColumn...), p.values()...)
}

// page reads rows, none of which it opens.
func page(t testing.TB, c client, name, where string, args ...any) (all []*person) {
	t.Helper()
	require.NoError(t, c.query(t.Context(), "SELECT id, email, email_eq, phone, note FROM "+name+" "+where, args, func(scan func(...any) error) error {
		p := &person{}
		all = append(all, p)
		return p.scan(scan)
	}))
	return all
}
