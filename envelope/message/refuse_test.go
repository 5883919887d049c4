package message_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

func TestZeroValues(t *testing.T) {
	ring := newRing(t)
	var topic message.Topic
	var none *message.Topic
	for _, z := range []*message.Topic{&topic, none} {
		_, err := z.Seal(t.Context(), ring.Tenant("acme"), message.Record{Value: []byte("x")})
		require.ErrorIs(t, err, kms.ErrInvalid)
		_, err = z.SealRecord(t.Context(), ring.Tenant("acme"), message.Record{Value: []byte("x")})
		require.ErrorIs(t, err, kms.ErrInvalid)
		_, err = z.Open(t.Context(), ring.Tenant("acme"), message.Record{Value: []byte("x")})
		require.ErrorIs(t, err, kms.ErrInvalid)
		_, err = z.KeyToken(t.Context(), ring.Tenant("acme"), []byte("x"))
		require.ErrorIs(t, err, kms.ErrInvalid)
		_, err = z.Tenant(message.Record{})
		require.ErrorIs(t, err, kms.ErrInvalid)
	}
	var p message.Publisher
	_, _, err := p.Seal(t.Context(), message.Record{Value: []byte("x")})
	require.ErrorIs(t, err, kms.ErrInvalid)
	p.Announced([]byte("x"))
	require.NoError(t, p.Close())
	var s message.Subscriber
	_, err = s.Open(t.Context(), message.Record{Topic: "t", Value: []byte("x")})
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.NoError(t, s.Close())
}

func TestNewPublisherRefuses(t *testing.T) {
	k := fakeKey(t, kmstest.NewFake("k"))
	for name, o := range map[string]*message.PublisherOptions{
		"short period": {Period: time.Second}, "long period": {Period: 31 * 24 * time.Hour}, "header": {Headers: []string{""}}, "sender": {Sender: "\xff"},
		"reserved context": {Context: kms.Context{"holdfast:purpose": "x"}}, "long context": {Context: kms.Context{"a": strings.Repeat("x", 8200)}},
	} {
		_, err := message.NewPublisher(k, "t", o)
		require.ErrorIs(t, err, kms.ErrInvalid, name)
	}
	_, err := message.NewPublisher(nil, "t", nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	_, err = message.NewPublisher(k, "t/#", nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	for name, o := range map[string]*message.SubscriberOptions{
		"keys": {Keys: -1}, "many keys": {Keys: 10_000_001}, "header": {Headers: []string{"a", "a"}}, "mirror": {Mirrors: map[string]string{"a/#": "a"}}, "own name": {Mirrors: map[string]string{"a": ""}},
		"context": {Context: kms.Context{"holdfast:x": "x"}}, "unknown": {UnknownKeyFor: 31 * 24 * time.Hour},
	} {
		_, err := message.NewSubscriber(k, o)
		require.ErrorIs(t, err, kms.ErrInvalid, name)
	}
	_, err = message.NewSubscriber(nil, nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	d := newDevice(t, k, nil)
	for name, r := range map[string]message.Record{"topic": {Topic: "other", Value: []byte("x")}, "tombstone": {}} {
		_, _, err := d.Seal(t.Context(), r)
		require.ErrorIs(t, err, kms.ErrInvalid, name)
	}
	_, _, err = d.Seal(t.Context(), message.Record{Value: make([]byte, envelope.MaxRecord)})
	require.ErrorIs(t, err, envelope.ErrTooLarge)
}
