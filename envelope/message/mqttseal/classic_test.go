package mqttseal_test

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/mqttseal"
)

func TestClassic(t *testing.T) { eachBroker(t, testClassic) }

// testClassic takes payloads from a client of MQTT 3.1.1 to another.
func testClassic(t *testing.T, b *broker) {
	ring := newRing(t)
	acme := ring.Tenant("acme")
	topic := newTopic(t, ring, "orders", &message.TopicOptions{Headers: []string{"kind"}})
	sealed, err := mqttseal.SealPayload(t.Context(), topic, acme, []byte(canary))
	require.NoError(t, err)

	consumer := b.classic(t, "consumer")
	consumer.send(t, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 1, Filters: packets.Subscriptions{{Filter: "orders"}}})
	consumer.read(t, packets.Suback)
	b.classic(t, "producer").send(t, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: "orders", Payload: sealed})
	got := consumer.read(t, packets.Publish)
	m, err := mqttseal.OpenPayload(t.Context(), topic, acme, got.TopicName, got.Payload)
	require.NoError(t, err)
	require.Equal(t, canary, string(m.Value))

	_, err = mqttseal.OpenPayload(t.Context(), topic, acme, "other", got.Payload)
	require.Equal(t, envelope.Fix, envelope.ActionFor(err))
	_, err = mqttseal.OpenPayload(t.Context(), topic, ring.Tenant("globex"), got.TopicName, got.Payload)
	require.ErrorIs(t, err, envelope.ErrWrongScope)
	_, err = mqttseal.OpenPayload(t.Context(), topic, acme, got.TopicName, []byte(canary))
	require.ErrorIs(t, err, message.ErrNotSealed)
}

// classic is a connection of MQTT 3.1.1.
type classic struct{ net.Conn }

func (b *broker) classic(t *testing.T, id string) *classic {
	t.Helper()
	conn, err := net.Dial("tcp", b.addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	c := &classic{conn}
	c.send(t, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, Connect: packets.ConnectParams{ProtocolName: []byte("MQTT"), Clean: true, Keepalive: 30, ClientIdentifier: id}})
	require.Zero(t, c.read(t, packets.Connack).ReasonCode)
	return c
}

func (c *classic) send(t *testing.T, p packets.Packet) {
	t.Helper()
	p.ProtocolVersion = 4
	var buf bytes.Buffer
	encode := map[byte]func(*bytes.Buffer) error{packets.Connect: p.ConnectEncode, packets.Subscribe: p.SubscribeEncode, packets.Publish: p.PublishEncode}
	require.NoError(t, encode[p.FixedHeader.Type](&buf))
	_, err := c.Write(buf.Bytes())
	require.NoError(t, err)
}

func (c *classic) read(t *testing.T, kind byte) packets.Packet {
	t.Helper()
	p := packets.Packet{ProtocolVersion: 4}
	var one [1]byte
	_, err := io.ReadFull(c, one[:])
	require.NoError(t, err)
	require.NoError(t, p.FixedHeader.Decode(one[0]))
	require.Equal(t, kind, p.FixedHeader.Type)
	n, shift := 0, 0
	for more := true; more; shift += 7 {
		_, err := io.ReadFull(c, one[:])
		require.NoError(t, err)
		n |= int(one[0]&0x7f) << shift
		more = one[0] >= 0x80
	}
	body := make([]byte, n)
	_, err = io.ReadFull(c, body)
	require.NoError(t, err)
	decode := map[byte]func([]byte) error{packets.Connack: p.ConnackDecode, packets.Suback: p.SubackDecode, packets.Publish: p.PublishDecode}
	require.NoError(t, decode[kind](body))
	return p
}
