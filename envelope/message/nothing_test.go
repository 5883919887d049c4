package message_test

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/kms"
)

func TestTombstones(t *testing.T) {
	ring := envelopetest.New(t, nil)
	acme := ring.Tenant("acme")
	with, without := mustTopic(t, ring, "orders", &message.TopicOptions{Tombstones: true, TokenKeys: true}), mustTopic(t, ring, "orders", nil)
	payload, err := with.Seal(t.Context(), acme, message.Record{Key: []byte("k")})
	require.NoError(t, err)
	require.Nil(t, payload)
	token, err := with.KeyToken(t.Context(), acme, []byte("k"))
	require.NoError(t, err)
	for _, empty := range [][]byte{nil, {}} {
		m, err := with.Open(t.Context(), acme, message.Record{Key: token, Value: empty})
		require.NoError(t, err)
		require.Equal(t, message.Message{Key: token, Tombstone: true}, m)
		_, err = without.Open(t.Context(), acme, message.Record{Value: empty})
		require.ErrorIs(t, err, message.ErrNotSealed)
		require.Equal(t, envelope.Reject, envelope.ActionFor(err))
		require.Equal(t, "not_sealed", envelope.Class(err))
	}
	_, err = without.Seal(t.Context(), acme, message.Record{})
	require.ErrorIs(t, err, kms.ErrInvalid)
	payload = mustSeal(t, with, acme, message.Record{Value: []byte{}})
	require.Len(t, payload, 58, "an empty value is one")
}

func TestPassPlain(t *testing.T) {
	ring := envelopetest.New(t, nil)
	acme := ring.Tenant("acme")
	var plain atomic.Int64
	topic := mustTopic(t, ring, "orders", &message.TopicOptions{PassPlain: &plain})
	value := []byte("an old order")
	m, err := topic.Open(t.Context(), acme, message.Record{Key: []byte("k"), Value: value})
	require.NoError(t, err)
	require.Equal(t, message.Message{Key: []byte("k"), Value: []byte("an old order"), Plain: true}, m)
	value[0] = 'X'
	require.Equal(t, "an old order", string(m.Value), "it is a copy")
	for _, empty := range [][]byte{nil, {}} {
		_, err = topic.Open(t.Context(), acme, message.Record{Value: empty})
		require.ErrorIs(t, err, message.ErrNotSealed, "nothing is no plaintext")
	}
	require.EqualValues(t, 1, plain.Load())
	for _, start := range []byte{0xf5, 0xf6, 0xf7, 0xf8} {
		_, err := topic.Open(t.Context(), acme, message.Record{Value: append([]byte{start}, make([]byte, 100)...)})
		require.Error(t, err)
		require.Contains(t, []error{envelope.ErrFormat, envelope.ErrUnknownKey}, underlying(err))
	}
	require.EqualValues(t, 1, plain.Load())
	m, err = topic.Open(t.Context(), acme, message.Record{Value: mustSeal(t, topic, acme, message.Record{Value: []byte("new")})})
	require.NoError(t, err)
	require.False(t, m.Plain)
	require.EqualValues(t, 1, plain.Load())
}

// underlying returns the sentinel at the end of an error.
func underlying(err error) error {
	for {
		one, ok := err.(interface{ Unwrap() error })
		if !ok || one.Unwrap() == nil {
			return err
		}
		err = one.Unwrap()
	}
}
