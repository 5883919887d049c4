package mqttseal_test

import (
	"bytes"
	"sync/atomic"
	"testing"

	"github.com/eclipse/paho.golang/paho"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/mqttseal"
	"github.com/holdfast-go/holdfast/kms"
)

func TestTopic(t *testing.T) { eachBroker(t, testTopic) }

// testTopic takes a message through a broker: every other property arrives as it was, and what is bound is.
func testTopic(t *testing.T, b *broker) {
	ring := newRing(t)
	acme := ring.Tenant("acme")
	topic := newTopic(t, ring, "orders/7", &message.TopicOptions{Headers: []string{"kind"}, TenantHeader: "tenant", Sender: "shop"})
	came := b.collect(t, "consumer", "orders/+")
	p := &paho.Publish{QoS: 1, Retain: true, Payload: []byte(canary), Properties: &paho.PublishProperties{
		ContentType: "text/plain", CorrelationData: []byte("c"), ResponseTopic: "answers", MessageExpiry: new(uint32(600)),
		User: paho.UserProperties{{Key: "kind", Value: "a"}, {Key: "tenant", Value: "acme"}, {Key: "kind", Value: "b"}, {Key: "free", Value: "x"}},
	}}
	before := *p
	sealed, err := mqttseal.Seal(t.Context(), topic, acme, p)
	require.NoError(t, err)
	require.Equal(t, before, *p)
	require.Equal(t, canary, string(p.Payload))
	require.Equal(t, "orders/7", sealed.Topic)
	require.NotContains(t, string(sealed.Payload), canary)
	producer := b.connect(t, session{id: "producer"})
	producer.publish(t, sealed)

	got := next(t, came)
	require.Equal(t, p.Properties.ContentType, got.Properties.ContentType)
	require.Equal(t, p.Properties.CorrelationData, got.Properties.CorrelationData)
	require.Equal(t, p.Properties.ResponseTopic, got.Properties.ResponseTopic)
	require.Equal(t, p.Properties.User, got.Properties.User)
	require.NotNil(t, got.Properties.MessageExpiry)
	tenant, err := mqttseal.Tenant(topic, got)
	require.NoError(t, err)
	m, err := mqttseal.Open(t.Context(), topic, tenant, got)
	require.NoError(t, err)
	require.Equal(t, canary, string(m.Value))
	require.Equal(t, "shop", m.Sender.Name)
	require.EqualValues(t, 1, m.Sequence)

	// Who comes late gets what is retained.
	late := next(t, b.collect(t, "late", "orders/+"))
	require.True(t, late.Retain)
	m, err = mqttseal.Open(t.Context(), topic, acme, late)
	require.NoError(t, err)
	require.Equal(t, canary, string(m.Value))
}

func TestTombstone(t *testing.T) { eachBroker(t, testTombstone) }

// testTombstone clears what a broker retains. The payload after it is all that a late subscriber gets.
func testTombstone(t *testing.T, b *broker) {
	ring := newRing(t)
	acme := ring.Tenant("acme")
	with := newTopic(t, ring, "state/1", &message.TopicOptions{Tombstones: true})
	without := newTopic(t, ring, "state/1", nil)
	came := b.collect(t, "consumer", "state/+")
	producer := b.connect(t, session{id: "producer"})
	for _, payload := range [][]byte{[]byte(canary), nil} {
		sealed, err := mqttseal.Seal(t.Context(), with, acme, &paho.Publish{QoS: 1, Retain: true, Payload: payload})
		require.NoError(t, err)
		producer.publish(t, sealed)
	}
	m, err := mqttseal.Open(t.Context(), with, acme, next(t, came))
	require.NoError(t, err)
	require.False(t, m.Tombstone)
	gone := next(t, came)
	m, err = mqttseal.Open(t.Context(), with, acme, gone)
	require.NoError(t, err)
	require.True(t, m.Tombstone)
	require.Nil(t, m.Value)
	_, err = mqttseal.Open(t.Context(), without, acme, gone)
	require.ErrorIs(t, err, message.ErrNotSealed)
	_, err = mqttseal.Seal(t.Context(), without, acme, &paho.Publish{})
	require.ErrorIs(t, err, kms.ErrInvalid)

	producer.publish(t, &paho.Publish{Topic: "state/2", QoS: 1, Retain: true, Payload: []byte(control)})
	require.Equal(t, "state/2", next(t, b.collect(t, "late", "state/+")).Topic)

	// An empty payload that is not nil is sealed like any other.
	sealed, err := mqttseal.Seal(t.Context(), with, acme, &paho.Publish{Payload: []byte{}})
	require.NoError(t, err)
	m, err = mqttseal.Open(t.Context(), with, acme, sealed)
	require.NoError(t, err)
	require.False(t, m.Tombstone)
	require.Empty(t, m.Value)
}

