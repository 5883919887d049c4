package message_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/internal/bubble"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// TestRotation: a consumer goes on over rotations that it knows nothing of, and older messages open.
func TestRotation(t *testing.T) {
	fake, store := kmstest.NewFake("k"), memstore.New()
	defer store.Close()
	producer, consumer := ringOver(t, fake, store), ringOver(t, fake, store)
	orders, incoming := mustTopic(t, producer, "orders", nil), mustTopic(t, consumer, "orders", nil)
	acme := producer.Tenant("acme")
	payloads, ids := [][]byte{}, map[string]bool{}
	for i := range 40 {
		to := envelope.Scope(acme)
		if i%2 == 0 {
			to = acme.Subject("ada")
		}
		if i%7 == 0 {
			_, err := to.Rotate(t.Context())
			require.NoError(t, err)
		}
		payload := mustSeal(t, orders, to, message.Record{Value: []byte(strconv.Itoa(i))})
		payloads = append(payloads, payload)
		ids[string(payload[1:17])] = true
		for n, p := range payloads {
			m, err := incoming.Open(t.Context(), consumer.Tenant("acme"), message.Record{Value: p})
			require.NoError(t, err)
			require.Equal(t, strconv.Itoa(n), string(m.Value))
		}
	}
	require.GreaterOrEqual(t, len(ids), 6)
}

