package mqttseal_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/paho"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/mqttseal"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
)

// store opens what begins with a letter that it knows. "+a" announces a, and "?" is what its error says.
type store map[string]error

func (s store) open(_ context.Context, p *paho.Publish) (message.Message, error) {
	text := string(p.Payload)
	if key, ok := strings.CutPrefix(text, "+"); ok {
		s[key] = nil
		return message.Message{}, message.ErrKeyMessage
	}
	if err, ok := s[text[:1]]; !ok || err != nil {
		if err == nil {
			err = kms.ErrUnavailable
		}
		return message.Message{}, err
	}
	return message.Message{Value: p.Payload}, nil
}

func received(text string) paho.PublishReceived {
	return paho.PublishReceived{Packet: &paho.Publish{Topic: "t", Payload: []byte(text)}}
}

func all[T any](c chan T) (got []T) {
	for len(c) > 0 {
		got = append(got, <-c)
	}
	return got
}

// TestInboxOrder: what waits is handled in the order of arrival as soon as it opens, and holds up nothing else.
func TestInboxOrder(t *testing.T) {
	in := runInbox(t, store{}.open, nil)
	for _, text := range []string{"a1", "b1", "a2", "+b", "b2", "a3", "+a", "a4"} {
		handled, err := in.Receive(received(text))
		require.NoError(t, err)
		require.True(t, handled)
	}
	require.Equal(t, []string{"b1", "b2", "a1", "a2", "a3", "a4"}, all(in.handled))
	require.Zero(t, in.Waiting())
	require.Empty(t, in.aside)
}

// TestInboxBounds: the oldest makes room, and one that is larger than all room does not wait.
func TestInboxBounds(t *testing.T) {
	tests := []struct {
		name  string
		o     *mqttseal.InboxOptions
		text  []string
		aside int
		waits []string
	}{
		{"number", &mqttseal.InboxOptions{Messages: 2}, []string{"a1", "a2", "a3", "a4"}, 2, []string{"a3", "a4"}},
		{"bytes", &mqttseal.InboxOptions{Bytes: 12}, []string{"a1", "a2", "a3", "a4", "a5.."}, 2, []string{"a3", "a4", "a5.."}},
		{"too large for any", &mqttseal.InboxOptions{Bytes: 6}, []string{"a1", "a2", "a3456789"}, 1, []string{"a1", "a2"}},
		{"the same again", &mqttseal.InboxOptions{Messages: 2}, []string{"a1", "a2", "a1", "a2", "a1"}, 0, []string{"a1", "a2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := runInbox(t, store{}.open, tt.o)
			for _, text := range tt.text {
				_, err := in.Receive(received(text))
				require.NoError(t, err)
			}
			require.Equal(t, len(tt.waits), in.Waiting())
			aside := all(in.aside)
			require.Len(t, aside, tt.aside)
			for _, err := range aside {
				require.ErrorIs(t, err, mqttseal.ErrFull)
				require.ErrorIs(t, err, kms.ErrUnavailable)
			}
			_, err := in.Receive(received("+a"))
			require.NoError(t, err)
			require.Equal(t, tt.waits, all(in.handled))
		})
	}
	t.Run("properties count", func(t *testing.T) {
		in := runInbox(t, store{}.open, &mqttseal.InboxOptions{Bytes: 5})
		r := received("a1")
		r.Packet.Properties = &paho.PublishProperties{User: paho.UserProperties{{Key: "x", Value: "yz"}}}
		_, err := in.Receive(r)
		require.NoError(t, err)
		require.ErrorIs(t, next(t, in.aside), mqttseal.ErrFull)
	})
}

