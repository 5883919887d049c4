package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
)

// With PostgreSQL, open the database as "pgx" and set the other Dialect.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "keys.db")+"?_pragma=journal_mode(WAL)")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	o := &sqlstore.Options{Dialect: sqlstore.SQLite}
	if err := sqlstore.Migrate(ctx, db, o); err != nil { // at every start, or when deploying
		log.Fatal(err)
	}
	store, err := sqlstore.New(db, o)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	row := envelope.Row{Key: "greeting", Value: []byte("hello")}
	fmt.Println(store.Apply(ctx, envelope.Change{Row: row}))
	fmt.Println(errors.Is(store.Apply(ctx, envelope.Change{Row: row}), envelope.ErrConflict))
	row, err = store.Get(ctx, "greeting")
	fmt.Println(string(row.Value), row.Revision, err)
	// Output:
	// <nil>
	// true
	// hello 1 <nil>
}
