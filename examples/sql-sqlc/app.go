package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/examples/sql-sqlc/db"
)

type app struct {
	queries *db.Queries
	table   *field.Table[db.Customer]
	acme    envelope.Tenant
	out     io.Writer
}

// list prints the rows that keep wants. One that does not open is a line of its own, and breaks nothing.
func (a *app) list(ctx context.Context, title string, keep func(*db.Customer) bool, rows []db.Customer) {
	fmt.Fprintln(a.out, title)
	for i := range rows {
		c := &rows[i]
		if err := a.table.Open(ctx, a.acme, c); err != nil {
			fmt.Fprintf(a.out, "  %.4s does not open: %s\n", c.ID, envelope.Class(err))
		} else if keep(c) {
			email, _ := c.Email.Get()
			phone, _ := c.Phone.Get() // "" where it is NULL
			fmt.Fprintf(a.out, "  %.4s %s %s\n", c.ID, email, phone)
		}
	}
}

func (a *app) run(ctx context.Context) error {
	ada := db.Customer{ID: rand.Text(), Email: field.Of("Ada@example.com"), Phone: field.Null[string]()}
	bob := db.Customer{ID: rand.Text(), Email: field.Of("bob@example.com"), Phone: field.Of("+46 8 123 456")}
	for _, c := range []*db.Customer{&ada, &bob} {
		if err := a.table.Seal(ctx, a.acme, c); err != nil {
			return err
		}
		if err := a.queries.InsertCustomer(ctx, db.InsertCustomerParams(*c)); err != nil {
			return err
		}
	}

	ada.Phone = field.Of("+44 20 7946 0958")
	if err := a.table.Seal(ctx, a.acme, &ada, "phone"); err != nil { // of a column with an index, write both
		return err
	}
	if err := a.queries.SetPhone(ctx, db.SetPhoneParams{ID: ada.ID, Phone: ada.Phone}); err != nil {
		return err
	}

	q, err := a.table.Find(ctx, a.acme, "email_eq", " ADA@example.COM ")
	if err != nil {
		return err
	}
	found, err := a.queries.FindByEmail(ctx, q.Terms())
	if err != nil {
		return err
	}
	a.list(ctx, "found by e-mail:", q.Keep, found)

	// The person's key goes. The index is under another, and has to be cleared: see Table.IndexColumns.
	if _, err := a.acme.Subject(bob.ID).Erase(ctx, envelope.Erasure{Ref: "case-2041", Basis: "Art. 17(1)(b)"}); err != nil {
		return err
	}
	if err := a.queries.ClearIndexes(ctx, bob.ID); err != nil {
		return err
	}
	all, err := a.queries.ListCustomers(ctx)
	if err != nil {
		return err
	}
	a.list(ctx, "after an erasure:", func(*db.Customer) bool { return true }, all)
	return a.queries.DeleteCustomers(ctx, []string{ada.ID, bob.ID})
}
