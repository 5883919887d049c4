package kafkaseal_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/kafkaseal"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

// TestLostByTheGroup: a member that the coordinator has forgotten joins again, and loses nothing.
func TestLostByTheGroup(t *testing.T) {
	r := newRig(t)
	cluster := newCluster(t, "orders")
	var once sync.Once
	forgotten := make(chan struct{})
	cluster.ControlKey(int16(kmsg.Heartbeat), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		var answer *kmsg.HeartbeatResponse
		once.Do(func() {
			answer = req.ResponseKind().(*kmsg.HeartbeatResponse)
			answer.ErrorCode = kerr.UnknownMemberID.Code
			close(forgotten)
		})
		return answer, nil, answer != nil
	})
	topic := newTopic(t, r.ring, "orders", message.TopicOptions{})
	r.addrs = cluster.ListenAddrs()
	in := consume(t, r.addrs, "g", kafkaseal.OpenTopic(topic), nil, "orders")
	c := newClient(t, r.addrs)
	r.produce(t, c, topic, r.ring.Tenant("acme"), "1")
	in.got(t, "1")
	select {
	case <-forgotten:
	case <-time.After(30 * time.Second):
		t.Fatal("no heartbeat")
	}
	r.produce(t, c, topic, r.ring.Tenant("acme"), "2")
	in.until(t, "what came later", func() bool { return slices.Contains(in.values, "2") })
}

// TestHangingKMS: a customer's KMS that gives no answer stops no other customer's partition.
func TestHangingKMS(t *testing.T) {
	r := newRig(t, "orders")
	topic := newTopic(t, r.ring, "orders", message.TopicOptions{})
	c := newClient(t, r.addrs, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	put := func(tenant string, partition int32, value string) {
		sealed, err := kafkaseal.Seal(t.Context(), topic, r.ring.Tenant(tenant), &kgo.Record{Value: []byte(value), Partition: partition})
		require.NoError(t, err)
		require.NoError(t, c.ProduceSync(t.Context(), sealed).FirstErr())
	}
	put("acme", 0, "a")
	put("other", 1, "0")
	arrived := make(chan struct{}, 100)
	r.fakes["acme"].Always(kmstest.Fault{Hang: true, Arrived: func() { arrived <- struct{}{} }})
	time.Sleep(1500 * time.Millisecond) // over CacheTTL
	in := consume(t, r.addrs, "g", kafkaseal.OpenTopic(topic), nil, "orders")
	<-arrived
	for i := range 10 {
		put("other", 1, strconv.Itoa(i+1))
		in.until(t, "the other customer's", func() bool { return len(in.values) == i+2 })
	}
	require.Equal(t, numbers(0, 11), in.values)
	r.fakes["acme"].Always()
	in.until(t, "what hung", func() bool { return in.values[len(in.values)-1] == "a" })
}

// TestHandleEnds: the context of Handle ends when its partition goes to another member of the group, which gets the record.
func TestHandleEnds(t *testing.T) {
	r := newRig(t, "orders")
	topic := newTopic(t, r.ring, "orders", message.TopicOptions{})
	c := newClient(t, r.addrs, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for partition := range int32(2) {
		sealed, err := kafkaseal.Seal(t.Context(), topic, r.ring.Tenant("acme"), &kgo.Record{Value: []byte("x"), Partition: partition})
		require.NoError(t, err)
		require.NoError(t, c.ProduceSync(t.Context(), sealed).FirstErr())
	}
	begun := make(chan struct{}, 10)
	stuck, err := kafkaseal.NewConsumer(kafkaseal.Funcs{
		Open: kafkaseal.OpenTopic(topic),
		Handle: func(ctx context.Context, _ *kgo.Record, _ message.Message) error {
			begun <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		},
		Aside: func(_ context.Context, _ *kgo.Record, err error) error { return err },
	}, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- stuck.Run(ctx, kgo.SeedBrokers(r.addrs...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(100*time.Millisecond))
	}()
	<-begun
	<-begun
	in := consume(t, r.addrs, "g", kafkaseal.OpenTopic(topic), nil, "orders")
	in.until(t, "the share of the second", func() bool { return len(in.values) > 0 })
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

// TestMadeUpKeys: records of keys that never were are waited for together, not one after the other, and then go aside.
func TestMadeUpKeys(t *testing.T) {
	const each, many = 3 * time.Second, 20
	r := newRig(t, "orders")
	topic := newTopic(t, r.ring, "orders", message.TopicOptions{UnknownKeyFor: each})
	c := newClient(t, r.addrs, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range many {
		value := make([]byte, 80)
		value[0] = 0xf5
		copy(value[1:], strconv.Itoa(i)+" never was one of these")
		require.NoError(t, c.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: value, Headers: []kgo.RecordHeader{{Key: "tenant", Value: []byte("acme")}}}).FirstErr())
	}
	r.produce(t, c, topic, r.ring.Tenant("acme"), "good")
	start := time.Now()
	in := consume(t, r.addrs, "g", kafkaseal.OpenTopic(topic), nil, "orders")
	in.got(t, "good")
	require.Less(t, time.Since(start), many*each/2)
	require.Equal(t, map[string]int64{"unknown_key": many}, in.Stats().Aside)
}

// TestRunAgain: a Consumer whose function has failed goes on where the group is, and runs once at a time.
func TestRunAgain(t *testing.T) {
	r := newRig(t, "orders")
	topic := newTopic(t, r.ring, "orders", message.TopicOptions{})
	c := newClient(t, r.addrs, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	r.produce(t, c, topic, r.ring.Tenant("acme"), numbers(0, 10)...)
	var values []string
	fail, started := true, make(chan struct{}, 100)
	consumer, err := kafkaseal.NewConsumer(kafkaseal.Funcs{
		Open: kafkaseal.OpenTopic(topic),
		Handle: func(_ context.Context, _ *kgo.Record, m message.Message) error {
			if fail && string(m.Value) == "4" {
				fail = false
				return context.DeadlineExceeded
			}
			values = append(values, string(m.Value))
			started <- struct{}{}
			return nil
		},
		Aside: func(_ context.Context, _ *kgo.Record, err error) error { return err },
	}, nil)
	require.NoError(t, err)
	opts := []kgo.Opt{kgo.SeedBrokers(r.addrs...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}
	require.ErrorIs(t, consumer.Run(t.Context(), opts...), context.DeadlineExceeded)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- consumer.Run(ctx, opts...) }()
	for range 10 {
		<-started
	}
	require.Error(t, consumer.Run(t.Context(), opts...), "it runs already")
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Equal(t, numbers(0, 10), values)
}
