package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/kafkaseal"
)

// inbox is a consumer of a topic, and what it has got.
type inbox struct {
	*kafkaseal.Consumer
	stop func() error // ends it, and returns why it had ended before
	done chan error

	mu     sync.Mutex
	orders map[string]string // by customer and number, as a compacted topic has them
	lines  []string
}

// consume runs a consumer. What is held for a customer's key goes to another topic as it is, and opens from there; what can't be opened at all ends the consumer, where in earnest a person looks.
func consume(ctx context.Context, addrs []string, name string, topic *message.Topic, aside *kgo.Client) (*inbox, error) {
	in := &inbox{done: make(chan error, 1), orders: map[string]string{}}
	var err error
	in.Consumer, err = kafkaseal.NewConsumer(kafkaseal.Funcs{
		Open:   kafkaseal.OpenTopic(topic),
		Handle: in.handle,
		Aside: func(ctx context.Context, r *kgo.Record, err error) error {
			if envelope.ActionFor(err) != envelope.Hold {
				return fmt.Errorf("partition %d, offset %d: %w", r.Partition, r.Offset, err)
			}
			if r.Topic == held { // still: it goes to the end, and not in a hurry
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return aside.ProduceSync(ctx, &kgo.Record{Topic: held, Key: r.Key, Value: r.Value, Headers: r.Headers}).FirstErr()
		},
	}, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	in.stop = sync.OnceValue(func() error {
		cancel()
		if err := <-in.done; !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	})
	go func() {
		in.done <- in.Run(ctx, kgo.SeedBrokers(addrs...), kgo.ConsumerGroup("billing"), kgo.ConsumeTopics(name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	}()
	return in, nil
}

// handle does the work: it is called for several partitions at once.
func (in *inbox) handle(_ context.Context, r *kgo.Record, m message.Message) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if m.Tombstone { // nothing of it is authenticated, and its key is the token
		in.lines = append(in.lines, fmt.Sprintf("tombstone of %.4x...", m.Key))
		return nil
	}
	for _, h := range r.Headers {
		if h.Key == tenantHeader { // which is bound: it is the customer whose key has opened the order
			in.orders[string(h.Value)+" "+string(m.Key)] = string(m.Value)
		}
	}
	in.lines = append(in.lines, string(m.Key)+": "+string(m.Value))
	return nil
}

// wait waits until ok, or for the consumer's end.
func (in *inbox) wait(ctx context.Context, ok func() bool) error {
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		in.mu.Lock()
		enough := ok()
		in.mu.Unlock()
		if enough {
			tick.Stop()
			return nil
		}
		select {
		case err := <-in.done:
			in.done <- err
			return fmt.Errorf("the consumer has ended: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// got waits for so many records that were handled.
func (in *inbox) got(ctx context.Context, n int) error {
	return in.wait(ctx, func() bool { return len(in.lines) >= n })
}

// has returns what it has by customer and number.
func (in *inbox) has() map[string]string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return maps.Clone(in.orders)
}
