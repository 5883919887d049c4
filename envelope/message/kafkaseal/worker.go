package kafkaseal

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
)

// worker is the goroutine of a partition.
type worker struct {
	batches [][]*kgo.Record // that wait, in order
	more    chan struct{}   // has room for one: there are batches
	cancel  context.CancelFunc
	ended   chan struct{}
}

const maxBatches = 2 // that wait for a worker before its partition is paused

// give has the partition's worker do records after those that it has. It is called while rebalances are blocked: the partition is ours.
func (c *Consumer) give(ctx context.Context, fail context.CancelCauseFunc, client *kgo.Client, p partition, records []*kgo.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.workers[p]
	if w == nil {
		w = &worker{more: make(chan struct{}, 1), ended: make(chan struct{})}
		c.workers[p] = w
		ctx, w.cancel = context.WithCancel(ctx)
		go func() {
			defer close(w.ended)
			if err := c.work(ctx, client, p, w); ctx.Err() == nil {
				fail(err)
			}
		}()
	}
	if w.batches = append(w.batches, records); len(w.batches) >= maxBatches {
		client.PauseFetchPartitions(p.set())
	}
	select {
	case w.more <- struct{}{}:
	default:
	}
}

func (p partition) set() map[string][]int32 { return map[string][]int32{p.topic: {p.number}} }

// next returns the batch whose turn it is, nil when there is none.
func (c *Consumer) next(client *kgo.Client, p partition, w *worker) (batch []*kgo.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(w.batches) == 0 {
		return nil
	}
	if batch, w.batches = w.batches[0], w.batches[1:]; len(w.batches) == 0 {
		client.ResumeFetchPartitions(p.set())
	}
	return batch
}

// work settles what it is given, in order, until ctx ends or a function fails.
func (c *Consumer) work(ctx context.Context, client *kgo.Client, p partition, w *worker) error {
	for {
		batch := c.next(client, p, w)
		for i, r := range batch {
			if err := c.finish(ctx, r, batch[i+1:]); err != nil {
				return err
			}
			client.MarkCommitRecords(r)
		}
		if batch != nil {
			continue
		}
		select {
		case <-w.more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// finish settles a record, however often that has to be tried.
func (c *Consumer) finish(ctx context.Context, r *kgo.Record, later []*kgo.Record) error {
	for tries := 0; ; tries++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if done, err := c.settle(ctx, r); done || err != nil {
			return err
		}
		if tries == 0 {
			c.meet(ctx, later)
		}
		select {
		case <-time.After(retryEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// meet opens records whose keys are unknown too, so that they are waited for together, not one after the other.
func (c *Consumer) meet(ctx context.Context, later []*kgo.Record) {
	for _, r := range later {
		if _, err := c.f.Open(ctx, r); !errors.Is(err, envelope.ErrUnknownKey) {
			return
		}
	}
}

// stop ends the workers of some partitions, or of all for nil, and waits for them.
func (c *Consumer) stop(client *kgo.Client, partitions map[string][]int32) {
	var ending []*worker
	c.mu.Lock()
	for p, w := range c.workers {
		if partitions == nil || slices.Contains(partitions[p.topic], p.number) {
			w.cancel()
			ending = append(ending, w)
			delete(c.workers, p)
		}
	}
	c.mu.Unlock()
	for _, w := range ending {
		<-w.ended
	}
	if len(partitions) > 0 { // a pause would outlast the assignment. Of none it would end all
		client.ResumeFetchPartitions(partitions)
	}
}

// revoked ends the work on partitions that go to another member of the group, and commits what was done.
func (c *Consumer) revoked(ctx context.Context, client *kgo.Client, gone map[string][]int32) {
	c.stop(client, gone)
	c.mu.Lock()
	over := c.over
	c.mu.Unlock()
	if over {
		return // or a client that is closed would wait for a broker that is away
	}
	ctx, cancel := context.WithTimeout(ctx, finishTime)
	defer cancel()
	client.CommitMarkedOffsets(ctx) // what fails is fetched again by the other
}

// lost ends the work on partitions that are another's already.
func (c *Consumer) lost(_ context.Context, client *kgo.Client, gone map[string][]int32) {
	c.stop(client, gone)
}

// settle opens a record and hands it on. It tells whether that is all.
func (c *Consumer) settle(ctx context.Context, r *kgo.Record) (done bool, err error) {
	m, err := c.f.Open(ctx, r)
	var window *message.Window
	if err == nil && c.window != nil {
		window = c.window(r)
	}
	if window != nil {
		if !c.take(window, m) {
			c.count(func(s *Stats) { s.Retries++ })
			return false, ctx.Err() // another partition has it too
		}
		defer c.leave(window, m)
		err = window.Check(m) // again: it may have been accepted since
	}
	class := envelope.Class(err)
	switch envelope.ActionFor(err) {
	case envelope.None:
		if err := c.f.Handle(ctx, r, m); err != nil {
			return false, err
		}
		if window != nil {
			window.Accept(m)
		}
		c.count(func(s *Stats) {
			s.Handled++
			if m.Tombstone {
				s.Tombstones++
			}
			if m.Plain {
				s.Plain++
			}
		})
	case envelope.Retry:
		c.count(func(s *Stats) { s.Retries++ })
		return false, ctx.Err()
	case envelope.Skip:
		c.count(func(s *Stats) { s.Skipped[class]++ })
	case envelope.Hold, envelope.Reject:
		if err := c.f.Aside(ctx, r, err); err != nil {
			return false, err
		}
		c.count(func(s *Stats) { s.Aside[class]++ })
	default:
		return false, err
	}
	return true, nil
}

// take gives a message to one worker at a time.
func (c *Consumer) take(w *message.Window, m message.Message) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := atHand{w, m.Sender, m.Sequence}
	if c.hands[h] && m.Sender != (message.Sender{}) {
		return false
	}
	c.hands[h] = true
	return true
}

func (c *Consumer) leave(w *message.Window, m message.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.hands, atHand{w, m.Sender, m.Sequence})
}

func (c *Consumer) count(add func(s *Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	add(&c.stats)
}
