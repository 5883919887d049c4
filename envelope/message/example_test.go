package message_test

import (
	"context"
	"fmt"
	"log"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/hpke"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// A producer and a consumer, with what the broker sees in between.
func ExampleNewTopic() {
	ctx := context.Background()
	key, err := kms.NewKey(kmstest.NewFake("k").Driver(), nil) // in earnest local.Open, awskms.New
	if err != nil {
		log.Fatal(err)
	}
	ring, err := envelope.NewKeyring("acme-prod", memstore.New(), envelope.SingleRoot(key), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer ring.Close()
	orders, err := message.NewTopic(ring, "orders", &message.TopicOptions{TenantHeader: "tenant", TokenKeys: true})
	if err != nil {
		log.Fatal(err)
	}

	acme := ring.Tenant("acme")
	out := message.Record{Key: []byte("order-7"), Value: []byte("12 roses"), Headers: []message.Header{{Key: "tenant", Value: []byte("acme")}}}
	payload, err := orders.Seal(ctx, acme.Subject("user-42"), out) // goes with user 42
	if err != nil {
		log.Fatal(err)
	}
	token, err := orders.KeyToken(ctx, acme, out.Key)
	if err != nil {
		log.Fatal(err)
	}

	in := message.Record{Key: token, Value: payload, Headers: out.Headers}
	tenant, err := orders.Tenant(in)
	if err != nil {
		log.Fatal(err)
	}
	m, err := orders.Open(ctx, tenant, in)
	fmt.Println(len(payload)-len(out.Value), len(token), string(m.Key), string(m.Value), envelope.ActionFor(err))

	in.Headers = []message.Header{{Key: "tenant", Value: []byte("other")}}
	tenant, _ = orders.Tenant(in)
	_, err = orders.Open(ctx, tenant, in)
	fmt.Println(envelope.Class(err), envelope.ActionFor(err))
	// Output:
	// 67 32 order-7 12 roses none
	// wrong_scope reject
}

// A device that can't read what it wrote, and the service that can.
func ExampleNewPublisher() {
	ctx := context.Background()
	private, err := hpke.GenerateKey(hpke.MLKEM768X25519) // once, at the service
	if err != nil {
		fmt.Println("59.3 N") // without HPKE in the FIPS module in force
		return
	}
	recipient, err := hpke.NewRecipient(private.Public(), nil) // at the device
	if err != nil {
		log.Fatal(err)
	}
	device, err := message.NewPublisher(recipient, "fleet/7/pos", nil)
	if err != nil {
		log.Fatal(err)
	}
	payload, keyMessage, err := device.Seal(ctx, message.Record{Value: []byte("59.3 N")})
	if err != nil {
		log.Fatal(err)
	}
	// The key message is published first, retained; then the payload.
	device.Announced(keyMessage)

	identity, err := hpke.NewIdentity(private, nil)
	if err != nil {
		log.Fatal(err)
	}
	service, err := message.NewSubscriber(identity, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, b := range [][]byte{keyMessage, payload} {
		m, err := service.Open(ctx, message.Record{Topic: "fleet/7/pos", Value: b})
		if envelope.ActionFor(err) == envelope.None {
			fmt.Println(string(m.Value))
		}
	}
	// Output: 59.3 N
}

// What goes through a Subscriber in one day: key messages are skipped.
func ExampleNewSubscriber() {
	k, err := kms.NewKey(kmstest.NewFake("k").Driver(), nil)
	if err != nil {
		log.Fatal(err)
	}
	device, err := message.NewPublisher(k, "fleet/7/pos", &message.PublisherOptions{Sender: "truck-7"})
	if err != nil {
		log.Fatal(err)
	}
	service, err := message.NewSubscriber(k, nil)
	if err != nil {
		log.Fatal(err)
	}
	payload, keyMessage, err := device.Seal(context.Background(), message.Record{Value: []byte("59.3 N")})
	if err != nil {
		log.Fatal(err)
	}
	for _, b := range [][]byte{payload, keyMessage, payload} {
		m, err := service.Open(context.Background(), message.Record{Topic: "fleet/7/pos", Value: b})
		fmt.Println(envelope.ActionFor(err), m.Sender.Name, m.Sequence)
	}
	// Output:
	// retry  0
	// skip  0
	// none truck-7 1
}
