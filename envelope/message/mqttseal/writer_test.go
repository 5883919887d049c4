package mqttseal_test

import (
	"context"
	"crypto/fips140"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/eclipse/paho.golang/paho"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/mqttseal"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// TestWriterFails proves that nothing is published under a key that the broker does not have or that was not saved, and that the next try brings all of it.
func TestWriterFails(t *testing.T) {
	keys := newPair(t)
	broken := errors.New("broken")
	var published []*paho.Publish
	var fails error
	c := conn(func(p *paho.Publish) error {
		if fails == nil {
			published = append(published, p)
		}
		return fails
	})
	var saves error
	w, err := mqttseal.NewWriter(c, keys.publisher(t, readings, nil), "device-7", &mqttseal.WriterOptions{Save: func(context.Context, []byte) error { return saves }})
	require.NoError(t, err)
	p := &paho.Publish{Topic: readings, Payload: []byte(canary)}
	fails = broken
	_, err = w.Publish(t.Context(), p)
	require.ErrorIs(t, err, broken)
	require.Empty(t, published)

	fails, saves = nil, broken
	_, err = w.Publish(t.Context(), p)
	require.ErrorIs(t, err, broken)
	require.Len(t, published, 1)
	require.Equal(t, "devices/7/readings/keys/device-7", published[0].Topic)
	require.True(t, published[0].Retain)
	require.EqualValues(t, 1, published[0].QoS)
	require.True(t, message.IsKeyMessage(published[0].Payload))

	saves = nil
	for range 2 {
		_, err = w.Publish(t.Context(), p)
		require.NoError(t, err)
	}
	require.Len(t, published, 4) // the key once more, and two payloads
	require.Equal(t, published[0], published[1])
	require.Equal(t, readings, published[2].Topic)
	require.NotContains(t, string(published[2].Payload), canary)
	require.NotEqual(t, published[2].Payload, published[3].Payload)

	for name, p := range map[string]*paho.Publish{"nil": nil, "no topic": {Payload: []byte("x")}, "another topic": {Topic: "devices/8/readings", Payload: []byte("x")}, "a tombstone": {Topic: readings}} {
		_, err := w.Publish(t.Context(), p)
		require.ErrorIs(t, err, kms.ErrInvalid, name)
	}
	require.Len(t, published, 4)
}

// conn is a Conn.
type conn func(p *paho.Publish) error

func (c conn) Publish(_ context.Context, p *paho.Publish) (*paho.PublishResponse, error) {
	return &paho.PublishResponse{}, c(p)
}

func TestNewWriter(t *testing.T) {
	c, pub := conn(nil), newPair(t).publisher(t, readings, nil)
	for _, id := range []string{"", "a/b", "a+", "#", "a b", "é", "\x7f", string(make([]byte, 129))} {
		_, err := mqttseal.NewWriter(c, pub, id, nil)
		require.ErrorIs(t, err, kms.ErrInvalid, "%q", id)
	}
	_, err := mqttseal.NewWriter(nil, pub, "x", nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	_, err = mqttseal.NewWriter(c, nil, "x", nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
}

// TestWriterTurns: who publishes at the same time waits until the key message is there, and does not publish it again.
func TestWriterTurns(t *testing.T) {
	if fips140.Enabled() && fips140.Version() != "v1.0.0" {
		t.Skip("the FIPS module takes its entropy from the clock, which stands still in a bubble")
	}
	bubble.Test(t, func(t *testing.T) {
		keys := newPair(t)
		answer, published := make(chan error), make(chan bool, 10)
		c := conn(func(p *paho.Publish) error {
			key := message.IsKeyMessage(p.Payload)
			published <- key
			if key {
				return <-answer
			}
			return nil
		})
		w, err := mqttseal.NewWriter(c, keys.publisher(t, readings, nil), "device-7", nil)
		require.NoError(t, err)
		done := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := w.Publish(t.Context(), &paho.Publish{Topic: readings, Payload: []byte(canary)})
				done <- err
			}()
		}
		ended, end := context.WithCancel(t.Context())
		end()
		synctest.Wait()
		require.Equal(t, []bool{true}, all(published))
		_, err = w.Publish(ended, &paho.Publish{Topic: readings, Payload: []byte(canary)})
		require.ErrorIs(t, err, context.Canceled)
		answer <- nil
		for range 3 {
			require.NoError(t, <-done)
		}
		require.Equal(t, []bool{false, false, false}, all(published))
	})
}
