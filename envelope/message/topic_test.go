package message_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/kms"
)

// mustTopic returns a topic.
func mustTopic(t testing.TB, r *envelope.Keyring, name string, o *message.TopicOptions) *message.Topic {
	t.Helper()
	topic, err := message.NewTopic(r, name, o)
	require.NoError(t, err)
	return topic
}

func headers(pairs ...string) (hs []message.Header) {
	for i := 0; i < len(pairs); i += 2 {
		hs = append(hs, message.Header{Key: pairs[i], Value: []byte(pairs[i+1])})
	}
	return hs
}

// TestForms: each form opens again, and is as long as the page says.
func TestForms(t *testing.T) {
	ring := envelopetest.New(t, nil)
	acme := ring.Tenant("acme")
	at := time.UnixMilli(1_700_000_000_123)
	for name, tt := range map[string]struct {
		o        *message.TopicOptions
		key      []byte
		overhead int
	}{
		"plain":                   {nil, nil, 58},
		"plain with a key":        {nil, []byte("order-1"), 58},
		"plain with an empty key": {nil, []byte{}, 58},
		"bound headers":           {&message.TopicOptions{Headers: []string{"type"}}, nil, 58},
		"stamp":                   {&message.TopicOptions{Sender: "shop"}, nil, 58 + 25 + 4},
		"token":                   {&message.TopicOptions{TokenKeys: true}, []byte("order-1"), 58 + 2 + 7},
		"token of an empty key":   {&message.TopicOptions{TokenKeys: true}, []byte{}, 58 + 2},
		"token of no key":         {&message.TopicOptions{TokenKeys: true}, nil, 58},
		"all":                     {&message.TopicOptions{TokenKeys: true, Sender: "shop"}, []byte("order-1"), 58 + 2 + 7 + 25 + 4},
	} {
		t.Run(name, func(t *testing.T) {
			topic := mustTopic(t, ring, "orders", tt.o)
			for i, value := range []string{"", "x", strings.Repeat("long ", 1000)} {
				r := message.Record{Key: tt.key, Value: []byte(value), Headers: headers("type", "new"), Time: at}
				payload, err := topic.Seal(t.Context(), acme, r)
				require.NoError(t, err)
				require.Len(t, payload, len(value)+tt.overhead)
				require.False(t, len(value) > 5 && bytes.Contains(payload, []byte(value)))
				got := r
				got.Value = payload
				if tt.o != nil && tt.o.TokenKeys {
					got.Key, err = topic.KeyToken(t.Context(), acme, tt.key)
					require.NoError(t, err)
					require.Equal(t, tt.key == nil, got.Key == nil)
				}
				m, err := topic.Open(t.Context(), acme, got)
				require.NoError(t, err)
				require.NotNil(t, m.Value)
				require.Equal(t, value, string(m.Value))
				require.Equal(t, tt.key, m.Key)
				require.False(t, m.Plain || m.Tombstone)
				if tt.o == nil || tt.o.Sender == "" {
					require.Zero(t, m.Sender)
					require.Zero(t, m.Sequence)
					require.Zero(t, m.Time)
					continue
				}
				require.Equal(t, "shop", m.Sender.Name)
				require.NotZero(t, m.Sender.Instance)
				require.EqualValues(t, i+1, m.Sequence)
				require.True(t, m.Time.Equal(at))
			}
		})
	}
}

// TestPadding: lengths say little, and the value comes back whole.
func TestPadding(t *testing.T) {
	ring := envelopetest.New(t, nil)
	acme := ring.Tenant("acme")
	topic := mustTopic(t, ring, "orders", &message.TopicOptions{Pad: true})
	sizes := map[int]bool{}
	for n := range 2000 {
		value := bytes.Repeat([]byte{0x80}, n/2)
		value = append(value, make([]byte, n-n/2)...)
		payload, err := topic.Seal(t.Context(), acme, message.Record{Value: value})
		require.NoError(t, err)
		inner := len(payload) - envelope.RecordOverhead
		require.GreaterOrEqual(t, inner, n+2)
		require.LessOrEqual(t, float64(inner), float64(n+2)*1.12+1, "%d bytes", n)
		sizes[inner] = true
		m, err := topic.Open(t.Context(), acme, message.Record{Value: payload})
		require.NoError(t, err)
		require.True(t, bytes.Equal(value, m.Value), "%d bytes", n)
	}
	require.Less(t, len(sizes), 100)
	other, err := mustTopic(t, ring, "orders", nil).Open(t.Context(), acme, message.Record{Value: mustSeal(t, topic, acme, message.Record{Value: []byte("x")})})
	require.NoError(t, err)
	require.Equal(t, "x", string(other.Value), "a reader needs no option for it")
}