// TestInboxTime: an outage is bridged without any new message, and a key that stays unknown is put aside when its time is over.
func TestInboxTime(t *testing.T) {
	keys := newPair(t)
	payload, _, err := keys.publisher(t, "t", nil).Seal(t.Context(), message.Record{Value: []byte(canary)})
	require.NoError(t, err)
	bubble.Test(t, func(t *testing.T) {
		s := store{}
		var back atomic.Bool
		open := with(keys.subscriber(t, &message.SubscriberOptions{UnknownKeyFor: 10 * time.Second}))
		in := runInbox(t, func(ctx context.Context, p *paho.Publish) (message.Message, error) {
			if len(p.Payload) > 10 {
				return open(ctx, p)
			}
			if back.Load() {
				s["a"] = nil
			}
			return s.open(ctx, p)
		}, nil)
		start := time.Now()
		_, err := in.Receive(received("a1"))
		require.NoError(t, err)
		_, err = in.Receive(received(string(payload)))
		require.NoError(t, err)
		time.Sleep(3500 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, 2, in.Waiting())
		back.Store(true)
		require.Equal(t, "a1", <-in.handled)
		require.Equal(t, 4*time.Second, time.Since(start))
		err = <-in.aside
		require.ErrorIs(t, err, envelope.ErrUnknownKey)
		require.Equal(t, envelope.Reject, envelope.ActionFor(err))
		require.Equal(t, 10*time.Second, time.Since(start))
		synctest.Wait()
		require.Zero(t, in.Waiting())
		require.ErrorIs(t, in.stop(), context.Canceled)
	})
}

// TestInboxKeyWaits: a key message that waits out an outage brings the payloads before it at once.
func TestInboxKeyWaits(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		s := store{}
		var back atomic.Bool
		in := runInbox(t, func(ctx context.Context, p *paho.Publish) (message.Message, error) {
			if string(p.Payload) == "+a" && !back.Load() {
				return message.Message{}, kms.ErrUnavailable
			}
			return s.open(ctx, p)
		}, nil)
		start := time.Now()
		for _, text := range []string{"a1", "a2", "+a"} {
			_, err := in.Receive(received(text))
			require.NoError(t, err)
		}
		require.Equal(t, 3, in.Waiting())
		back.Store(true)
		require.Equal(t, "a1", <-in.handled)
		require.Equal(t, "a2", <-in.handled)
		require.Equal(t, time.Second, time.Since(start))
		require.ErrorIs(t, in.stop(), context.Canceled)
	})
}

// TestInboxEnds: where a function fails, Run ends with its error, and later messages are not taken.
func TestInboxEnds(t *testing.T) {
	broken := errors.New("broken")
	fails := func() error { return broken }
	tests := []struct {
		name          string
		open          error
		handle, aside func() error
		want          error
	}{
		{"Handle", nil, fails, nil, broken},
		{"Aside", envelope.ErrOpen, nil, fails, broken},
		{"a mistake", kms.ErrInvalid, nil, nil, kms.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := mqttseal.NewInbox(mqttseal.InboxFuncs{
				Open:   func(context.Context, *paho.Publish) (message.Message, error) { return message.Message{}, tt.open },
				Handle: func(context.Context, *paho.Publish, message.Message) error { return tt.handle() },
				Aside:  func(context.Context, *paho.Publish, error) error { return tt.aside() },
			}, nil)
			require.NoError(t, err)
			done := make(chan error, 1)
			go func() { done <- b.Run(t.Context()) }()
			handled, err := b.Receive(received("x"))
			require.ErrorIs(t, err, tt.want)
			require.False(t, handled)
			require.ErrorIs(t, next(t, done), tt.want)
			_, err = b.Receive(received("x"))
			require.ErrorIs(t, err, envelope.ErrClosed)
			require.ErrorIs(t, b.Run(t.Context()), kms.ErrInvalid)
		})
	}
}

func TestNewInbox(t *testing.T) {
	f := mqttseal.InboxFuncs{
		Open:   store{}.open,
		Handle: func(context.Context, *paho.Publish, message.Message) error { return nil },
		Aside:  func(context.Context, *paho.Publish, error) error { return nil },
	}
	for i, f := range []mqttseal.InboxFuncs{{}, {Open: f.Open, Handle: f.Handle}, {Open: f.Open, Aside: f.Aside}, {Handle: f.Handle, Aside: f.Aside}} {
		_, err := mqttseal.NewInbox(f, nil)
		require.ErrorIs(t, err, kms.ErrInvalid, fmt.Sprint(i))
	}
	for _, o := range []mqttseal.InboxOptions{{Messages: -1}, {Messages: 100_001}, {Bytes: -1}, {Bytes: 1<<30 + 1}} {
		_, err := mqttseal.NewInbox(f, &o)
		require.ErrorIs(t, err, kms.ErrInvalid, "%+v", o)
	}
}
