// Command driver shows how to use a KMS that Holdfast has no provider for: driver.go is the page to start from,
// and driver_test.go runs the suite that every provider must pass.
//
//	go run ./examples/driver
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	toy := &service{keys: map[string]*aead.Key{"customers": aead.NewKey()}}
	server := httptest.NewServer(toy)
	defer server.Close()

	// The Key adds what all providers share: a timeout, retries, a circuit breaker.
	key, err := kms.NewKey(newDriver(server.URL, "customers"), nil)
	if err != nil {
		return err
	}
	defer key.Close()
	if err := key.Check(ctx); err != nil { // wraps, unwraps, and sees that a wrong context is refused
		return err
	}
	sealer, err := envelope.NewSealer(key, nil)
	if err != nil {
		return err
	}
	ec := kms.Context{"tenant": "acme"}
	sealed, err := sealer.Seal(ctx, []byte("an invoice"), ec)
	if err != nil {
		return err
	}
	opened, err := sealer.Open(ctx, sealed, ec)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s seals %d bytes as %d, and opens them: %s\n", key, len(opened), len(sealed), opened)

	toy.set("forbidden")
	_, err = sealer.Open(ctx, sealed, ec)
	fmt.Fprintf(out, "without the right to use the key: %v\n", err)
	fmt.Fprintf(out, "so the key is %s\n", key.Status().Health)
	return nil
}
