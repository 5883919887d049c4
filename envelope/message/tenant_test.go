package message_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/kms"
)

func TestMirrors(t *testing.T) {
	ring := envelopetest.New(t, nil)
	acme := ring.Tenant("acme")
	topic := mustTopic(t, ring, "orders", &message.TopicOptions{Mirrors: []string{"primary.orders"}})
	r := message.Record{Topic: "orders", Value: []byte("x")}
	r.Value = mustSeal(t, topic, acme, r)
	for name, want := range map[string]error{"orders": nil, "primary.orders": nil, "": nil, "secondary.orders": kms.ErrInvalid} {
		r.Topic = name
		_, err := topic.Open(t.Context(), acme, r)
		require.ErrorIs(t, err, want)
	}
	r.Topic = "primary.orders"
	_, err := topic.Seal(t.Context(), acme, r)
	require.ErrorIs(t, err, kms.ErrInvalid, "it is written under its own name")
}

func TestTenantHeader(t *testing.T) {
	ring := envelopetest.New(t, nil)
	acme, other := ring.Tenant("acme"), ring.Tenant("other")
	topic := mustTopic(t, ring, "orders", &message.TopicOptions{TenantHeader: "tenant"})
	r := message.Record{Value: []byte("x"), Headers: headers("tenant", "acme")}
	r.Value = mustSeal(t, topic, acme.Subject("ada"), r)
	tn, err := topic.Tenant(r)
	require.NoError(t, err)
	require.Equal(t, acme, tn)
	m, err := topic.Open(t.Context(), tn, r)
	require.NoError(t, err)
	require.Equal(t, "x", string(m.Value))

	// It claims, and the key's row decides.
	forged := r
	forged.Headers = headers("tenant", "other")
	tn, err = topic.Tenant(forged)
	require.NoError(t, err)
	_, err = topic.Open(t.Context(), tn, forged)
	require.ErrorIs(t, err, envelope.ErrWrongScope)
	require.Equal(t, envelope.Reject, envelope.ActionFor(err))

	for name, hs := range map[string][]message.Header{
		"none": nil, "another": headers("Tenant", "acme"), "two": headers("tenant", "acme", "tenant", "acme"),
		"empty": headers("tenant", ""), "long": headers("tenant", strings.Repeat("x", 256)), "no text": headers("tenant", "\xff"),
	} {
		_, err := topic.Tenant(message.Record{Headers: hs})
		require.ErrorIs(t, err, envelope.ErrFormat, name)
		_, err = topic.Seal(t.Context(), acme, message.Record{Value: []byte("x"), Headers: hs})
		require.ErrorIs(t, err, kms.ErrInvalid, name)
	}
	_, err = topic.Seal(t.Context(), other, message.Record{Value: []byte("x"), Headers: headers("tenant", "acme")})
	require.ErrorIs(t, err, kms.ErrInvalid)
	_, err = mustTopic(t, ring, "orders", nil).Tenant(r)
	require.ErrorIs(t, err, kms.ErrInvalid)
}

// TestSealRecord: the record as the broker gets it.
func TestSealRecord(t *testing.T) {
	ring := newRing(t)
	acme := ring.Tenant("acme")
	topic := mustTopic(t, ring, "orders", &message.TopicOptions{TenantHeader: "tenant", TokenKeys: true, Tombstones: true})
	r := message.Record{Key: []byte("k"), Value: []byte("x"), Headers: headers("type", "new")}
	sealed, err := topic.SealRecord(t.Context(), acme.Subject("ada"), r)
	require.NoError(t, err)
	require.Equal(t, message.Record{Key: []byte("k"), Value: []byte("x"), Headers: headers("type", "new")}, r, "what the caller gave stays")
	require.Equal(t, "orders", sealed.Topic)
	require.Equal(t, headers("type", "new", "tenant", "acme"), sealed.Headers)
	token, err := topic.KeyToken(t.Context(), acme, []byte("k"))
	require.NoError(t, err)
	require.Equal(t, token, sealed.Key)
	m, err := topic.Open(t.Context(), acme, sealed)
	require.NoError(t, err)
	require.Equal(t, message.Message{Key: []byte("k"), Value: []byte("x")}, m)
	r.Value = nil
	tombstone, err := topic.SealRecord(t.Context(), acme, r)
	require.NoError(t, err)
	require.Nil(t, tombstone.Value)
	require.Equal(t, token, tombstone.Key)
	_, err = topic.SealRecord(t.Context(), nil, r)
	require.ErrorIs(t, err, kms.ErrInvalid)
	r.Headers = headers("tenant", "other")
	_, err = topic.SealRecord(t.Context(), acme, r)
	require.ErrorIs(t, err, kms.ErrInvalid, "it is another's")
}

func TestKeyToken(t *testing.T) {
	ring := envelopetest.New(t, nil)
	acme := ring.Tenant("acme")
	orders := mustTopic(t, ring, "orders", nil)
	token := func(topic *message.Topic, tn envelope.Tenant, key string) string {
		t.Helper()
		b, err := topic.KeyToken(t.Context(), tn, []byte(key))
		require.NoError(t, err)
		require.Len(t, b, 32)
		return string(b)
	}
	first := token(orders, acme, "k")
	_, err := acme.Rotate(t.Context())
	require.NoError(t, err)
	require.Equal(t, first, token(orders, acme, "k"))
	require.NotEqual(t, first, token(orders, acme, "l"))
	require.NotEqual(t, first, token(orders, ring.Tenant("other"), "k"))
	require.NotEqual(t, first, token(mustTopic(t, ring, "bills", nil), acme, "k"))
	none, err := orders.KeyToken(t.Context(), acme, nil)
	require.NoError(t, err)
	require.Nil(t, none)
}
