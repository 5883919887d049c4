package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
)

func ExampleNew() {
	store := memstore.New()
	defer store.Close()
	ctx := context.Background()
	row := envelope.Row{Key: "greeting", Value: []byte("hello")}
	if err := store.Apply(ctx, envelope.Change{Row: row}); err != nil {
		log.Fatal(err)
	}
	// Who believes that there is still no such row meets a conflict.
	err := store.Apply(ctx, envelope.Change{Row: row})
	fmt.Println("again:", errors.Is(err, envelope.ErrConflict))
	row, err = store.Get(ctx, "greeting")
	fmt.Println(string(row.Value), row.Revision, err)
	// Output:
	// again: true
	// hello 1 <nil>
}
