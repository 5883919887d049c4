package main

import "github.com/holdfast-go/holdfast/envelope/field"

// The constraints refuse what is no record, from programs that write past Table.Seal and from people: GORM takes a string for a column of bytes. SQLite takes no NULL where it is not named.
// AutoMigrate would make the same columns; put the constraints in tags then: `gorm:"check:phone_sealed,get_byte(phone, 0) = 245"`.
const (
	schemaPostgreSQL = `CREATE TABLE IF NOT EXISTS holdfast_customers (
	id       text PRIMARY KEY,
	email    bytea NOT NULL CHECK (get_byte(email, 0) = 245 AND length(email) >= 58),
	email_eq bytea UNIQUE CHECK (length(email_eq) = 16),
	phone    bytea CHECK (get_byte(phone, 0) = 245 AND length(phone) >= 58))`

	schemaSQLite = `CREATE TABLE IF NOT EXISTS holdfast_customers (
	id       TEXT PRIMARY KEY,
	email    BLOB NOT NULL CHECK (typeof(email) = 'blob' AND hex(substr(email, 1, 1)) = 'F5' AND length(email) >= 58),
	email_eq BLOB UNIQUE CHECK (email_eq IS NULL OR typeof(email_eq) = 'blob' AND length(email_eq) = 16),
	phone    BLOB CHECK (phone IS NULL OR typeof(phone) = 'blob' AND hex(substr(phone, 1, 1)) = 'F5' AND length(phone) >= 58))`
)

// customer is a row.
type customer struct {
	ID      string              // known before INSERT, for the values are bound to it: a UUIDv7, or rand.Text()
	Email   field.Field[string] `seal:"email"`
	EmailEq field.Index         `seal:"email_eq,of=email,norm=email/v1"` // equal for equal addresses, and so UNIQUE
	Phone   field.Field[string] `seal:"phone,pad=32"`
}

// TableName is where GORM has customers.
func (customer) TableName() string { return "holdfast_customers" }

func newTable() (*field.Table[customer], error) {
	plan, err := field.PlanIndex(field.Stats{Rows: 1_000_000, Unique: true})
	if err != nil {
		return nil, err
	}
	id := func(c *customer) string { return c.ID } // a row is about one person, whose key seals it
	return field.NewTable("customers", field.Spec[customer]{Row: id, Subject: id, Indexes: map[string]field.Plan{"email_eq": plan}})
}
