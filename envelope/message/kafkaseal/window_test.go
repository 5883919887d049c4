package kafkaseal_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/kafkaseal"
)

func fromStart(addrs []string) []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(addrs...), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}
}

// TestWindowOfPartitions: of a message that two partitions have at the same time one is handled, where they share a Window.
func TestWindowOfPartitions(t *testing.T) {
	r := newRig(t, "orders")
	window, err := message.NewWindow(nil)
	require.NoError(t, err)
	topic := newTopic(t, r.ring, "orders", message.TopicOptions{Sender: "shop", Window: window})
	c := newClient(t, r.addrs, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	const n = 10
	for _, v := range numbers(0, n) {
		sealed, err := kafkaseal.Seal(t.Context(), topic, r.ring.Tenant("acme"), &kgo.Record{Value: []byte(v)})
		require.NoError(t, err)
		for p := range int32(2) {
			again := *sealed
			again.Partition = p
			require.NoError(t, c.ProduceSync(t.Context(), &again).FirstErr())
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	effects := map[string]int{}
	consumer, err := kafkaseal.NewConsumer(kafkaseal.Funcs{
		Open: kafkaseal.OpenTopic(topic),
		Handle: func(_ context.Context, _ *kgo.Record, m message.Message) error {
			time.Sleep(20 * time.Millisecond) // so that they meet
			mu.Lock()
			defer mu.Unlock()
			effects[string(m.Value)]++
			return nil
		},
		Aside: func(_ context.Context, _ *kgo.Record, err error) error { return err },
	}, &kafkaseal.ConsumerOptions{Window: func(*kgo.Record) *message.Window { return window }})
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- consumer.Run(ctx, fromStart(r.addrs)...) }()
	require.Eventually(t, func() bool {
		s := consumer.Stats()
		return s.Handled+s.Skipped["replayed"] == 2*n
	}, time.Minute, 10*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Len(t, effects, n)
	for v, times := range effects {
		require.Equal(t, 1, times, v)
	}
}

// TestWindowOfTransactions: a transaction that is rolled back takes nothing from its message, and one that was committed is not done again, by the Window in memory and the one that is stored.
func TestWindowOfTransactions(t *testing.T) {
	r := newRig(t, "orders")
	window, err := message.NewWindow(nil)
	require.NoError(t, err)
	topic := newTopic(t, r.ring, "orders", message.TopicOptions{Sender: "shop", Window: window})
	r.produce(t, newClient(t, r.addrs), topic, r.ring.Tenant("acme"), "1")
	broken := errors.New("the transaction failed")
	tries := 0
	var stored []byte
	var handled message.Message
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	consumer, err := kafkaseal.NewConsumer(kafkaseal.Funcs{
		Open: kafkaseal.OpenTopic(topic),
		Handle: func(_ context.Context, _ *kgo.Record, m message.Message) error {
			state, err := window.AppendAccepted(nil, m)
			if err != nil {
				return err
			}
			if tries++; tries == 1 {
				return broken
			}
			stored, handled = state, m
			window.Accept(m)
			cancel()
			return nil
		},
		Aside: func(_ context.Context, _ *kgo.Record, err error) error { return err },
	}, nil)
	require.NoError(t, err)
	require.ErrorIs(t, consumer.Run(ctx, fromStart(r.addrs)...), broken)
	require.ErrorIs(t, consumer.Run(ctx, fromStart(r.addrs)...), context.Canceled)
	require.Equal(t, 2, tries)
	require.ErrorIs(t, window.Check(handled), message.ErrReplayed)
	again, err := message.ParseWindow(stored, nil)
	require.NoError(t, err)
	require.ErrorIs(t, again.Check(handled), message.ErrReplayed)
}
