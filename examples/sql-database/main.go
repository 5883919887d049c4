// Command sql-database keeps customers through database/sql, in a table that shows the database no e-mail address and no telephone number.
//
//	go run ./examples/sql-database               # SQLite, in a temporary folder
//	go run ./examples/sql-database DSN KEYFILE   # PostgreSQL: postgres://user:password@localhost:5432/database
//
// It makes the tables holdfast_keys and holdfast_customers, and the key file where there is none. The file stands for your KMS: with the same one a later run opens what this one has sealed.
package main

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/kms/local"
)

var errUsage = errors.New("give nothing, or a DSN and a key file: postgres://user:password@localhost:5432/database key.json")

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), os.Stdout, os.Args[1:]); err != nil {
		log.Fatal("sql-database: ", err)
	}
}

func run(ctx context.Context, out io.Writer, args []string) error {
	driver, dialect, schema := "pgx", sqlstore.PostgreSQL, schemaPostgreSQL
	switch len(args) {
	case 2:
	case 0:
		dir, err := os.MkdirTemp("", "sql-database")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		args = []string{"file:" + filepath.Join(dir, "customers.db"), filepath.Join(dir, "key.json")}
		driver, dialect, schema = "sqlite", sqlstore.SQLite, schemaSQLite
	default:
		return errUsage
	}
	db, err := sql.Open(driver, args[0])
	if err != nil {
		return err
	}
	defer db.Close()
	o := &sqlstore.Options{Dialect: dialect}
	if err := sqlstore.Migrate(ctx, db, o); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return err
	}
	store, err := sqlstore.New(db, o)
	if err != nil {
		return err
	}
	defer store.Close()
	file, err := local.Open(args[1], nil) // where there is a KMS: awskms.New or another
	if errors.Is(err, fs.ErrNotExist) {
		file, err = local.Create(args[1], nil)
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
	return (&app{db, table, ring.Tenant("acme"), out}).run(ctx)
}
