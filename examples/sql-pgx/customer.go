package main

import "github.com/holdfast-go/holdfast/envelope/field"

// The constraints refuse what is no record, from programs that write past Table.Seal and from people.
const schema = `CREATE TABLE IF NOT EXISTS holdfast_customers (
	id       text PRIMARY KEY,
	email    bytea NOT NULL CHECK (get_byte(email, 0) = 245 AND length(email) >= 58),
	email_eq bytea UNIQUE CHECK (length(email_eq) = 16),
	phone    bytea CHECK (get_byte(phone, 0) = 245 AND length(phone) >= 58))`

// customer is a row. pgx scans columns into the fields of the same names but for case and underscores.
type customer struct {
	ID      string              // known before INSERT, for the values are bound to it: a UUIDv7, or rand.Text()
	Email   field.Field[string] `seal:"email"`
	EmailEq field.Index         `seal:"email_eq,of=email,norm=email/v1"` // equal for equal addresses, and so UNIQUE
	Phone   field.Field[string] `seal:"phone,pad=32"`
}

func newTable() (*field.Table[customer], error) {
	plan, err := field.PlanIndex(field.Stats{Rows: 1_000_000, Unique: true})
	if err != nil {
		return nil, err
	}
	id := func(c *customer) string { return c.ID } // a row is about one person, whose key seals it
	return field.NewTable("customers", field.Spec[customer]{Row: id, Subject: id, Indexes: map[string]field.Plan{"email_eq": plan}})
}
