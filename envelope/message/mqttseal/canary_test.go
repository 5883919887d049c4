package mqttseal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/paho"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/mqttseal"
)

func TestCanary(t *testing.T) { eachBroker(t, testCanary) }

// testCanary has a broker retain messages, keep some for a consumer that is away, and log all that it can. Its files and log hold a plaintext that was published beside them, and nothing of what was sealed.
func testCanary(t *testing.T, b *broker) {
	ring := newRing(t)
	acme := ring.Tenant("acme")
	topic := newTopic(t, ring, "orders", &message.TopicOptions{Sender: "shop", Pad: true})
	away := b.connect(t, session{id: "away", lasting: true})
	away.subscribe(t, paho.SubscribeOptions{Topic: "#", QoS: 1})
	away.kill()
	came := b.collect(t, "here", "#")

	keys := newPair(t)
	w, c := device(t, b, keys.publisher(t, readings, nil), nil)
	publish := func(p *paho.Publish) {
		t.Helper()
		if p.Topic == readings {
			_, err := w.Publish(t.Context(), p)
			require.NoError(t, err)
			return
		}
		sealed, err := mqttseal.Seal(t.Context(), topic, acme.Subject("person"), p)
		require.NoError(t, err)
		c.publish(t, sealed)
	}
	for _, retain := range []bool{true, false} {
		publish(&paho.Publish{Topic: "orders", QoS: 1, Retain: retain, Payload: []byte(canary)})
		publish(&paho.Publish{Topic: readings, QoS: 1, Retain: retain, Payload: []byte(canary)})
	}
	for _, text := range []string{control, last} { // in the topic's name too, for Mosquitto logs no payloads
		c.publish(t, &paho.Publish{Topic: "plain/" + text, QoS: 1, Retain: true, Payload: []byte(text)})
	}
	sub := keys.subscriber(t, nil)
	for opened := 0; opened < 4; {
		p := next(t, came)
		var m message.Message
		var err error
		switch {
		case message.IsKeyMessage(p.Payload):
			_, err = mqttseal.OpenWith(t.Context(), sub, p)
			require.ErrorIs(t, err, message.ErrKeyMessage)
			continue
		case p.Topic == readings:
			m, err = mqttseal.OpenWith(t.Context(), sub, p)
		default:
			m, err = mqttseal.Open(t.Context(), topic, acme, p)
		}
		require.NoError(t, err)
		require.Equal(t, canary, string(m.Value))
		opened++
	}
	for where, text := range map[string][]byte{"files": b.files(t), "log": b.logs.Bytes()} {
		require.True(t, holds(text, control), where)
		require.False(t, holds(text, canary), where)
	}
}

// holds looks for a text as it is, and as a broker may write it: in hexadecimal, in base64 at each of its three offsets, and as Go prints bytes.
func holds(in []byte, text string) bool {
	raw := []byte(text)
	forms := [][]byte{raw, []byte(hex.EncodeToString(raw)), []byte(strings.Trim(fmt.Sprint(raw), "[]"))}
	for skip := range 3 {
		part := raw[skip:]
		forms = append(forms, []byte(base64.RawStdEncoding.EncodeToString(part[:len(part)/3*3])))
	}
	for _, form := range forms {
		if bytes.Contains(in, form) {
			return true
		}
	}
	return false
}

func TestHolds(t *testing.T) {
	for _, in := range []string{canary, "x" + canary, hex.EncodeToString([]byte(canary)), base64.StdEncoding.EncodeToString([]byte("a" + canary)), base64.StdEncoding.EncodeToString([]byte("ab" + canary)), fmt.Sprint([]byte("x" + canary + "y"))} {
		require.True(t, holds([]byte(in), canary), in)
	}
	require.False(t, holds([]byte(control), canary))
}
