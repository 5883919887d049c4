package mqttseal_test

import (
	"testing"

	"github.com/eclipse/paho.golang/paho"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/mqttseal"
)

// FuzzOpen opens what anybody could publish: only what was published opens.
func FuzzOpen(f *testing.F) {
	ring, keys := newRing(f), newPair(f)
	acme := ring.Tenant("acme")
	topic := newTopic(f, ring, "t", &message.TopicOptions{Headers: []string{"kind"}})
	sub := keys.subscriber(f, &message.SubscriberOptions{Headers: []string{"kind"}})
	user := paho.UserProperties{{Key: "kind", Value: "a"}}
	sealed, err := mqttseal.Seal(f.Context(), topic, acme, &paho.Publish{Payload: []byte(canary), Properties: &paho.PublishProperties{User: user}})
	require.NoError(f, err)
	payload, key, err := keys.publisher(f, "t", &message.PublisherOptions{Headers: []string{"kind"}}).
		Seal(f.Context(), message.Record{Value: []byte(canary), Headers: []message.Header{{Key: "kind", Value: []byte("a")}}})
	require.NoError(f, err)
	_, err = mqttseal.OpenWith(f.Context(), sub, &paho.Publish{Topic: mqttseal.KeyTopic("t", "x"), Payload: key})
	require.ErrorIs(f, err, message.ErrKeyMessage)
	for _, p := range [][]byte{sealed.Payload, payload, key, []byte(canary), nil, {0xf5}, {0xf8, 0x01}} {
		f.Add("t", "kind", "a", p)
		f.Add("u", "kind", "b", p)
	}
	f.Fuzz(func(t *testing.T, name, property, value string, b []byte) {
		p := &paho.Publish{Topic: name, Payload: b, Properties: &paho.PublishProperties{User: paho.UserProperties{{Key: property, Value: value}}}}
		right := name == "t" && property == "kind" && value == "a"
		m, err := mqttseal.Open(t.Context(), topic, acme, p)
		require.Equal(t, right && string(b) == string(sealed.Payload), err == nil)
		if err == nil {
			require.Equal(t, canary, string(m.Value))
		}
		m, err = mqttseal.OpenWith(t.Context(), sub, p)
		require.Equal(t, right && string(b) == string(payload), err == nil)
		if err == nil {
			require.Equal(t, canary, string(m.Value))
		}
	})
}