func ringOver(t *testing.T, fake *kmstest.Fake, store envelope.Store) *envelope.Keyring {
	t.Helper()
	r, err := envelope.NewKeyring("test", store, envelope.SingleRoot(fakeKey(t, fake)), nil)
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

// TestErased: the messages of a person that is erased are skipped, and no others.
func TestErased(t *testing.T) {
	fake, store := kmstest.NewFake("k"), memstore.New()
	defer store.Close()
	ring := ringOver(t, fake, store)
	topic := mustTopic(t, ring, "orders", nil)
	acme := ring.Tenant("acme")
	ada := mustSeal(t, topic, acme.Subject("lovelace"), message.Record{Value: []byte("hers")})
	bob := mustSeal(t, topic, acme.Subject("bob"), message.Record{Value: []byte("bob's")})
	_, err := acme.Subject("lovelace").Erase(t.Context(), envelope.Erasure{Ref: "case-1"})
	require.NoError(t, err)
	for _, r := range []*envelope.Keyring{ring, ringOver(t, fake, store)} {
		incoming := mustTopic(t, r, "orders", nil)
		_, err = incoming.Open(t.Context(), r.Tenant("acme"), message.Record{Value: ada})
		require.ErrorIs(t, err, envelope.ErrErased)
		require.Equal(t, envelope.Skip, envelope.ActionFor(err))
		require.NotContains(t, err.Error(), "lovelace")
		m, err := incoming.Open(t.Context(), r.Tenant("acme"), message.Record{Value: bob})
		require.NoError(t, err)
		require.Equal(t, "bob's", string(m.Value))
	}
	_, err = topic.Seal(t.Context(), acme.Subject("lovelace"), message.Record{Value: []byte("more")})
	require.ErrorIs(t, err, envelope.ErrErased)
}

// TestRevocation: a customer who revokes their KMS key has their messages held, and nobody else's.
func TestRevocation(t *testing.T) {
	needClock(t)
	bubble.Test(t, func(t *testing.T) {
		store := memstore.New()
		defer store.Close()
		fakes, keys := map[string]*kmstest.Fake{}, map[string]*kms.Key{}
		for _, tenant := range []string{"acme", "other"} {
			fakes[tenant] = kmstest.NewFake(tenant)
			keys[tenant] = fakeKey(t, fakes[tenant])
		}
		root := func(_ context.Context, tenant string) (*kms.Key, error) { return keys[tenant], nil }
		ring, err := envelope.NewKeyring("test", store, root, nil)
		require.NoError(t, err)
		defer ring.Close()
		topic := mustTopic(t, ring, "orders", nil)
		payloads := map[string][]byte{}
		for tenant := range fakes {
			payloads[tenant] = mustSeal(t, topic, ring.Tenant(tenant), message.Record{Value: []byte("x")})
		}
		action := func(tenant string) envelope.Action {
			_, err := topic.Open(t.Context(), ring.Tenant(tenant), message.Record{Value: payloads[tenant]})
			return envelope.ActionFor(err)
		}
		fakes["acme"].SetState(kms.Disabled)
		time.Sleep(6 * time.Minute)
		require.Equal(t, envelope.Hold, action("acme"))
		require.Equal(t, envelope.None, action("other"))
		fakes["acme"].SetState(kms.Enabled)
		time.Sleep(10 * time.Second)
		require.Equal(t, envelope.None, action("acme"))
		fakes["other"].Always(kmstest.Fault{Err: kms.ErrUnavailable})
		time.Sleep(2 * time.Hour)
		require.Equal(t, envelope.Retry, action("other"), "an outage is no revocation")
		require.Equal(t, envelope.None, action("acme"))
	})
}

// TestWindowAtTopic: what was accepted is refused when it comes again, and what failed to be processed is not.
func TestWindowAtTopic(t *testing.T) {
	fake, store := kmstest.NewFake("k"), memstore.New()
	defer store.Close()
	ring := ringOver(t, fake, store)
	acme := ring.Tenant("acme")
	window, err := message.NewWindow(nil)
	require.NoError(t, err)
	out := mustTopic(t, ring, "orders", &message.TopicOptions{Sender: "shop"})
	in := mustTopic(t, ring, "orders", &message.TopicOptions{Window: window})
	payload := mustSeal(t, out, acme, message.Record{Value: []byte("x")})
	for range 2 {
		_, err = in.Open(t.Context(), acme, message.Record{Value: payload})
		require.NoError(t, err)
	}
	m, err := in.Open(t.Context(), acme, message.Record{Value: payload})
	require.NoError(t, err)
	require.True(t, window.Accept(m))
	_, err = in.Open(t.Context(), acme, message.Record{Value: payload})
	require.ErrorIs(t, err, message.ErrReplayed)
	require.Equal(t, envelope.Skip, envelope.ActionFor(err))
	require.Equal(t, "replayed", envelope.Class(err))
	unstamped := mustSeal(t, mustTopic(t, ring, "orders", nil), acme, message.Record{Value: []byte("x")})
	_, err = in.Open(t.Context(), acme, message.Record{Value: unstamped})
	require.ErrorIs(t, err, message.ErrUnstamped, "it can't be told apart from its doubles")
	require.Equal(t, envelope.Reject, envelope.ActionFor(err), "one such message stops nobody")
	require.Equal(t, "unstamped", envelope.Class(err))
	for _, m := range []message.Message{{Tombstone: true}, {Plain: true, Value: []byte("x")}} {
		for range 2 {
			require.NoError(t, window.Check(m))
			require.True(t, window.Accept(m), "the window has nothing to tell of it")
		}
	}

	// Write-only publishers have windows too.
	k := fakeKey(t, fake)
	d := newDevice(t, k, &message.PublisherOptions{Sender: "7"})
	s := mustSubscriber(t, k, &message.SubscriberOptions{Window: window})
	payload = d.publish(t, "x", s)
	m, err = s.Open(t.Context(), message.Record{Topic: "fleet/7/pos", Value: payload})
	require.NoError(t, err)
	require.True(t, window.Accept(m))
	_, err = s.Open(t.Context(), message.Record{Topic: "fleet/7/pos", Value: payload})
	require.ErrorIs(t, err, message.ErrReplayed)
}

// TestSoak sends a million messages from many senders and persons, some again and out of order: each is processed once, and memory stays as it is.
func TestSoak(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 50_000
	}
	fake, store := kmstest.NewFake("k"), memstore.New()
	defer store.Close()
	ring := ringOver(t, fake, store)
	acme := ring.Tenant("acme")
	window, err := message.NewWindow(nil)
	require.NoError(t, err)
	var topics []*message.Topic
	for i := range 20 {
		topics = append(topics, mustTopic(t, ring, "orders", &message.TopicOptions{Sender: fmt.Sprint("shop-", i), Pad: true, TokenKeys: true}))
	}
	in := mustTopic(t, ring, "orders", &message.TopicOptions{Window: window})
	type sent struct{ key, payload []byte }
	random := rand.New(rand.NewPCG(1, 2))
	var flight []sent // in the broker
	processed, doubles := 0, 0
	take := func(i int, again bool) {
		s := flight[i]
		m, err := in.Open(t.Context(), acme, message.Record{Key: s.key, Value: s.payload})
		switch {
		case err == nil && window.Accept(m):
			processed++
		case envelope.ActionFor(err) == envelope.Skip:
			doubles++
		default:
			t.Fatal(err)
		}
		if !again {
			flight[i] = flight[len(flight)-1]
			flight = flight[:len(flight)-1]
		}
	}
	value, ctx := make([]byte, 300), t.Context()
	var before uint64
	for i := range n {
		topic := topics[random.IntN(len(topics))]
		to := acme.Subject(strconv.Itoa(random.IntN(200)))
		if i%50_000 == 49_999 {
			_, err := to.Rotate(ctx)
			require.NoError(t, err)
		}
		key := strconv.AppendInt(nil, int64(i), 10)
		payload, err := topic.Seal(ctx, to, message.Record{Key: key, Value: value[:random.IntN(300)]})
		if err != nil {
			t.Fatal(err)
		}
		token, err := topic.KeyToken(ctx, acme, key)
		if err != nil {
			t.Fatal(err)
		}
		flight = append(flight, sent{token, payload})
		for len(flight) > 500 {
			take(random.IntN(len(flight)), random.IntN(10) == 0)
		}
		if i == n/5 {
			before = heap()
		}
	}
	for len(flight) > 0 {
		take(len(flight)-1, false)
	}
	require.Equal(t, n, processed)
	require.Greater(t, doubles, n/20)
	require.Less(t, heap(), before+8<<20)
}

// heap returns the bytes in use.
func heap() uint64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
