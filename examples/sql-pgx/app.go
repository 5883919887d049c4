package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/field"
)

type app struct {
	pool  *pgxpool.Pool
	table *field.Table[customer]
	acme  envelope.Tenant
	out   io.Writer
}

func (a *app) insert(ctx context.Context, c *customer) error {
	if err := a.table.Seal(ctx, a.acme, c); err != nil {
		return err
	}
	_, err := a.pool.Exec(ctx, "INSERT INTO holdfast_customers VALUES ($1, $2, $3, $4)", c.ID, c.Email, c.EmailEq, c.Phone)
	return err
}

// list prints the rows that keep wants. One that does not open is a line of its own, and breaks nothing.
func (a *app) list(ctx context.Context, title string, keep func(*customer) bool, where string, args ...any) error {
	rows, err := a.pool.Query(ctx, "SELECT id, email, email_eq, phone FROM holdfast_customers "+where, args...)
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[customer])
	if err != nil {
		return err
	}
	fmt.Fprintln(a.out, title)
	for _, c := range found {
		if err := a.table.Open(ctx, a.acme, c); err != nil {
			fmt.Fprintf(a.out, "  %.4s does not open: %s\n", c.ID, envelope.Class(err))
		} else if keep(c) {
			email, _ := c.Email.Get()
			phone, _ := c.Phone.Get() // "" where it is NULL
			fmt.Fprintf(a.out, "  %.4s %s %s\n", c.ID, email, phone)
		}
	}
	return nil
}

func (a *app) run(ctx context.Context) error {
	ada := customer{ID: rand.Text(), Email: field.Of("Ada@example.com"), Phone: field.Null[string]()}
	bob := customer{ID: rand.Text(), Email: field.Of("bob@example.com"), Phone: field.Of("+46 8 123 456")}
	for _, c := range []*customer{&ada, &bob} {
		if err := a.insert(ctx, c); err != nil {
			return err
		}
	}

	ada.Phone = field.Of("+44 20 7946 0958")
	if err := a.table.Seal(ctx, a.acme, &ada, "phone"); err != nil { // of a column with an index, write both
		return err
	}
	if _, err := a.pool.Exec(ctx, "UPDATE holdfast_customers SET phone = $2 WHERE id = $1", ada.ID, ada.Phone); err != nil {
		return err
	}

	q, err := a.table.Find(ctx, a.acme, "email_eq", " ADA@example.COM ")
	if err != nil {
		return err
	}
	if err := a.list(ctx, "found by e-mail:", q.Keep, "WHERE email_eq = ANY($1)", q.Terms()); err != nil {
		return err
	}

	// The person's key goes. The index is under another, and has to be cleared: see Table.IndexColumns.
	if _, err := a.acme.Subject(bob.ID).Erase(ctx, envelope.Erasure{Ref: "case-2041", Basis: "Art. 17(1)(b)"}); err != nil {
		return err
	}
	if _, err := a.pool.Exec(ctx, "UPDATE holdfast_customers SET email_eq = NULL WHERE id = $1", bob.ID); err != nil {
		return err
	}
	if err := a.list(ctx, "after an erasure:", func(*customer) bool { return true }, "ORDER BY id"); err != nil {
		return err
	}
	_, err = a.pool.Exec(ctx, "DELETE FROM holdfast_customers WHERE id = ANY($1)", []string{ada.ID, bob.ID})
	return err
}
