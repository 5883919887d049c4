package boltstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/boltstore"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "keys.db")
	store, err := boltstore.Open(path, nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	row := envelope.Row{Key: "greeting", Value: []byte("hello")}
	if err := store.Apply(ctx, envelope.Change{Row: row}); err != nil {
		log.Fatal(err)
	}

	// One process at a time has the file open.
	_, err = boltstore.Open(path, &boltstore.Options{Timeout: 10 * time.Millisecond})
	fmt.Println("in use:", errors.Is(err, envelope.ErrUnavailable))

	if err := store.Close(); err != nil {
		log.Fatal(err)
	}
	again, err := boltstore.Open(path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer again.Close()
	row, err = again.Get(ctx, "greeting")
	fmt.Println(string(row.Value), row.Revision, err)
	// Output:
	// in use: true
	// hello 1 <nil>
}
