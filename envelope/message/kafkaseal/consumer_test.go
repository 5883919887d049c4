package kafkaseal_test

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/kafkaseal"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// TestThrough sends messages of two tenants and a person through a broker, with rotations in between.
func TestThrough(t *testing.T) {
	r := newRig(t, "orders")
	topic := newTopic(t, r.ring, "orders", message.TopicOptions{TokenKeys: true, Headers: []string{"type"}, Tombstones: true, Pad: true})
	c := newClient(t, r.addrs)
	acme := r.ring.Tenant("acme")
	in := consume(t, r.addrs, "g", kafkaseal.OpenTopic(topic), nil, "orders")
	r.produce(t, c, topic, acme, "a1")
	_, err := acme.Rotate(t.Context())
	require.NoError(t, err)
	r.produce(t, c, topic, acme, "a2")
	r.produce(t, c, topic, acme.Subject("ada"), "a3")
	r.produce(t, c, topic, r.ring.Tenant("other"), "o1")
	plain := &kgo.Record{Key: []byte("a1"), Headers: []kgo.RecordHeader{{Key: "type", Value: []byte("end")}}}
	tombstone, err := kafkaseal.Seal(t.Context(), topic, acme, plain)
	require.NoError(t, err)
	require.Nil(t, tombstone.Value)
	require.Equal(t, "a1", string(plain.Key), "what the caller gave stays")
	require.Len(t, plain.Headers, 1)
	token, err := topic.KeyToken(t.Context(), acme, []byte("a1"))
	require.NoError(t, err)
	require.Equal(t, token, tombstone.Key, "it deletes the same key")
	require.NoError(t, c.ProduceSync(t.Context(), tombstone).FirstErr())
	in.got(t, "a1", "a2", "a3", "o1", "tombstone")
	s := in.Stats()
	require.EqualValues(t, 5, s.Handled)
	require.EqualValues(t, 1, s.Tombstones)
	require.Empty(t, s.Skipped)
	require.Empty(t, s.Aside)
}

// TestAside: what was changed or moved goes aside, and nothing else stops.
func TestAside(t *testing.T) {
	r := newRig(t, "orders")
	var plain atomic.Int64
	topic := newTopic(t, r.ring, "orders", message.TopicOptions{Headers: []string{"type"}})
	migrating := newTopic(t, r.ring, "orders", message.TopicOptions{Headers: []string{"type"}, PassPlain: &plain})
	c := newClient(t, r.addrs)
	acme := r.ring.Tenant("acme")
	good, err := kafkaseal.Seal(t.Context(), topic, acme, &kgo.Record{Key: []byte("k"), Value: []byte("good"), Headers: []kgo.RecordHeader{{Key: "type", Value: []byte("new")}}})
	require.NoError(t, err)
	bad := func(change func(r *kgo.Record)) {
		b := *good
		b.Value, b.Headers = bytes.Clone(good.Value), append([]kgo.RecordHeader(nil), good.Headers...)
		change(&b)
		require.NoError(t, c.ProduceSync(t.Context(), &b).FirstErr())
	}
	_, err = r.ring.Tenant("other").Seal(t.Context(), nil, envelope.Bind("x"))
	require.NoError(t, err)
	bad(func(r *kgo.Record) { r.Value[30] ^= 1 })
	bad(func(r *kgo.Record) { r.Key = []byte("l") })
	bad(func(r *kgo.Record) { r.Headers[0].Value = []byte("old") })
	bad(func(r *kgo.Record) { r.Headers[1].Value = []byte("other") })
	bad(func(r *kgo.Record) { r.Headers = r.Headers[:1] })
	bad(func(r *kgo.Record) { r.Value = []byte("plaintext") })
	bad(func(r *kgo.Record) { r.Value = nil })
	bad(func(*kgo.Record) {})
	in := consume(t, r.addrs, "g", kafkaseal.OpenTopic(topic), nil, "orders")
	in.got(t, "good")
	in.until(t, "the bad ones", func() bool { return len(in.aside) == 7 })
	require.Equal(t, map[string]int64{"open": 3, "wrong_scope": 1, "format": 1, "not_sealed": 2}, in.Stats().Aside)
	second := consume(t, r.addrs, "migrating", kafkaseal.OpenTopic(migrating), nil, "orders")
	second.until(t, "plaintext", func() bool { return len(second.values) == 2 })
	require.EqualValues(t, 1, plain.Load())
	require.EqualValues(t, 1, second.Stats().Plain)
}

// TestErasedIsSkipped, and what else was sealed is not.
func TestErasedIsSkipped(t *testing.T) {
	r := newRig(t, "orders")
	topic := newTopic(t, r.ring, "orders", message.TopicOptions{})
	c, acme := newClient(t, r.addrs), r.ring.Tenant("acme")
	r.produce(t, c, topic, acme.Subject("ada"), "1", "2", "3")
	r.produce(t, c, topic, acme.Subject("bob"), "4")
	_, err := acme.Subject("ada").Erase(t.Context(), envelope.Erasure{Ref: "r"})
	require.NoError(t, err)
	in := consume(t, r.addrs, "g", kafkaseal.OpenTopic(topic), nil, "orders")
	in.got(t, "4")
	in.until(t, "skipped", func() bool { return in.Stats().Skipped["erased"] == 3 })
}

