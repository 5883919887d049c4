package mqttseal

import (
	"context"
	"fmt"
	"slices"

	"github.com/eclipse/paho.golang/paho"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/kms"
)

// Seal returns a copy of p with its payload sealed, for a client to publish. p stays as it is. A topic of "" becomes the name of t. A nil payload is a tombstone where t has Tombstones: published retained, it clears what the broker retains. Where t has
// a TenantHeader and p no user property of that name, it gets one with the tenant's id. It fails as [message.Topic.Seal] does.
func Seal(ctx context.Context, t *message.Topic, to envelope.Scope, p *paho.Publish) (*paho.Publish, error) {
	if err := check(p); err != nil {
		return nil, err
	}
	q := *p
	sealed, err := t.SealRecord(ctx, to, record(&q))
	if err != nil {
		return nil, err
	}
	q.Topic, q.Payload = sealed.Topic, sealed.Value
	if have := len(record(&q).Headers); len(sealed.Headers) > have {
		own := paho.PublishProperties{}
		if q.Properties != nil {
			own = *q.Properties
		}
		own.User = slices.Clip(own.User)
		for _, h := range sealed.Headers[have:] {
			own.User.Add(h.Key, string(h.Value))
		}
		q.Properties = &own
	}
	return &q, nil
}

// Open opens a publication as it arrived. An empty payload is a tombstone, for MQTT has no other nothing. It fails as [message.Topic.Open] does, and with kms.ErrInvalid for one without a topic: topic aliases must be resolved before.
func Open(ctx context.Context, t *message.Topic, tn envelope.Tenant, p *paho.Publish) (message.Message, error) {
	if err := arrived(p); err != nil {
		return message.Message{}, err
	}
	return t.Open(ctx, tn, record(p))
}

// Tenant returns the tenant that the user property of t's TenantHeader claims: see [message.Topic.Tenant].
func Tenant(t *message.Topic, p *paho.Publish) (envelope.Tenant, error) {
	if err := check(p); err != nil {
		return envelope.Tenant{}, err
	}
	return t.Tenant(record(p))
}

// SealPayload seals a payload for a client of MQTT 3.1.1, which has no user properties: those in t's Headers are bound as absent, and there is no TenantHeader. nil is a tombstone.
func SealPayload(ctx context.Context, t *message.Topic, to envelope.Scope, payload []byte) ([]byte, error) {
	return t.Seal(ctx, to, message.Record{Value: payload})
}

// OpenPayload opens what a client of MQTT 3.1.1 got at topic. It opens what MQTT 5 clients publish too, where none of the user properties in t's Headers was there.
func OpenPayload(ctx context.Context, t *message.Topic, tn envelope.Tenant, topic string, payload []byte) (message.Message, error) {
	return Open(ctx, t, tn, &paho.Publish{Topic: topic, Payload: payload})
}

// record is p as package message sees it.
func record(p *paho.Publish) message.Record {
	r := message.Record{Topic: p.Topic, Value: p.Payload}
	if p.Properties != nil && len(p.Properties.User) > 0 {
		r.Headers = make([]message.Header, len(p.Properties.User))
		for i, u := range p.Properties.User {
			r.Headers[i] = message.Header{Key: u.Key, Value: []byte(u.Value)}
		}
	}
	return r
}

// OpenWith opens what arrived at a write-only topic: a payload, or a key message at its [KeyTopic]. It fails as [message.Subscriber.Open] does, and as [Open] does on a Publish without a topic.
func OpenWith(ctx context.Context, s *message.Subscriber, p *paho.Publish) (message.Message, error) {
	if err := arrived(p); err != nil {
		return message.Message{}, err
	}
	return s.Open(ctx, record(p))
}

// arrived refuses what can't be opened, and has an empty payload be none.
func arrived(p *paho.Publish) error {
	if err := check(p); err != nil {
		return err
	}
	if p.Topic == "" { // it would stand for the right one
		return fmt.Errorf("mqttseal: %w: the Publish has no topic: resolve topic aliases first", kms.ErrInvalid)
	}
	return nil
}

func check(p *paho.Publish) error {
	if p == nil {
		return fmt.Errorf("mqttseal: %w: the Publish is nil", kms.ErrInvalid)
	}
	return nil
}
