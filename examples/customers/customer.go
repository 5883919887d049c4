package main

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"regexp"
	"time"

	"github.com/holdfast-go/holdfast/envelope/field"
)

// The constraints refuse what is no record, from programs that write past Table.Seal and from people. A row stays when its person is erased: others may refer to its id.
const (
	schemaPostgreSQL = `CREATE TABLE IF NOT EXISTS customers (
	id       text PRIMARY KEY,
	name     bytea NOT NULL CHECK (get_byte(name, 0) = 245 AND length(name) >= 58),
	email    bytea NOT NULL CHECK (get_byte(email, 0) = 245 AND length(email) >= 58),
	email_eq bytea UNIQUE CHECK (length(email_eq) = 16),
	phone    bytea CHECK (get_byte(phone, 0) = 245 AND length(phone) >= 58),
	password bytea CHECK (get_byte(password, 0) = 245 AND length(password) >= 58))`

	schemaSQLite = `CREATE TABLE IF NOT EXISTS customers (
	id       TEXT PRIMARY KEY,
	name     BLOB NOT NULL CHECK (typeof(name) = 'blob' AND hex(substr(name, 1, 1)) = 'F5' AND length(name) >= 58),
	email    BLOB NOT NULL CHECK (typeof(email) = 'blob' AND hex(substr(email, 1, 1)) = 'F5' AND length(email) >= 58),
	email_eq BLOB UNIQUE CHECK (email_eq IS NULL OR typeof(email_eq) = 'blob' AND length(email_eq) = 16),
	phone    BLOB CHECK (phone IS NULL OR typeof(phone) = 'blob' AND hex(substr(phone, 1, 1)) = 'F5' AND length(phone) >= 58),
	password BLOB CHECK (password IS NULL OR typeof(password) = 'blob' AND hex(substr(password, 1, 1)) = 'F5' AND length(password) >= 58))`
)

// customer is a row. Its values are padded, for lengths tell names apart too.
type customer struct {
	ID       string
	Name     field.Field[string] `seal:"name,pad=32"`
	Email    field.Field[string] `seal:"email,pad=32"`
	EmailEq  field.Index         `seal:"email_eq,of=email,norm=email/v1"` // equal for equal addresses, and so UNIQUE
	Phone    field.Field[string] `seal:"phone,pad=32"`
	Password []byte              // a sealed hash, from secret.Passwords; nil once the person is erased
}

func newTable() (*field.Table[customer], error) {
	plan, err := field.PlanIndex(field.Stats{Rows: 1_000_000, Unique: true})
	if err != nil {
		return nil, err
	}
	id := func(c *customer) string { return c.ID } // a row is about one person, whose key seals it
	return field.NewTable("customers", field.Spec[customer]{Row: id, Subject: id, Indexes: map[string]field.Plan{"email_eq": plan}})
}

var ids = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// newID returns a UUIDv7 (RFC 9562): known before INSERT, for values are bound to it. It tells the database when the customer came.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	ms := uint64(time.Now().UnixMilli())
	binary.BigEndian.PutUint32(b[:4], uint32(ms>>16))
	binary.BigEndian.PutUint16(b[4:6], uint16(ms))
	b[6] = 0x70 | b[6]&0x0f // the version
	b[8] = 0x80 | b[8]&0x3f // the variant
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// person is a customer as clients see one, and all that an export has: the hash of a password is not for giving away.
type person struct {
	ID         string `json:"id"`
	Name       string `json:"name,omitempty"`
	Email      string `json:"email,omitempty"`
	Phone      string `json:"phone,omitempty"`
	Unreadable string `json:"unreadable,omitempty"` // why something is missing
}

// person returns what is open of a row.
func (c *customer) person() person {
	p := person{ID: c.ID}
	p.Name, _ = c.Name.Get()
	p.Email, _ = c.Email.Get()
	p.Phone, _ = c.Phone.Get()
	return p
}
