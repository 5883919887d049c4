// Command sql-gorm keeps customers through GORM, in a table that shows the database no e-mail address and no telephone number.
//
//	go run ./examples/sql-gorm               # SQLite, in a temporary folder
//	go run ./examples/sql-gorm DSN KEYFILE   # PostgreSQL: postgres://user:password@localhost:5432/database
//
// It makes the tables holdfast_keys and holdfast_customers, and the key file where there is none. The file stands for your KMS: with the same one a later run opens what this one has sealed.
package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"

	"github.com/glebarez/sqlite" // no cgo; it can't be in one program with modernc.org/sqlite, for both register the driver "sqlite"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/kms/local"
)

var errUsage = errors.New("give nothing, or a DSN and a key file: postgres://user:password@localhost:5432/database key.json")

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), os.Stdout, os.Args[1:]); err != nil {
		log.Fatal("sql-gorm: ", err)
	}
}

func run(ctx context.Context, out io.Writer, args []string) error {
	dialect, schema, keyFile := sqlstore.PostgreSQL, schemaPostgreSQL, ""
	var dialector gorm.Dialector
	switch len(args) {
	case 2:
		dialector, keyFile = postgres.Open(args[0]), args[1]
	case 0:
		dir, err := os.MkdirTemp("", "sql-gorm")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		dialector, keyFile = sqlite.Open("file:"+filepath.Join(dir, "customers.db")), filepath.Join(dir, "key.json")
		dialect, schema = sqlstore.SQLite, schemaSQLite
	default:
		return errUsage
	}
	// GORM's own logger would print what a program hands to a statement by mistake.
	orm, err := gorm.Open(dialector, &gorm.Config{Logger: logger.New(log.Default(), logger.Config{LogLevel: logger.Error, ParameterizedQueries: true})})
	if err != nil {
		return err
	}
	db, err := orm.DB()
	if err != nil {
		return err
	}
	defer db.Close()
	o := &sqlstore.Options{Dialect: dialect}
	if err := sqlstore.Migrate(ctx, db, o); err != nil {
		return err
	}
	if err := orm.WithContext(ctx).Exec(schema).Error; err != nil {
		return err
	}
	store, err := sqlstore.New(db, o)
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
	return (&app{orm, table, ring.Tenant("acme"), out}).run(ctx)
}
