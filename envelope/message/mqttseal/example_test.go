package mqttseal_test

import (
	"context"
	"fmt"
	"log"

	"github.com/eclipse/paho.golang/paho"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/mqttseal"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

func ExampleSeal() {
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
	topic, err := message.NewTopic(ring, "orders/7", &message.TopicOptions{Headers: []string{"kind"}})
	if err != nil {
		log.Fatal(err)
	}

	order := &paho.Publish{QoS: 1, Payload: []byte("two of them"), Properties: &paho.PublishProperties{User: paho.UserProperties{{Key: "kind", Value: "new"}}}}
	sealed, err := mqttseal.Seal(ctx, topic, ring.Tenant("acme"), order)
	if err != nil {
		log.Fatal(err)
	}
	// client.Publish(ctx, sealed); the consumer's client receives it.
	m, err := mqttseal.Open(ctx, topic, ring.Tenant("acme"), sealed)
	fmt.Printf("%s: %q, %v\n", sealed.Topic, m.Value, err)

	sealed.Properties = &paho.PublishProperties{User: paho.UserProperties{{Key: "kind", Value: "canceled"}}}
	_, err = mqttseal.Open(ctx, topic, ring.Tenant("acme"), sealed)
	fmt.Println("changed:", envelope.ActionFor(err))
	// Output:
	// orders/7: "two of them", <nil>
	// changed: reject
}

// toInbox stands for client and broker: what is published arrives at once.
type toInbox struct{ *mqttseal.Inbox }

func (c toInbox) Publish(_ context.Context, p *paho.Publish) (*paho.PublishResponse, error) {
	_, err := c.Receive(paho.PublishReceived{Packet: p})
	return &paho.PublishResponse{}, err
}

func ExampleNewWriter() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	key, err := kms.NewKey(kmstest.NewFake("key").Driver(), nil) // in earnest hpke.NewRecipient at the device, and hpke.NewIdentity at the consumer
	if err != nil {
		log.Fatal(err)
	}
	defer key.Close()
	inbox, run := consume(key)
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()

	pub, err := message.NewPublisher(key, "devices/7/readings", nil)
	if err != nil {
		log.Fatal(err)
	}
	device, err := mqttseal.NewWriter(toInbox{inbox}, pub, "device-7", nil) // in earnest an *autopaho.ConnectionManager
	if err != nil {
		log.Fatal(err)
	}
	for _, reading := range []string{"21.5", "21.7"} {
		if _, err := device.Publish(ctx, &paho.Publish{Topic: "devices/7/readings", QoS: 1, Payload: []byte(reading)}); err != nil {
			log.Fatal(err)
		}
	}
	cancel()
	fmt.Println(<-done)
	// Output:
	// devices/7/readings: 21.5
	// devices/7/readings: 21.7
	// context canceled
}

// consume returns an Inbox that prints what the holder of the key can read.
func consume(identity *kms.Key) (*mqttseal.Inbox, func(context.Context) error) {
	sub, err := message.NewSubscriber(identity, nil)
	if err != nil {
		log.Fatal(err)
	}
	inbox, err := mqttseal.NewInbox(mqttseal.InboxFuncs{
		Open: func(ctx context.Context, p *paho.Publish) (message.Message, error) {
			return mqttseal.OpenWith(ctx, sub, p)
		},
		Handle: func(_ context.Context, p *paho.Publish, m message.Message) error {
			fmt.Printf("%s: %s\n", p.Topic, m.Value)
			return nil
		},
		Aside: func(_ context.Context, p *paho.Publish, err error) error {
			return fmt.Errorf("at %s: %w", p.Topic, err)
		}, // in earnest write it where a person looks
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	return inbox, inbox.Run
}

func ExampleNewInbox() {
	key, err := kms.NewKey(kmstest.NewFake("key").Driver(), nil) // in earnest hpke.NewIdentity
	if err != nil {
		log.Fatal(err)
	}
	defer key.Close()
	inbox, run := consume(key)
	// config.EnableManualAcknowledgment = true
	// config.OnPublishReceived = []func(paho.PublishReceived) (bool, error){inbox.Receive}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	fmt.Println(run(ctx), inbox.Waiting())
	// Output: context canceled 0
}