func mustSeal(t testing.TB, topic *message.Topic, to envelope.Scope, r message.Record) []byte {
	t.Helper()
	payload, err := topic.Seal(t.Context(), to, r)
	require.NoError(t, err)
	return payload
}

// TestPlaces: a message opens at its own place alone.
func TestPlaces(t *testing.T) {
	ring, elsewhere := envelopetest.New(t, nil), envelopetest.New(t, nil)
	acme := ring.Tenant("acme")
	bound := &message.TopicOptions{Headers: []string{"type", "region"}}
	topic, bills := mustTopic(t, ring, "orders", bound), mustTopic(t, ring, "bills", bound)
	r := message.Record{Key: []byte("k"), Value: []byte("value"), Headers: headers("type", "new", "trace", "1", "region", "eu", "region", "us")}
	r.Value = mustSeal(t, topic, acme, r)
	_, err := ring.Tenant("other").Seal(t.Context(), nil, envelope.Bind("x"))
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		topic  *message.Topic
		tenant envelope.Tenant
		change func(r *message.Record)
		err    error
	}{
		"as it was":              {topic, acme, func(*message.Record) {}, nil},
		"another unbound header": {topic, acme, func(r *message.Record) { r.Headers[1].Value = []byte("2") }, nil},
		"headers among others": {topic, acme, func(r *message.Record) {
			r.Headers = append(headers("region", "eu", "region", "us", "a", "b"), r.Headers[0])
		}, nil},
		"topic":                   {bills, acme, func(r *message.Record) {}, envelope.ErrOpen},
		"said topic":              {topic, acme, func(r *message.Record) { r.Topic = "bills" }, kms.ErrInvalid},
		"key":                     {topic, acme, func(r *message.Record) { r.Key = []byte("l") }, envelope.ErrOpen},
		"no key":                  {topic, acme, func(r *message.Record) { r.Key = nil }, envelope.ErrOpen},
		"empty key":               {topic, acme, func(r *message.Record) { r.Key = []byte{} }, envelope.ErrOpen},
		"header":                  {topic, acme, func(r *message.Record) { r.Headers[0].Value = []byte("old") }, envelope.ErrOpen},
		"header gone":             {topic, acme, func(r *message.Record) { r.Headers = r.Headers[1:] }, envelope.ErrOpen},
		"header twice":            {topic, acme, func(r *message.Record) { r.Headers = append(r.Headers, r.Headers[0]) }, envelope.ErrOpen},
		"order of one name":       {topic, acme, func(r *message.Record) { r.Headers[2], r.Headers[3] = r.Headers[3], r.Headers[2] }, envelope.ErrOpen},
		"names exchanged":         {topic, acme, func(r *message.Record) { r.Headers[0].Key, r.Headers[2].Key = "region", "type" }, envelope.ErrOpen},
		"tenant":                  {topic, ring.Tenant("other"), func(*message.Record) {}, envelope.ErrWrongScope},
		"tenant without any keys": {topic, ring.Tenant("nobody"), func(*message.Record) {}, envelope.ErrWrongScope},
		"deployment":              {topic, elsewhere.Tenant("acme"), func(*message.Record) {}, envelope.ErrUnknownKey},
		"first byte":              {topic, acme, func(r *message.Record) { r.Value[0] = 'x' }, message.ErrNotSealed},
		"key id":                  {topic, acme, func(r *message.Record) { r.Value[1] ^= 1 }, envelope.ErrUnknownKey},
		"nonce":                   {topic, acme, func(r *message.Record) { r.Value[20] ^= 1 }, envelope.ErrOpen},
		"end":                     {topic, acme, func(r *message.Record) { r.Value[len(r.Value)-1] ^= 1 }, envelope.ErrOpen},
		"cut":                     {topic, acme, func(r *message.Record) { r.Value = r.Value[:40] }, envelope.ErrTruncated},
		"more":                    {topic, acme, func(r *message.Record) { r.Value = append(r.Value, 0) }, envelope.ErrOpen},
		"nothing":                 {topic, acme, func(r *message.Record) { r.Value = nil }, message.ErrNotSealed},
		"empty":                   {topic, acme, func(r *message.Record) { r.Value = []byte{} }, message.ErrNotSealed},
		"plaintext":               {topic, acme, func(r *message.Record) { r.Value = []byte("value") }, message.ErrNotSealed},
		"a key message":           {topic, acme, func(r *message.Record) { r.Value = []byte{0xf8, 1} }, envelope.ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			got := r
			got.Value, got.Headers = bytes.Clone(r.Value), append([]message.Header(nil), r.Headers...)
			tt.change(&got)
			m, err := tt.topic.Open(t.Context(), tt.tenant, got)
			if tt.err == nil {
				require.NoError(t, err)
				require.Equal(t, "value", string(m.Value))
				return
			}
			require.ErrorIs(t, err, tt.err)
			require.Zero(t, m)
		})
	}
}

