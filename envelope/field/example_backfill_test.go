package field_test

import (
	"context"
	"fmt"
	"log"
	"maps"
	"slices"

	"github.com/holdfast-go/holdfast/envelope/field"
)

// A table had names in plain text. Programs begin to use a Migrating Table, then Backfill seals what there is.
func ExampleMigrating() {
	acme, _, end := exampleTable()
	defer end()
	ctx := context.Background()

	type Guest struct {
		ID   string
		Name field.Field[string] `seal:"name"`
	}
	guests, err := field.NewTable("guests", field.Spec[Guest]{Row: func(g *Guest) string { return g.ID }})
	if err != nil {
		log.Fatal(err)
	}
	table, err := field.Migrating(guests, "name")
	if err != nil {
		log.Fatal(err)
	}

	names := map[string]any{"g1": "Ada", "g2": "Bob", "g3": nil} // the column, as a driver reads it
	batch := func(_ context.Context, after string, limit int, each func(*Guest) ([]string, error)) (last string, err error) {
		for _, id := range slices.Sorted(maps.Keys(names)) { // SELECT id, name FROM guests WHERE id > $1 ORDER BY id LIMIT $2 FOR UPDATE
			if id <= after || limit == 0 {
				continue
			}
			g := Guest{ID: id}
			if err := g.Name.Scan(names[id]); err != nil {
				return "", err
			}
			columns, err := each(&g)
			if err != nil {
				return "", err // and ROLLBACK
			}
			if len(columns) > 0 { // UPDATE guests SET name = $2 WHERE id = $1
				if names[id], err = g.Name.Value(); err != nil {
					return "", err
				}
			}
			last, limit = id, limit-1
		}
		return last, nil // after COMMIT
	}
	for range 2 {
		report, err := table.Backfill(ctx, acme, batch, nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(report.Rows, "rows,", report.Sealed, "sealed")
	}

	g := Guest{ID: "g2"}
	if err := g.Name.Scan(names["g2"]); err != nil {
		log.Fatal(err)
	}
	if err := guests.Open(ctx, acme, &g); err != nil { // the Table that takes no plaintext
		log.Fatal(err)
	}
	name, _ := g.Name.Get()
	fmt.Println(name)
	// Output:
	// 3 rows, 2 sealed
	// 3 rows, 0 sealed
	// Bob
}
