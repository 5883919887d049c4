package mqttseal

import (
	"context"
	"errors"
	"testing"

	"github.com/eclipse/paho.golang/paho"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/kms"
)

// acks counts acknowledgements of a connection.
type acks int

func (a *acks) Ack(*paho.Publish) error {
	*a++
	return nil
}

// TestAcknowledge: what was handled, put aside or skipped is acknowledged, and nothing that waits or failed. paho.golang shows nobody what it has acknowledged, and so this looks from within.
func TestAcknowledge(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name                string
		open, handle, aside error
		acks                acks
		err                 error
	}{
		{name: "handled", acks: 1},
		{name: "handled badly", handle: broken, err: broken},
		{name: "skipped", open: envelope.ErrErased, acks: 1},
		{name: "a key message", open: message.ErrKeyMessage, acks: 1},
		{name: "put aside", open: envelope.ErrOpen, acks: 1},
		{name: "held", open: envelope.ErrDisabled, acks: 1},
		{name: "put aside badly", open: envelope.ErrOpen, aside: broken, err: broken},
		{name: "waits", open: kms.ErrUnavailable},
		{name: "a mistake", open: kms.ErrInvalid, err: kms.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := ackInbox(t, tt.open, tt.handle, tt.aside)
			var got acks
			require.ErrorIs(t, b.take(t.Context(), ackDelivery("x", &got)), tt.err)
			require.Equal(t, tt.acks, got)
		})
	}
}

// TestAcknowledgeLater: what had to make room is acknowledged, and what was delivered again by the connection of the last delivery.
func TestAcknowledgeLater(t *testing.T) {
	b := ackInbox(t, kms.ErrUnavailable, nil, nil)
	b.o.Messages = 2
	var first, again, second, third acks
	for _, d := range []*delivery{ackDelivery("1", &first), ackDelivery("2", &second), ackDelivery("1", &again), ackDelivery("3", &third)} {
		require.NoError(t, b.take(t.Context(), d))
	}
	require.Equal(t, []acks{0, 1, 0, 0}, []acks{first, again, second, third})
	require.Equal(t, 2, b.Waiting())
	b.f.Open = func(context.Context, *paho.Publish) (message.Message, error) { return message.Message{}, nil }
	require.NoError(t, b.retry(t.Context()))
	require.Equal(t, []acks{0, 1, 1, 1}, []acks{first, again, second, third})
	require.Zero(t, b.Waiting())
	require.Zero(t, b.bytes)
}

func ackInbox(t *testing.T, open, handle, aside error) *Inbox {
	t.Helper()
	b, err := NewInbox(InboxFuncs{
		Open:   func(context.Context, *paho.Publish) (message.Message, error) { return message.Message{}, open },
		Handle: func(context.Context, *paho.Publish, message.Message) error { return handle },
		Aside:  func(context.Context, *paho.Publish, error) error { return aside },
	}, nil)
	require.NoError(t, err)
	return b
}

func ackDelivery(text string, by acknowledger) *delivery {
	return &delivery{packet: &paho.Publish{Topic: "t", Payload: []byte(text)}, by: by}
}
