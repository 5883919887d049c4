package kafkaseal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/kms"
)

// KeyTopic returns where the key messages of a topic's write-only producers are: topic + ".keys". Its cleanup.policy should be compact.
func KeyTopic(topic string) string { return topic + ".keys" }

// Writer produces to a topic that its holder can't read. It is safe for concurrent use.
type Writer struct {
	client *kgo.Client
	pub    *message.Publisher
	topic  string
}

// NewWriter returns a Writer to the topic that pub was made for. client stays the caller's to close. It fails with kms.ErrInvalid, also for a client with transactions:
// one that is aborted would take back a key message that later records need.
func NewWriter(client *kgo.Client, pub *message.Publisher) (*Writer, error) {
	if client == nil || pub == nil {
		return nil, invalid("a Writer needs a client and a Publisher")
	}
	if id, _ := client.OptValue(kgo.TransactionalID).(string); id != "" {
		return nil, invalid("the client of a Writer must have no TransactionalID")
	}
	return &Writer{client, pub, pub.Topic()}, nil
}

// Seal returns a copy of r to produce. Where a key message is due it produces that first and waits until it is acknowledged. A nil value is a tombstone. It fails as [message.Publisher.Seal] does, and with the client's errors.
func (w *Writer) Seal(ctx context.Context, r *kgo.Record) (*kgo.Record, error) {
	if r == nil {
		return nil, invalid("the Record is nil")
	}
	own := fromKafka(r)
	payload, keyMessage, err := w.pub.Seal(ctx, own)
	if err != nil {
		return nil, err
	}
	if keyMessage != nil {
		id := sha256.Sum256(keyMessage)
		k := &kgo.Record{Topic: KeyTopic(w.topic), Key: hex.AppendEncode(nil, id[:16]), Value: keyMessage}
		if err := w.client.ProduceSync(ctx, k).FirstErr(); err != nil {
			return nil, fmt.Errorf("kafkaseal: producing the key message: %w", err)
		}
		w.pub.Announced(keyMessage)
	}
	own.Topic, own.Value = w.topic, payload
	return toKafka(r, own), nil
}

// ReadKeys has s take in the key messages that client fetches, until ctx ends or the client fails, and returns why. client must consume the [KeyTopic] of each topic from its start, and be in no consumer group: every process needs all of them. It
// waits while the KMS is away. A key message whose key the KMS refuses is tried again every 10 s, since that may be undone, and holds up no other; s has payloads be retried meanwhile. What is no key message, or of another recipient or context, or under a key that is destroyed, is passed over: skipped is told, nil for nobody. End what opens payloads when it
// ends.
func ReadKeys(ctx context.Context, client *kgo.Client, s *message.Subscriber, skipped func(r *kgo.Record, err error)) error {
	if client == nil || s == nil {
		return invalid("ReadKeys needs a client and a Subscriber")
	}
	var held []*kgo.Record
	for {
		fetches, err := pollKeys(ctx, client, len(held) > 0)
		if err != nil {
			return err
		}
		records := slices.Concat(held, fetches.Records())
		held = nil
		for _, r := range records {
			err := takeKey(ctx, s, r)
			switch {
			case err == nil:
			case ctx.Err() != nil:
				return ctx.Err()
			case envelope.ActionFor(err) == envelope.Fix:
				return err
			case refused(err) && len(held) < maxHeld:
				held = append(held, r)
			case skipped != nil:
				skipped(r, err)
			}
		}
	}
}

const (
	maxHeld   = 10_000 // key messages that wait for a KMS to take its refusal back
	heldEvery = 10 * time.Second
)

// pollKeys returns what is fetched next, and returns without it where others wait to be tried again.
func pollKeys(ctx context.Context, client *kgo.Client, others bool) (kgo.Fetches, error) {
	limited := ctx
	if others {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, heldEvery)
		defer cancel()
	}
	fetches := client.PollFetches(limited)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil:
		return fetches, nil
	}
	for _, e := range fetches.Errors() {
		return nil, fmt.Errorf("kafkaseal: fetching keys: %w", e.Err)
	}
	return fetches, nil
}

// refused tells whether a KMS refuses a key message's key for now: that may be undone.
func refused(err error) bool {
	return envelope.ActionFor(err) == envelope.Hold && !errors.Is(err, kms.ErrNotFound) && !errors.Is(err, kms.ErrDestroyed)
}

// takeKey has s take in a key message, and tries again while the KMS is away.
func takeKey(ctx context.Context, s *message.Subscriber, r *kgo.Record) error {
	if !message.IsKeyMessage(r.Value) {
		return fmt.Errorf("kafkaseal: %w: no key message", envelope.ErrFormat)
	}
	for {
		_, err := s.Open(ctx, fromKafka(r))
		switch {
		case errors.Is(err, message.ErrKeyMessage):
			return nil
		case envelope.ActionFor(err) != envelope.Retry:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryEvery):
		}
	}
}
