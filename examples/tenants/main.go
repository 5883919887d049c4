// Command tenants seals values of two tenants into a table of PostgreSQL, and keeps their keys, wrapped, in another.
//
//	go run ./examples/tenants -dsn postgres://user:password@localhost:5432/database -dir FOLDER
//
// It makes the tables holdfast_keys and holdfast_example, and in the folder a key file and a receipt. The key file stands
// for your KMS: with the same one a later run opens what this one has sealed.
package main

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/kms/local"
)

var errNoDatabase = errors.New("no PostgreSQL: name one with -dsn postgres://user:password@localhost:5432/database, and a folder with -dir")

func main() {
	log.SetFlags(0)
	dsn := flag.String("dsn", "", "the database: postgres://user:password@localhost:5432/database")
	dir := flag.String("dir", "", "the `folder` for the key file, made where there is none, and for the receipt")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *dsn, *dir); err != nil {
		log.Fatal("tenants: ", err)
	}
}

func run(ctx context.Context, out io.Writer, dsn, dir string) error {
	if dsn == "" || dir == "" {
		return errNoDatabase
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		return fmt.Errorf("%w: %w", errNoDatabase, err)
	}
	o := &sqlstore.Options{Dialect: sqlstore.PostgreSQL}
	if err := sqlstore.Migrate(ctx, db, o); err != nil {
		return err
	}
	store, err := sqlstore.New(db, o)
	if err != nil {
		return err
	}
	defer store.Close()
	keyFile := filepath.Join(dir, "key.json")
	file, err := local.Open(keyFile, nil) // where there is a KMS: awskms.New or another
	if errors.Is(err, fs.ErrNotExist) {
		file, err = local.Create(keyFile, nil)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	public, signer, err := ed25519.GenerateKey(nil) // keep yours, and have those know its public half who read receipts
	if err != nil {
		return err
	}
	ring, err := envelope.NewKeyring("example", store, envelope.SingleRoot(file.Key()), &envelope.KeyringOptions{Signer: signer})
	if err != nil {
		return err
	}
	defer ring.Close()
	fmt.Fprintf(out, "Receipts are signed by the holder of %x\n", public)
	return (&app{db, ring, out}).run(ctx, filepath.Join(dir, "receipt.json"))
}
