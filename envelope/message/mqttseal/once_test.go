package mqttseal_test

import (
	"context"
	"testing"

	"github.com/eclipse/paho.golang/paho"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/mqttseal"
)

func TestOnce(t *testing.T) { eachBroker(t, testOnce) }

// testOnce has the connection die when a message was handled and not acknowledged yet. The broker delivers it again, and the window tells.
func testOnce(t *testing.T, b *broker) {
	ring := newRing(t)
	acme := ring.Tenant("acme")
	window, err := message.NewWindow(nil)
	require.NoError(t, err)
	topic := newTopic(t, ring, "orders", &message.TopicOptions{Sender: "shop", Window: window})
	opened, handled := make(chan error, 10), make(chan string, 10)
	var consumer *client
	in, err := mqttseal.NewInbox(mqttseal.InboxFuncs{
		Open: func(ctx context.Context, p *paho.Publish) (message.Message, error) {
			m, err := mqttseal.Open(ctx, topic, acme, p)
			opened <- err
			return m, err
		},
		Handle: func(_ context.Context, _ *paho.Publish, m message.Message) error {
			handled <- string(m.Value)
			consumer.conn.Close() // before the acknowledgement
			return nil
		},
		Aside: func(_ context.Context, _ *paho.Publish, err error) error { return err },
	}, &mqttseal.InboxOptions{Window: window})
	require.NoError(t, err)
	goes(t, in.Run)
	s := session{id: "consumer", lasting: true, manual: true, receive: in.Receive}
	consumer = b.connect(t, s)
	consumer.subscribe(t, paho.SubscribeOptions{Topic: "orders", QoS: 1})
	sealed, err := mqttseal.Seal(t.Context(), topic, acme, &paho.Publish{QoS: 1, Payload: []byte(canary)})
	require.NoError(t, err)
	producer := b.connect(t, session{id: "producer"})
	producer.publish(t, sealed)
	require.NoError(t, next(t, opened))
	require.Equal(t, canary, next(t, handled))
	<-consumer.Done()

	consumer = b.connect(t, s)
	err = next(t, opened)
	require.ErrorIs(t, err, message.ErrReplayed)
	require.Equal(t, envelope.Skip, envelope.ActionFor(err))
	require.Empty(t, handled)

	// Somebody who has a copy publishes it: to MQTT another message, and to the window the same.
	producer.publish(t, sealed)
	require.ErrorIs(t, next(t, opened), message.ErrReplayed)
	require.Empty(t, handled)
}

func TestKilled(t *testing.T) { eachBroker(t, testKilled) }

// testKilled has a consumer die while messages wait for their key. The one that takes its place gets them all, with the key.
func testKilled(t *testing.T, b *broker) {
	keys := newPair(t)
	s := session{id: "consumer", lasting: true, manual: true}
	before := runInbox(t, with(keys.subscriber(t, nil)), nil)
	s.receive = before.Receive
	consumer := b.connect(t, s)
	consumer.subscribe(t, mqttseal.Subscriptions(readings, 1)...)
	pub := keys.publisher(t, readings, nil)
	w, c := device(t, b, pub, nil)
	want := []string{"1", "2", "3"}
	for _, text := range want {
		payload, _, err := pub.Seal(t.Context(), message.Record{Value: []byte(text)})
		require.NoError(t, err)
		c.publish(t, &paho.Publish{Topic: readings, QoS: 1, Payload: payload})
	}
	require.Eventually(t, func() bool { return before.Waiting() == len(want) }, patience, pause)
	consumer.kill()
	require.ErrorIs(t, before.stop(), context.Canceled)
	require.Empty(t, before.handled)

	after := runInbox(t, with(keys.subscriber(t, nil)), nil)
	s.receive = after.Receive
	again := b.connect(t, s)
	again.subscribe(t, mqttseal.Subscriptions(readings, 1)...)
	require.Eventually(t, func() bool { return after.Waiting() == len(want) }, patience, pause)
	write(t, w, "4")
	var got []string
	for range 4 {
		got = append(got, next(t, after.handled))
	}
	require.ElementsMatch(t, append(want, "4"), got) // mochi delivers again in any order
	require.Empty(t, after.aside)
}