// TestMoved proves that a message that was moved or changed is refused, and what to do about it.
func TestMoved(t *testing.T) {
	ring := newRing(t)
	acme, globex := ring.Tenant("acme"), ring.Tenant("globex")
	options := &message.TopicOptions{Headers: []string{"kind"}}
	one, two := newTopic(t, ring, "orders/1", options), newTopic(t, ring, "orders/2", options)
	user := func(pairs ...string) *paho.PublishProperties {
		var all paho.PublishProperties
		for i := 0; i < len(pairs); i += 2 {
			all.User.Add(pairs[i], pairs[i+1])
		}
		return &all
	}
	sealed, err := mqttseal.Seal(t.Context(), one, acme, &paho.Publish{Topic: "orders/1", Payload: []byte(canary), Properties: user("kind", "a", "kind", "b")})
	require.NoError(t, err)
	_, err = mqttseal.Seal(t.Context(), one, globex, &paho.Publish{Payload: []byte("of another")})
	require.NoError(t, err)
	changed := bytes.Clone(sealed.Payload)
	changed[len(changed)-1] ^= 1
	tests := []struct {
		name   string
		at     *message.Topic
		tenant envelope.Tenant
		change func(p *paho.Publish)
		err    error
		action envelope.Action
	}{
		{"not at all", one, acme, func(*paho.Publish) {}, nil, envelope.None},
		{"another free property", one, acme, func(p *paho.Publish) { p.Properties = user("kind", "a", "free", "x", "kind", "b") }, nil, envelope.None},
		{"QoS, Retain and content type", one, acme, func(p *paho.Publish) {
			p.QoS, p.Retain, p.Properties.ContentType = 2, true, "text/html"
		}, nil, envelope.None},
		{"another topic", two, acme, func(p *paho.Publish) { p.Topic = "orders/2" }, envelope.ErrOpen, envelope.Reject},
		{"a topic of others", one, acme, func(p *paho.Publish) { p.Topic = "orders/2" }, kms.ErrInvalid, envelope.Fix},
		{"no topic", one, acme, func(p *paho.Publish) { p.Topic = "" }, kms.ErrInvalid, envelope.Fix},
		{"another value", one, acme, func(p *paho.Publish) { p.Properties = user("kind", "a", "kind", "c") }, envelope.ErrOpen, envelope.Reject},
		{"another order", one, acme, func(p *paho.Publish) { p.Properties = user("kind", "b", "kind", "a") }, envelope.ErrOpen, envelope.Reject},
		{"one more", one, acme, func(p *paho.Publish) { p.Properties = user("kind", "a", "kind", "b", "kind", "b") }, envelope.ErrOpen, envelope.Reject},
		{"no properties", one, acme, func(p *paho.Publish) { p.Properties = nil }, envelope.ErrOpen, envelope.Reject},
		{"another tenant", one, globex, func(*paho.Publish) {}, envelope.ErrWrongScope, envelope.Reject},
		{"changed payload", one, acme, func(p *paho.Publish) { p.Payload = changed }, envelope.ErrOpen, envelope.Reject},
		{"cut payload", one, acme, func(p *paho.Publish) { p.Payload = p.Payload[:20] }, envelope.ErrTruncated, envelope.Reject},
		{"plaintext", one, acme, func(p *paho.Publish) { p.Payload = []byte(canary) }, message.ErrNotSealed, envelope.Reject},
		{"empty payload", one, acme, func(p *paho.Publish) { p.Payload = []byte{} }, message.ErrNotSealed, envelope.Reject},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, properties := *sealed, *sealed.Properties
			p.Properties = &properties
			tt.change(&p)
			m, err := mqttseal.Open(t.Context(), tt.at, tt.tenant, &p)
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, tt.action, envelope.ActionFor(err))
			if err == nil {
				require.Equal(t, canary, string(m.Value))
				return
			}
			require.Zero(t, m)
			require.NotContains(t, err.Error(), canary)
		})
	}
	for name, call := range map[string]func() error{
		"Seal":   func() error { _, err := mqttseal.Seal(t.Context(), one, acme, nil); return err },
		"Open":   func() error { _, err := mqttseal.Open(t.Context(), one, acme, nil); return err },
		"Tenant": func() error { _, err := mqttseal.Tenant(one, nil); return err },
	} {
		require.ErrorIs(t, call(), kms.ErrInvalid, name)
	}
}

// TestPassPlain counts plaintext while a topic is moved to sealed messages.
func TestPassPlain(t *testing.T) {
	var plain atomic.Int64
	ring := newRing(t)
	topic := newTopic(t, ring, "old", &message.TopicOptions{PassPlain: &plain})
	m, err := mqttseal.Open(t.Context(), topic, ring.Tenant("acme"), &paho.Publish{Topic: "old", Payload: []byte("in the clear")})
	require.NoError(t, err)
	require.True(t, m.Plain)
	require.Equal(t, "in the clear", string(m.Value))
	require.EqualValues(t, 1, plain.Load())
}
