package kafkaseal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast-go/holdfast/envelope/message"
)

// Consumer is the loop of a consumer in a group: it opens what is fetched, hands it on, and commits what is done. Make one with [NewConsumer] and call Run.
type Consumer struct {
	f      Funcs
	window func(r *kgo.Record) *message.Window

	mu      sync.Mutex
	runs    bool
	workers map[partition]*worker
	hands   map[atHand]bool
	over    bool // Run commits what was done, or has
	stats   Stats
}

// atHand is a message that a worker has.
type atHand struct {
	window   *message.Window
	sender   message.Sender
	sequence uint64
}

// Funcs are what a Consumer calls, all required: for one record of a partition after the other, and for several partitions at once, so that a KMS that hangs stops no partition but those with its customer's records. Their contexts end when Run is to
// end, and when the partition goes to another member of the group. An error of Handle or Aside ends Run, and the record that it is about is fetched again by the next.
type Funcs struct {
	// Open opens a record: [OpenTopic], [OpenWith], or a function that chooses among several by r.Topic.
	Open OpenFunc
	// Handle has a message that did open, tombstones and passed plaintext included, which say what they are.
	Handle func(ctx context.Context, r *kgo.Record, m message.Message) error
	// Aside has a record as it was fetched whose error says to hold or to reject it: keep it where it can be opened later, or where a person looks.
	Aside func(ctx context.Context, r *kgo.Record, err error) error
}

// ConsumerOptions are the settings of [NewConsumer]. nil and the zero value are the defaults.
type ConsumerOptions struct {
	// Window returns the one that Open asked, which accepts a message when Handle has returned nil for it: one for each partition, where partitions may be read long after one another. Then a producer must send what it sends again to the same
	// partition: another one's Window knows nothing of it. nil for none. To have a Window survive the process leave this nil, and have Handle store what AppendAccepted returns in the transaction of what it does and call Accept after it, all under one
	// lock for each Window.
	Window func(r *kgo.Record) *message.Window
}

// Stats are counts since the Consumer was made.
type Stats struct {
	Handled    int64 // messages that Handle has processed, with the next two
	Tombstones int64
	Plain      int64            // that were never sealed
	Retries    int64            // tries that found a record still to be retried
	Skipped    map[string]int64 // by class, as envelope.Class names it
	Aside      map[string]int64 // likewise
}

// partition is one of a topic.
type partition struct {
	topic  string
	number int32
}

const (
	retryEvery  = time.Second
	commitEvery = time.Second // what was done since is done again after a kill
	finishTime  = 5 * time.Second
)

// NewConsumer returns a Consumer. It fails with kms.ErrInvalid when a function is missing.
func NewConsumer(f Funcs, o *ConsumerOptions) (*Consumer, error) {
	if f.Open == nil || f.Handle == nil || f.Aside == nil {
		return nil, invalid("a Consumer needs Open, Handle and Aside")
	}
	c := &Consumer{f: f, stats: Stats{Skipped: map[string]int64{}, Aside: map[string]int64{}}}
	if o != nil {
		c.window = o.Window
	}
	return c, nil
}

// Stats returns the counts so far. It is safe for concurrent use.
func (c *Consumer) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	own := c.stats
	own.Skipped, own.Aside = maps.Clone(own.Skipped), maps.Clone(own.Aside)
	return own
}

// Run makes a client with opts, which name brokers, group and topics, and consumes until ctx ends, a function fails or the client does, and returns why. What was done is committed then. Opts of its own come last: it commits what is done and nothing
// else, also when partitions go to another member of the group, so callbacks of yours for that are not called. That the group has lost it, such as after a long Handle, it gets over, and what Kafka says may pass; other errors end it, such as a permission that is missing and lost data. It may be
// called again after that, and goes on where the group has committed; two calls at a time are refused with kms.ErrInvalid.
func (c *Consumer) Run(ctx context.Context, opts ...kgo.Opt) (err error) {
	if !c.start() {
		return invalid("the Consumer runs already")
	}
	defer c.end()
	life, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	client, err := kgo.NewClient(append(slices.Clip(opts), kgo.WithContext(life), kgo.AutoCommitMarks(), kgo.AutoCommitInterval(commitEvery), kgo.BlockRebalanceOnPoll(), kgo.OnPartitionsRevoked(c.revoked), kgo.OnPartitionsLost(c.lost))...)
	if err != nil {
		return fmt.Errorf("kafkaseal: %w", err)
	}
	defer client.CloseAllowingRebalance()
	err = c.run(ctx, client)
	c.settled()
	c.stop(client, nil)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTime)
	defer cancel()
	if failed := client.CommitMarkedOffsets(last); failed != nil {
		err = errors.Join(err, fmt.Errorf("kafkaseal: committing what was done: %w", failed))
	}
	client.AllowRebalance()
	client.LeaveGroupContext(last)
	kill() // or to close the client would wait for a broker that is silent
	return err
}

func (c *Consumer) start() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runs {
		return false
	}
	c.runs, c.over, c.workers, c.hands = true, false, map[partition]*worker{}, map[atHand]bool{}
	return true
}

// settled has Run commit, and nobody else.
func (c *Consumer) settled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
}

func (c *Consumer) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs = false
}

func (c *Consumer) run(ctx context.Context, client *kgo.Client) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for _, e := range fetches.Errors() {
			if !joins(e.Err) {
				return fmt.Errorf("kafkaseal: fetching: %w", e.Err)
			}
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if len(p.Records) > 0 {
				c.give(ctx, fail, client, partition{p.Topic, p.Partition}, p.Records)
			}
		})
		client.AllowRebalance()
	}
}

// joins tells whether an error is that of a member of the group which the client has join again: it was too slow, or the broker is away.
func joins(err error) bool {
	if lost := (*kgo.ErrGroupSession)(nil); !errors.As(err, &lost) {
		return false
	}
	said, ok := errors.AsType[*kerr.Error](err)
	return !ok || said.Retriable || said == kerr.UnknownMemberID || said == kerr.IllegalGeneration || said == kerr.RebalanceInProgress
}
