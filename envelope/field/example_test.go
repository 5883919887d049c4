package field_test

import (
	"context"
	"fmt"
	"log"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

type Customer struct {
	ID      string              // made before INSERT, such as a UUIDv7
	Email   field.Field[string] `seal:"email"`
	EmailEq field.Index         `seal:"email_eq,of=email,norm=email/v1"`
	Credit  field.Field[int64]  `seal:"credit,key=tenant"` // outlives the person
}

// exampleTable returns a tenant and the table of its customers. The keys of a service are at a KMS and in a database.
func exampleTable() (envelope.Tenant, *field.Table[Customer], func()) {
	key, err := kms.NewKey(kmstest.NewFake("example").Driver(), nil)
	if err != nil {
		log.Fatal(err)
	}
	ring, err := envelope.NewKeyring("acme-prod", memstore.New(), envelope.SingleRoot(key), nil)
	if err != nil {
		log.Fatal(err)
	}
	unique, err := field.PlanIndex(field.Stats{Rows: 1_000_000, Unique: true})
	if err != nil {
		log.Fatal(err)
	}
	id := func(c *Customer) string { return c.ID }
	table, err := field.NewTable("customers", field.Spec[Customer]{Row: id, Subject: id, Indexes: map[string]field.Plan{"email_eq": unique}})
	if err != nil {
		log.Fatal(err)
	}
	return ring.Tenant("globex"), table, func() { ring.Close(); key.Close() }
}

func ExampleNewTable() {
	ctx := context.Background()
	tenant, table, end := exampleTable()
	defer end()

	ada := Customer{ID: "0198c0de-7e57-7000-8000-000000000001", Email: field.Of("ada@example.com"), Credit: field.Of(int64(1995))}
	_, err := ada.Email.Value() // what a driver asks for
	fmt.Println(err)
	if err := table.Seal(ctx, tenant, &ada); err != nil {
		log.Fatal(err)
	}
	stored, err := ada.Email.Value() // INSERT INTO customers ... VALUES ($1, $2, $3, $4)
	if err != nil {
		log.Fatal(err)
	}

	read := Customer{ID: ada.ID} // SELECT
	if err := read.Email.Scan(stored); err != nil {
		log.Fatal(err)
	}
	if err := table.Open(ctx, tenant, &read); err != nil {
		log.Fatal(err) // of the columns that did not open, by name
	}
	email, ok := read.Email.Get()
	fmt.Println(read.Email, email, ok, len(stored.([]byte))-len(email))
	// Output:
	// field: not sealed: call Table.Seal before it is written
	// [sealed] ada@example.com true 58
}

func ExampleTable_Find() {
	ctx := context.Background()
	tenant, table, end := exampleTable()
	defer end()
	ada := Customer{ID: "0198c0de-7e57-7000-8000-000000000001", Email: field.Of("ada@example.com")}
	if err := table.Seal(ctx, tenant, &ada); err != nil {
		log.Fatal(err)
	}

	q, err := table.Find(ctx, tenant, "email_eq", "Ada@Example.COM")
	if err != nil {
		log.Fatal(err)
	}
	// SELECT ... WHERE email_eq = ANY($1), with q.Terms(), then Open, and of what that finds:
	token, _ := ada.EmailEq.Value()
	fmt.Println(len(q.Terms()), string(q.Terms()[0]) == string(token.([]byte)), q.Keep(&ada))
	// Output: 1 true true
}

func ExampleOf() {
	type Profile struct {
		Name  field.Field[string]
		Phone field.Field[string]
	}
	fmt.Println(Profile{field.Of("Ada"), field.Null[string]()})
	// Output: {[unsealed] [null]}
}
