package envelope_test

import (
	"context"
	"fmt"
	"log"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

func ExampleKeyring_Compact() {
	ctx := context.Background()
	key, err := kms.NewKey(kmstest.NewFake("key").Driver(), nil) // in earnest awskms.New or local.Open
	if err != nil {
		log.Fatal(err)
	}
	defer key.Close()
	ring, err := envelope.NewKeyring("acme-prod", memstore.New(), envelope.SingleRoot(key), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer ring.Close()

	acme := ring.Tenant("acme")
	for _, id := range []string{"user-1", "user-2", "user-3"} {
		if _, err := acme.Subject(id).Create(ctx); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := acme.Subject("user-2").Erase(ctx, envelope.Erasure{Ref: "DSR-118"}); err != nil {
		log.Fatal(err)
	}
	// Once a day, for the tenants that had an erasure:
	done, err := ring.Compact(ctx, "acme")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("rewrapped:", done.Rewrapped, "destroyed:", done.Destroyed)
	// Output:
	// rewrapped: 2 destroyed: 1
}