// TestRevokedAndRestored: a customer's revocation holds their messages alone, and they open again from where they were held.
func TestRevokedAndRestored(t *testing.T) {
	r := newRig(t, "orders", "orders.held")
	topic := newTopic(t, r.ring, "orders", message.TopicOptions{TokenKeys: true, Mirrors: []string{"orders.held"}})
	c := newClient(t, r.addrs)
	r.produce(t, c, topic, r.ring.Tenant("acme"), "a1", "a2")
	r.produce(t, c, topic, r.ring.Tenant("other"), "o1", "o2")
	r.fakes["acme"].SetState(kms.Disabled)
	time.Sleep(1500 * time.Millisecond) // over CacheTTL
	in := consume(t, r.addrs, "g", kafkaseal.OpenTopic(topic), nil, "orders")
	in.got(t, "o1", "o2")
	in.until(t, "held", func() bool { return len(in.aside) == 2 })
	require.Equal(t, map[string]int64{"kms_disabled": 2}, in.Stats().Aside)
	for _, held := range in.aside {
		again := *held
		again.Topic = "orders.held"
		require.NoError(t, c.ProduceSync(t.Context(), &again).FirstErr())
	}
	r.fakes["acme"].SetState(kms.Enabled)
	time.Sleep(3 * time.Second) // a refusal is not asked again at once
	consume(t, r.addrs, "g", kafkaseal.OpenTopic(topic), nil, "orders.held").got(t, "a1", "a2")
}