// TestPlacesOfOthers: no message is a column, a secret or another module's record of the same tenant, and none of these a message.
func TestPlacesOfOthers(t *testing.T) {
	acme := envelopetest.New(t, nil)
	topic := mustTopic(t, acme, "users", nil)
	payload := mustSeal(t, topic, acme.Tenant("acme"), message.Record{Key: []byte("1"), Value: []byte("x")})
	for _, b := range []envelope.Binding{envelope.Bind("users", "1"), envelope.Bind("message", "users"), envelope.Bind("message", "users", "k1"), envelope.Bind("message", "users", "1")} {
		_, err := acme.Tenant("acme").Open(t.Context(), payload, b)
		require.ErrorIs(t, err, envelope.ErrOpen)
	}
}

func TestNewTopicRefuses(t *testing.T) {
	ring := envelopetest.New(t, nil)
	for name, o := range map[string]*message.TopicOptions{
		"empty header":       {Headers: []string{""}},
		"header twice":       {Headers: []string{"a", "b", "a"}},
		"long sender":        {Sender: strings.Repeat("x", 256)},
		"sender no text":     {Sender: "\xff"},
		"mirror is a filter": {Mirrors: []string{"a/#"}},
		"unknown for ever":   {UnknownKeyFor: 31 * 24 * time.Hour},
	} {
		_, err := message.NewTopic(ring, "orders", o)
		require.ErrorIs(t, err, kms.ErrInvalid, name)
	}
	for _, name := range []string{"", "fleet/+/pos", "fleet/#", "a\x00b", "\xff", strings.Repeat("x", 65536)} {
		_, err := message.NewTopic(ring, name, nil)
		require.ErrorIs(t, err, kms.ErrInvalid, "%.20q", name)
	}
	_, err := message.NewTopic(nil, "orders", nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	topic := mustTopic(t, ring, "orders", nil)
	_, err = topic.Seal(t.Context(), nil, message.Record{Value: []byte("x")})
	require.ErrorIs(t, err, kms.ErrInvalid)
	_, err = topic.Seal(t.Context(), envelope.Subject{}, message.Record{Value: []byte("x")})
	require.ErrorIs(t, err, kms.ErrInvalid)
	_, err = topic.Open(t.Context(), envelope.Tenant{}, message.Record{Value: mustSeal(t, topic, ring.Tenant("acme"), message.Record{Value: []byte("x")})})
	require.ErrorIs(t, err, kms.ErrInvalid)
}

// TestCancelled: a call whose time is over says so, and what is sealed is not half done.
func TestCancelled(t *testing.T) {
	ring := envelopetest.New(t, nil)
	topic := mustTopic(t, ring, "orders", nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	payload, err := topic.Seal(ctx, ring.Tenant("acme"), message.Record{Value: []byte("x")})
	require.ErrorIs(t, err, context.Canceled)
	require.Nil(t, payload)
	require.Equal(t, envelope.Retry, envelope.ActionFor(err))
}

// newRing returns a Keyring that ends with the test, in a bubble too.
func newRing(t *testing.T) *envelope.Keyring {
	t.Helper()
	return envelopetest.New(t, nil)
}
