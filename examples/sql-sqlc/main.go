// Command sql-sqlc keeps customers in PostgreSQL through code that sqlc has generated. The table shows the database no e-mail address and no telephone number.
//
//	go run ./examples/sql-sqlc DSN KEYFILE   # such as postgres://user:password@localhost:5432/database key.json
//
// It makes the tables holdfast_keys and holdfast_customers, and the key file where there is none. The file stands for your KMS: with the same one a later run opens what this one has sealed.
//
// Overrides in sqlc.yaml have sqlc make Fields of the columns, with the tags that field.NewTable reads.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/field"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/examples/sql-sqlc/db"
	"github.com/holdfast-go/holdfast/kms/local"
)

//go:embed schema.sql
var schema string

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sql-sqlc DSN KEYFILE, such as: sql-sqlc postgres://user:password@localhost:5432/database key.json")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Stdout, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "sql-sqlc:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, dsn, keyFile string) error {
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, schema); err != nil {
		return err
	}
	keys := stdlib.OpenDBFromPool(pool)
	defer keys.Close()
	o := &sqlstore.Options{Dialect: sqlstore.PostgreSQL}
	if err := sqlstore.Migrate(ctx, keys, o); err != nil {
		return err
	}
	store, err := sqlstore.New(keys, o)
	if err != nil {
		return err
	}
	defer store.Close()
	file, err := local.Open(keyFile, nil) // where there is a KMS: awskms.New or another
	if errors.Is(err, fs.ErrNotExist) {
		file, err = local.Create(keyFile, nil)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	ring, err := envelope.NewKeyring("example", store, envelope.SingleRoot(file.Key()), nil)
	if err != nil {
		return err
	}
	defer ring.Close()
	plan, err := field.PlanIndex(field.Stats{Rows: 1_000_000, Unique: true})
	if err != nil {
		return err
	}
	id := func(c *db.Customer) string { return c.ID } // a row is about one person, whose key seals it
	table, err := field.NewTable("customers", field.Spec[db.Customer]{Row: id, Subject: id, Indexes: map[string]field.Plan{"email_eq": plan}})
	if err != nil {
		return err
	}
	return (&app{db.New(pool), table, ring.Tenant("acme"), out}).run(ctx)
}
