package local_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

func ExampleCreate() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "key.json")

	// Once, when the machine is set up.
	f, err := local.Create(path, &local.Options{
		Passphrase: func() ([]byte, error) { return []byte("from a secret manager"), nil },
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := f.Close(); err != nil {
		log.Fatal(err)
	}
	_, err = local.Open(path, nil)
	fmt.Println(err != nil)
	// Output: true
}

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "key.json")
	created, err := local.Create(path, nil)
	if err != nil {
		log.Fatal(err)
	}
	created.Close()

	f, err := local.Open(path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	ctx := context.Background()
	wrapped, err := f.Key().Wrap(ctx, []byte("a data key"), kms.Context{"tenant": "acme"})
	if err != nil {
		log.Fatal(err)
	}
	if err := f.Rotate(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(wrapped.Version, f.Key().Stale(wrapped))
	plaintext, err := f.Key().Unwrap(ctx, wrapped, kms.Context{"tenant": "acme"})
	fmt.Println(string(plaintext), err)
	// Output:
	// 1 true
	// a data key <nil>
}
