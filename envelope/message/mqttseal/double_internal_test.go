package mqttseal

import (
	"context"
	"strings"
	"testing"

	"github.com/eclipse/paho.golang/paho"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/kms"
)

// packets is a connection: the ids of what was acknowledged.
type packets struct{ acknowledged map[uint16]bool }

func newPackets() *packets { return &packets{map[uint16]bool{}} }

func (p *packets) Ack(of *paho.Publish) error {
	p.acknowledged[of.PacketID] = true
	return nil
}

// TestDoubleIsAcknowledged: what came twice on one connection is acknowledged twice, for paho.golang keeps all later acknowledgements back until it is.
func TestDoubleIsAcknowledged(t *testing.T) {
	b, conn := ackInbox(t, kms.ErrUnavailable, nil, nil), newPackets()
	for id := uint16(1); id <= 3; id++ {
		require.NoError(t, b.take(t.Context(), &delivery{packet: &paho.Publish{Topic: "t", QoS: 1, PacketID: id, Payload: []byte("same")}, by: conn}))
	}
	b.f.Open = func(context.Context, *paho.Publish) (message.Message, error) { return message.Message{}, nil }
	require.NoError(t, b.retry(t.Context()))
	require.Zero(t, b.Waiting())
	require.Equal(t, map[uint16]bool{1: true, 2: true, 3: true}, conn.acknowledged)
}

// TestBytesStayCounted: copies with large user properties count, on one connection and on others.
func TestBytesStayCounted(t *testing.T) {
	b := ackInbox(t, kms.ErrUnavailable, nil, nil)
	b.o.Bytes = 1 << 20
	for i := range 100 {
		for _, properties := range []*paho.PublishProperties{nil, {User: paho.UserProperties{{Key: "k", Value: strings.Repeat("x", 300_000)}}}} {
			p := &paho.Publish{Topic: "t", QoS: 1, PacketID: uint16(i + 1), Payload: []byte{byte(i / 2)}, Properties: properties}
			require.NoError(t, b.take(t.Context(), &delivery{packet: p, by: newPackets()}))
		}
		held := 0
		for _, d := range b.waiting {
			held += d.size()
		}
		require.Equal(t, held, b.bytes)
		require.LessOrEqual(t, held, b.o.Bytes)
	}
}

// TestCrowded: a topic that has most waiting makes room, so that none drives out another's.
func TestCrowded(t *testing.T) {
	b := ackInbox(t, kms.ErrUnavailable, nil, nil)
	b.o.Messages = 5
	for i := range 20 {
		topic := "loud"
		if i == 0 || i == 7 {
			topic = "quiet"
		}
		require.NoError(t, b.take(t.Context(), &delivery{packet: &paho.Publish{Topic: topic, Payload: []byte{byte(i)}}}))
	}
	quiet := 0
	for _, d := range b.waiting {
		if d.packet.Topic == "quiet" {
			quiet++
		}
	}
	require.Equal(t, 2, quiet)
	require.Equal(t, 5, b.Waiting())
}
