package kafkaseal

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/kms"
)

// Seal returns a copy of r to produce: with its value sealed, the key's token where t has TokenKeys, and the header that names the tenant where t has a TenantHeader. r stays as it is. A topic of "" becomes
// the name of t; a nil value is a tombstone where t has Tombstones. Records of one key stay in one partition, tokens or not. It fails as [message.Topic.SealRecord] does.
func Seal(ctx context.Context, t *message.Topic, to envelope.Scope, r *kgo.Record) (*kgo.Record, error) {
	if t == nil || r == nil {
		return nil, invalid("the Topic or the Record is nil")
	}
	sealed, err := t.SealRecord(ctx, to, fromKafka(r))
	if err != nil {
		return nil, err
	}
	return toKafka(r, sealed), nil
}

// Open opens a record as it was fetched. It fails as [message.Topic.Open] does.
func Open(ctx context.Context, t *message.Topic, tn envelope.Tenant, r *kgo.Record) (message.Message, error) {
	if t == nil || r == nil {
		return message.Message{}, invalid("the Topic or the Record is nil")
	}
	return t.Open(ctx, tn, fromKafka(r))
}

// OpenFunc opens a record as it was fetched.
type OpenFunc func(ctx context.Context, r *kgo.Record) (message.Message, error)

// OpenTopic opens the records of one topic, and its mirrors, for the tenant that their header names: see [message.Topic.Tenant].
func OpenTopic(t *message.Topic) OpenFunc {
	return func(ctx context.Context, r *kgo.Record) (message.Message, error) {
		if t == nil {
			return message.Message{}, invalid("the Topic is nil")
		}
		own := fromKafka(r)
		tn, err := t.Tenant(own)
		if err != nil {
			return message.Message{}, err
		}
		return t.Open(ctx, tn, own)
	}
}

// OpenWith opens payloads of write-only producers, and takes key messages in.
func OpenWith(s *message.Subscriber) OpenFunc {
	return func(ctx context.Context, r *kgo.Record) (message.Message, error) {
		if s == nil {
			return message.Message{}, invalid("the Subscriber is nil")
		}
		return s.Open(ctx, fromKafka(r))
	}
}

// fromKafka is r as package message sees it.
func fromKafka(r *kgo.Record) message.Record {
	own := message.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Time: r.Timestamp}
	if len(r.Headers) > 0 {
		own.Headers = make([]message.Header, len(r.Headers))
		for i, h := range r.Headers {
			own.Headers[i] = message.Header{Key: h.Key, Value: h.Value}
		}
	}
	return own
}

// toKafka is r with what was sealed in place of the plaintext.
func toKafka(r *kgo.Record, sealed message.Record) *kgo.Record {
	out := *r
	out.Topic, out.Key, out.Value = sealed.Topic, sealed.Key, sealed.Value
	out.Headers = make([]kgo.RecordHeader, len(sealed.Headers))
	for i, h := range sealed.Headers {
		out.Headers[i] = kgo.RecordHeader{Key: h.Key, Value: h.Value}
	}
	return &out
}

// invalid is a mistake of the program's.
func invalid(text string) error { return fmt.Errorf("kafkaseal: %w: %s", kms.ErrInvalid, text) }
