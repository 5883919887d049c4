// Command sql-pgx keeps customers in PostgreSQL through pgx, without database/sql. The table shows the database no e-mail address and no telephone number.
//
//	go run ./examples/sql-pgx DSN KEYFILE   # such as postgres://user:password@localhost:5432/database key.json
//
// It makes the tables holdfast_keys and holdfast_customers, and the key file where there is none. The file stands for your KMS: with the same one a later run opens what this one has sealed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/kms/local"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sql-pgx DSN KEYFILE, such as: sql-pgx postgres://user:password@localhost:5432/database key.json")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Stdout, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "sql-pgx:", err)
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
	table, err := newTable()
	if err != nil {
		return err
	}
	return (&app{pool, table, ring.Tenant("acme"), out}).run(ctx)
}
