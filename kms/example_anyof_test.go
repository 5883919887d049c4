package kms_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

// Two keys, as of two regions: what is wrapped while both work opens when one of them does not.
func ExampleAnyOf() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	names := map[kms.Ref]string{}
	var files []*local.File
	var keys []*kms.Key
	for _, region := range []string{"north", "south"} {
		f, err := local.Create(filepath.Join(dir, region), nil)
		if err != nil {
			log.Fatal(err)
		}
		defer f.Close()
		names[f.Key().Ref()] = region
		files, keys = append(files, f), append(keys, f.Key())
	}
	key, err := kms.AnyOf(keys, &kms.AnyOptions{
		Minimum: 1, // wrapping goes on without one of them
		Report: func(_ context.Context, op string, failed []*kms.Error) {
			for _, e := range failed {
				fmt.Println(op, "without", names[e.Ref]+":", kms.Class(e))
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer key.Close()

	ctx := context.Background()
	wrapped, err := key.Wrap(ctx, []byte("a key"), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := files[0].Disable(ctx); err != nil {
		log.Fatal(err)
	}
	plaintext, err := key.Unwrap(ctx, wrapped, nil)
	fmt.Printf("%s %v\n", plaintext, err)
	degraded, err := key.Wrap(ctx, []byte("another key"), nil)
	fmt.Println(err, key.Status().Health)

	// Once the region is back, wrap anew what is not under both.
	if err := files[0].Enable(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.Stale(wrapped), key.Stale(degraded))
	// Output:
	// unwrap without north: disabled
	// a key <nil>
	// wrap without north: disabled
	// <nil> degraded
	// false true
}
