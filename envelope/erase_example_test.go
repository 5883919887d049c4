package envelope_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

func ExampleSubject_Erase() {
	ctx := context.Background()
	key, err := kms.NewKey(kmstest.NewFake("key").Driver(), nil) // in earnest awskms.New or local.Open
	if err != nil {
		log.Fatal(err)
	}
	defer key.Close()
	pub, signer, err := ed25519.GenerateKey(nil) // in earnest one that lasts, such as in an HSM
	if err != nil {
		log.Fatal(err)
	}
	ring, err := envelope.NewKeyring("acme-prod", memstore.New(), envelope.SingleRoot(key), &envelope.KeyringOptions{Signer: signer})
	if err != nil {
		log.Fatal(err)
	}
	defer ring.Close()

	person, name := ring.Tenant("acme").Subject("user-42"), envelope.Bind("users", "name")
	record, err := person.Seal(ctx, []byte("Ada"), name)
	if err != nil {
		log.Fatal(err)
	}
	receipt, err := person.Erase(ctx, envelope.Erasure{Ref: "DSR-118", Basis: "Art. 17(1)(b)"})
	if err != nil {
		log.Fatal(err) // it says what remains; call Erase again
	}
	_, err = person.Open(ctx, record, name)
	fmt.Println("erased:", errors.Is(err, envelope.ErrErased), envelope.ActionFor(err))

	// Keep the receipt as it is.
	kept, err := json.Marshal(receipt)
	if err != nil {
		log.Fatal(err)
	}
	// Whoever has the public key verifies it later.
	again, err := envelope.ParseReceipt(kept)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("verified:", again.Verify(pub) == nil, again.Ref, len(again.Keys), "key")
	// Output:
	// erased: true skip
	// verified: true DSR-118 1 key
}
