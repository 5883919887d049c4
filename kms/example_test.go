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

// create returns a new key in dir, where a service would open one.
func create(dir, name string) *kms.Key {
	f, err := local.Create(filepath.Join(dir, name), nil)
	if err != nil {
		log.Fatal(err)
	}
	return f.Key()
}

func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	key := create(dir, "key.json")
	defer key.Close()

	ctx := context.Background()
	if err := key.Check(ctx); err != nil {
		log.Fatal(err)
	}
	ec := kms.Context{"tenant": "acme", "purpose": "invoices"}
	wrapped, err := key.Wrap(ctx, []byte("a key of 1 to 64 bytes"), ec)
	if err != nil {
		log.Fatal(err)
	}
	plaintext, err := key.Unwrap(ctx, wrapped, ec)
	fmt.Printf("%s %v\n", plaintext, err)
	_, err = key.Unwrap(ctx, wrapped, kms.Context{"tenant": "other", "purpose": "invoices"})
	fmt.Println(err != nil)
	// Output:
	// a key of 1 to 64 bytes <nil>
	// true
}

// memory is the start of a driver; see package kmstest for what it has to keep.
type memory struct{ kms.Driver }

func (memory) Ref() kms.Ref { return kms.Ref{Provider: "memory", KeyID: "1"} }

func ExampleNewKey() {
	key, err := kms.NewKey(memory{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key)
	// Output: memory:1
}

func ExampleRolling() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	from, to := create(dir, "old.json"), create(dir, "new.json")
	defer from.Close()
	defer to.Close()

	ctx := context.Background()
	wrapped, err := from.Wrap(ctx, []byte("a key"), nil)
	if err != nil {
		log.Fatal(err)
	}
	key, err := kms.Rolling(to, from)
	if err != nil {
		log.Fatal(err)
	}
	defer key.Close()
	plaintext, err := key.Unwrap(ctx, wrapped, nil)
	if err != nil {
		log.Fatal(err)
	}
	if key.Stale(wrapped) {
		if wrapped, err = key.Wrap(ctx, plaintext, nil); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(wrapped.Ref == to.Ref())
	// Output: true
}

func ExampleOpeners_Open() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	create(dir, "key.json").Close()

	openers := kms.Openers{"local": local.Opener(nil)}
	key, err := openers.Open(context.Background(), "local://"+filepath.ToSlash(dir)+"/key.json")
	if err != nil {
		log.Fatal(err)
	}
	defer key.Close()
	fmt.Println(key.Ref().Provider)
	_, err = openers.Open(context.Background(), "gcpkms://projects/p")
	fmt.Println(err)
	// Output:
	// local
	// kms: open: invalid: no opener for the scheme "gcpkms" of the key's URI; known are: local
}