// TestOutage: what the KMS can't open now waits, in its order, and other tenants' partitions go on.
func TestOutage(t *testing.T) {
	r := newRig(t, "orders")
	topic := newTopic(t, r.ring, "orders", message.TopicOptions{})
	c := newClient(t, r.addrs, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	put := func(tenant string, partition int32, value string) {
		sealed, err := kafkaseal.Seal(t.Context(), topic, r.ring.Tenant(tenant), &kgo.Record{Value: []byte(value), Partition: partition})
		require.NoError(t, err)
		require.NoError(t, c.ProduceSync(t.Context(), sealed).FirstErr())
	}
	put("acme", 0, "a1")
	put("other", 0, "o1")
	put("other", 1, "o2")
	r.fakes["acme"].Always(kmstest.Fault{Err: kms.ErrUnavailable})
	time.Sleep(1500 * time.Millisecond) // over CacheTTL
	in := consume(t, r.addrs, "g", kafkaseal.OpenTopic(topic), nil, "orders")
	in.got(t, "o2")
	in.until(t, "retries", func() bool { return in.Stats().Retries >= 3 })
	put("other", 1, "o3")
	put("other", 0, "o4")
	in.got(t, "o2", "o3")
	require.NoError(t, in.stop()) // what is held is nobody's loss
	in = consume(t, r.addrs, "g", kafkaseal.OpenTopic(topic), nil, "orders")
	in.until(t, "retries", func() bool { return in.Stats().Retries >= 2 })
	r.fakes["acme"].Always()
	in.got(t, "a1", "o1", "o4")
	require.Equal(t, []string{"a1", "o1", "o4"}, in.values, "in their order")
}

// TestHandleFails: an error of Handle ends the loop, and its record is the first of the next.
func TestHandleFails(t *testing.T) {
	r := newRig(t, "orders")
	topic := newTopic(t, r.ring, "orders", message.TopicOptions{})
	c := newClient(t, r.addrs, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	r.produce(t, c, topic, r.ring.Tenant("acme"), numbers(0, 10)...)
	broken := errors.New("the database is away")
	n := 0
	run := func(fail int) (values []string, err error) {
		consumer, err := kafkaseal.NewConsumer(kafkaseal.Funcs{
			Open: kafkaseal.OpenTopic(topic),
			Handle: func(_ context.Context, _ *kgo.Record, m message.Message) error {
				if n == fail {
					return broken
				}
				n++
				values = append(values, string(m.Value))
				return nil
			},
			Aside: func(_ context.Context, _ *kgo.Record, err error) error { return err },
		}, nil)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return values, consumer.Run(ctx, kgo.SeedBrokers(r.addrs...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("orders"))
	}
	values, err := run(4)
	require.ErrorIs(t, err, broken)
	require.Equal(t, numbers(0, 4), values)
	values, err = run(9)
	require.ErrorIs(t, err, broken)
	require.Equal(t, numbers(4, 9), values)
}

// TestWindow: what the broker delivers again is processed once.
func TestWindow(t *testing.T) {
	r := newRig(t, "orders")
	window, err := message.NewWindow(nil)
	require.NoError(t, err)
	topic := newTopic(t, r.ring, "orders", message.TopicOptions{Sender: "shop", Window: window})
	c := newClient(t, r.addrs)
	for _, v := range numbers(0, 20) {
		sealed, err := kafkaseal.Seal(t.Context(), topic, r.ring.Tenant("acme"), &kgo.Record{Value: []byte(v)})
		require.NoError(t, err)
		for range 2 {
			again := *sealed
			require.NoError(t, c.ProduceSync(t.Context(), &again).FirstErr())
		}
	}
	in := consume(t, r.addrs, "g", kafkaseal.OpenTopic(topic), &kafkaseal.ConsumerOptions{Window: func(*kgo.Record) *message.Window { return window }}, "orders")
	in.got(t, numbers(0, 20)...)
	in.until(t, "doubles", func() bool { return in.Stats().Skipped["replayed"] == 20 })
}

// TestMirror: a copy in another cluster, under the name that mirrors give, opens.
func TestMirror(t *testing.T) {
	r := newRig(t, "orders")
	second := newCluster(t, "primary.orders").ListenAddrs()
	topic := newTopic(t, r.ring, "orders", message.TopicOptions{Headers: []string{"type"}, Mirrors: []string{"primary.orders"}})
	r.produce(t, newClient(t, r.addrs), topic, r.ring.Tenant("acme"), numbers(0, 5)...)
	from, to := newClient(t, r.addrs, kgo.ConsumeTopics("orders")), newClient(t, second)
	for n := 0; n < 5; {
		for _, record := range from.PollFetches(t.Context()).Records() {
			copied := &kgo.Record{Topic: "primary.orders", Key: record.Key, Value: record.Value, Headers: record.Headers}
			require.NoError(t, to.ProduceSync(t.Context(), copied).FirstErr())
			n++
		}
	}
	consume(t, second, "g", kafkaseal.OpenTopic(topic), nil, "primary.orders").got(t, numbers(0, 5)...)
	unnamed := newTopic(t, r.ring, "orders", message.TopicOptions{Headers: []string{"type"}})
	_, err := kafkaseal.OpenTopic(unnamed)(t.Context(), &kgo.Record{Topic: "primary.orders", Value: []byte{0xf5}, Headers: []kgo.RecordHeader{{Key: "tenant", Value: []byte("acme")}}})
	require.ErrorIs(t, err, kms.ErrInvalid)
}

// TestRebalance: a group whose members come and go loses nothing and processes little twice.
func TestRebalance(t *testing.T) {
	r := newRig(t, "orders")
	topic := newTopic(t, r.ring, "orders", message.TopicOptions{})
	c := newClient(t, r.addrs)
	first := consume(t, r.addrs, "g", kafkaseal.OpenTopic(topic), nil, "orders")
	r.produce(t, c, topic, r.ring.Tenant("acme"), numbers(0, 50)...)
	second := consume(t, r.addrs, "g", kafkaseal.OpenTopic(topic), nil, "orders")
	r.produce(t, c, topic, r.ring.Tenant("acme"), numbers(50, 100)...)
	first.until(t, "the first half", func() bool { return len(first.values) > 0 })
	require.NoError(t, first.stop())
	r.produce(t, c, topic, r.ring.Tenant("acme"), numbers(100, 150)...)
	all := map[string]bool{}
	second.until(t, "all", func() bool {
		for _, v := range append(first.values, second.values...) {
			all[v] = true
		}
		return len(all) == 150
	})
}

func TestRefuses(t *testing.T) {
	r := newRig(t, "orders")
	topic := newTopic(t, r.ring, "orders", message.TopicOptions{})
	_, err := kafkaseal.Seal(t.Context(), nil, r.ring.Tenant("acme"), &kgo.Record{})
	require.ErrorIs(t, err, kms.ErrInvalid)
	_, err = kafkaseal.Seal(t.Context(), topic, r.ring.Tenant("acme"), nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	_, err = kafkaseal.Open(t.Context(), topic, r.ring.Tenant("acme"), nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	for _, open := range []kafkaseal.OpenFunc{kafkaseal.OpenTopic(nil), kafkaseal.OpenWith(nil)} {
		_, err = open(t.Context(), &kgo.Record{})
		require.ErrorIs(t, err, kms.ErrInvalid)
	}
	_, err = kafkaseal.NewConsumer(kafkaseal.Funcs{}, nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	_, err = kafkaseal.NewWriter(nil, nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.ErrorIs(t, kafkaseal.ReadKeys(t.Context(), nil, nil, nil), kms.ErrInvalid)
	none := func(context.Context, *kgo.Record, message.Message) error { return nil }
	consumer, err := kafkaseal.NewConsumer(kafkaseal.Funcs{Open: kafkaseal.OpenTopic(topic), Handle: none, Aside: func(context.Context, *kgo.Record, error) error { return nil }}, nil)
	require.NoError(t, err)
	require.Error(t, consumer.Run(t.Context(), kgo.SeedBrokers(r.addrs...), kgo.ConsumeTopics("orders")), "without a group nothing could be committed")
	transactions := newClient(t, r.addrs, kgo.TransactionalID("x"))
	pub, err := message.NewPublisher(newKey(t, kmstest.NewFake("k")), "orders", nil)
	require.NoError(t, err)
	_, err = kafkaseal.NewWriter(transactions, pub)
	require.ErrorIs(t, err, kms.ErrInvalid)
}
