package kafkaseal_test

import (
	"context"
	"fmt"
	"log"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/kafkaseal"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/hpke"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// exampleRing returns a Keyring for the examples. In earnest its key is that of awskms.New or local.Open, and its store a database.
func exampleRing() (ring *envelope.Keyring, done func()) {
	key, err := kms.NewKey(kmstest.NewFake("key").Driver(), nil)
	if err != nil {
		log.Fatal(err)
	}
	ring, err = envelope.NewKeyring("acme-prod", memstore.New(), envelope.SingleRoot(key), nil)
	if err != nil {
		log.Fatal(err)
	}
	return ring, func() { ring.Close(); key.Close() }
}

func ExampleSeal() {
	ctx := context.Background()
	ring, done := exampleRing()
	defer done()
	topic, err := message.NewTopic(ring, "orders", &message.TopicOptions{TenantHeader: "tenant", TokenKeys: true, Headers: []string{"type"}})
	if err != nil {
		log.Fatal(err)
	}
	order := &kgo.Record{Key: []byte("customer 7"), Value: []byte("two of them"), Headers: []kgo.RecordHeader{{Key: "type", Value: []byte("new")}}}
	sealed, err := kafkaseal.Seal(ctx, topic, ring.Tenant("acme"), order)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, key of %d bytes, headers %s and %s\n", sealed.Topic, len(sealed.Key), sealed.Headers[0].Key, sealed.Headers[1].Key)
	// client.Produce(ctx, sealed, promise); a consumer fetches it.
	m, err := kafkaseal.OpenTopic(topic)(ctx, sealed)
	fmt.Printf("%s: %s, %v\n", m.Key, m.Value, err)

	sealed.Headers[0].Value = []byte("canceled")
	_, err = kafkaseal.Open(ctx, topic, ring.Tenant("acme"), sealed)
	fmt.Println("changed:", envelope.ActionFor(err))
	// Output:
	// orders, key of 32 bytes, headers type and tenant
	// customer 7: two of them, <nil>
	// changed: reject
}

func ExampleNewConsumer() {
	ctx := context.Background()
	ring, done := exampleRing()
	defer done()
	topic, err := message.NewTopic(ring, "orders", &message.TopicOptions{TenantHeader: "tenant", Mirrors: []string{"orders.held", "orders.rejected"}})
	if err != nil {
		log.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers("kafka.example:9092")) // produces what is put aside
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	consumer, err := kafkaseal.NewConsumer(kafkaseal.Funcs{
		Open: kafkaseal.OpenTopic(topic),
		Handle: func(_ context.Context, r *kgo.Record, m message.Message) error {
			fmt.Printf("%d/%d: %d bytes\n", r.Partition, r.Offset, len(m.Value))
			return nil // and it is committed
		},
		Aside: func(ctx context.Context, r *kgo.Record, err error) error {
			to := "orders.rejected"
			if envelope.ActionFor(err) == envelope.Hold {
				to = "orders.held" // the customer may give their key back
			}
			return client.ProduceSync(ctx, &kgo.Record{Topic: to, Key: r.Key, Value: r.Value, Headers: r.Headers}).FirstErr()
		},
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(consumer.Run(ctx, kgo.SeedBrokers("kafka.example:9092"), kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders")))
}

func ExampleNewWriter() {
	ctx := context.Background()
	private, err := hpke.GenerateKey(0) // once; the producer gets private.Public()
	if err != nil {
		log.Fatal(err)
	}
	recipient, err := hpke.NewRecipient(private.Public(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer recipient.Close()
	pub, err := message.NewPublisher(recipient, "readings", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer pub.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers("kafka.example:9092"))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	w, err := kafkaseal.NewWriter(client, pub)
	if err != nil {
		log.Fatal(err)
	}
	sealed, err := w.Seal(ctx, &kgo.Record{Value: []byte("21.5")}) // produces to readings.keys first, once an hour
	if err != nil {
		log.Fatal(err)
	}
	if err := client.ProduceSync(ctx, sealed).FirstErr(); err != nil {
		log.Fatal(err)
	}
}

func ExampleReadKeys() {
	ctx := context.Background()
	private, err := hpke.GenerateKey(0) // in earnest the one that was kept
	if err != nil {
		log.Fatal(err)
	}
	identity, err := hpke.NewIdentity(private, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer identity.Close()
	sub, err := message.NewSubscriber(identity, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer sub.Close()
	keys, err := kgo.NewClient(kgo.SeedBrokers("kafka.example:9092"), kgo.ConsumeTopics(kafkaseal.KeyTopic("readings"))) // no group: every process reads all
	if err != nil {
		log.Fatal(err)
	}
	defer keys.Close()
	go func() {
		log.Fatal(kafkaseal.ReadKeys(ctx, keys, sub, func(r *kgo.Record, err error) { log.Printf("%d/%d: %v", r.Partition, r.Offset, err) }))
	}()
	consumer, err := kafkaseal.NewConsumer(kafkaseal.Funcs{
		Open: kafkaseal.OpenWith(sub),
		Handle: func(_ context.Context, _ *kgo.Record, m message.Message) error {
			fmt.Printf("%s\n", m.Value)
			return nil
		},
		Aside: func(_ context.Context, _ *kgo.Record, err error) error { return err },
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(consumer.Run(ctx, kgo.SeedBrokers("kafka.example:9092"), kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("readings")))
}
