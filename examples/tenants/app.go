package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/holdfast-go/holdfast/envelope"
)

// app is the service: its table holds records, and no value in the clear.
type app struct {
	db   *sql.DB
	ring *envelope.Keyring
	out  io.Writer
}

// place is where a value lies, and whose it is: a tenant's, or a person's of the tenant.
type place struct {
	owner        envelope.Scope
	tenant, name string
}

func (p place) binding() envelope.Binding { return envelope.Bind("example", p.name) } // a record that was moved does not open

func (a *app) put(ctx context.Context, p place, text string) error {
	record, err := p.owner.Seal(ctx, []byte(text), p.binding())
	if err == nil {
		_, err = a.db.ExecContext(ctx, `INSERT INTO holdfast_example VALUES ($1, $2, $3)
			ON CONFLICT (tenant, name) DO UPDATE SET record = EXCLUDED.record`, p.tenant, p.name, record)
	}
	return err
}

// get prints the text at a place, or why it does not open.
func (a *app) get(ctx context.Context, p place) (record []byte, err error) {
	query := "SELECT record FROM holdfast_example WHERE tenant = $1 AND name = $2"
	if err := a.db.QueryRowContext(ctx, query, p.tenant, p.name).Scan(&record); err != nil {
		return nil, err
	}
	text, err := p.owner.Open(ctx, record, p.binding())
	if err != nil {
		text = []byte(err.Error())
	}
	fmt.Fprintf(a.out, "%-7s %-13s %s\n", p.tenant, p.name, text)
	return record, nil
}

// reseal moves the record at a place to its owner's current key, unless somebody writes another one meanwhile.
func (a *app) reseal(ctx context.Context, p place) error {
	old, err := a.get(ctx, p)
	if err != nil {
		return err
	}
	record, err := p.owner.Reseal(ctx, old, p.binding())
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "Rotate, Reseal: under key %.4x.. before, %.4x.. after\n", old[1:], record[1:])
	_, err = a.db.ExecContext(ctx, "UPDATE holdfast_example SET record = $3 WHERE tenant = $1 AND name = $2 AND record = $4", p.tenant, p.name, record, old)
	return err
}

func (a *app) run(ctx context.Context, receiptFile string) error {
	_, err := a.db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS holdfast_example (tenant text, name text, record bytea NOT NULL, PRIMARY KEY (tenant, name))")
	if err != nil {
		return err
	}
	acme, id := a.ring.Tenant("acme"), rand.Text()[:6] // another person in each run, for an erasure is for good
	person := acme.Subject(id)
	token, email := place{acme, "acme", "token"}, place{person, "acme", "email/" + id}
	for i, p := range []place{token, email, {acme.Subject("bob"), "acme", "email/bob"}, {a.ring.Tenant("globex"), "globex", "token"}} {
		if err := a.put(ctx, p, fmt.Sprintf("secret number %d", i+1)); err != nil {
			return err
		}
		if _, err := a.get(ctx, p); err != nil {
			return err
		}
	}
	if _, err := acme.Rotate(ctx); err != nil {
		return err
	}
	if err := a.reseal(ctx, token); err != nil {
		return err
	}

	receipt, err := person.Erase(ctx, envelope.Erasure{Ref: "case-2041", Basis: "Art. 17(1)(b)"})
	if err != nil {
		return err
	}
	page, err := json.Marshal(receipt)
	if err != nil {
		return err
	}
	if err := os.WriteFile(receiptFile, page, 0o600); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "Erase: the receipt is %s\n", receiptFile)
	if _, err := a.get(ctx, email); err != nil {
		return err
	}
	// The person's key is written over. After this an old row with it, as backups and dead rows of PostgreSQL have, does not open either.
	done, err := a.ring.Compact(ctx, "acme")
	fmt.Fprintf(a.out, "Compact: keys of living persons wrapped anew: %d; old wrap keys destroyed: %d\n", done.Rewrapped, done.Destroyed)
	return err
}
