package message

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/aead"
	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/internal/verify"
	"github.com/holdfast-go/holdfast/kms"
)

// Subscriber opens what [Publisher]s have sealed, at any number of topics. It is safe for concurrent use.
type Subscriber struct {
	identity *kms.Key
	own      kms.Context
	names    map[string]string // own names of topics by those that records arrive under
	reading

	mu     sync.Mutex
	keys   *keyRoom
	closed bool
}

// SubscriberOptions are the settings of [NewSubscriber]. nil and the zero value are the defaults.
type SubscriberOptions struct {
	// Context is that of the publishers.
	Context kms.Context
	// Headers are those of the publishers.
	Headers []string
	// Tombstones, Window and PassPlain are those of [TopicOptions]. A publisher that learned another's instance, which is sealed in what that has published, could use up its numbers: where publishers don't trust one another, have a Subscriber and a
	// Window for each.
	Tombstones bool
	Window     *Window
	PassPlain  *atomic.Int64
	// UnknownKeyFor is how long a payload is to be retried whose key is not announced, from when it was met first. 0 means 2 hours: longer than the publishers' Period, so that the next key message heals what a missed one left. Where payloads can't
	// get past their key messages, as in Kafka, it may be as short as a start takes to take all of these in. At most 30 days, negative for not at all.
	UnknownKeyFor time.Duration
	// Mirrors has the names of topics by other names under which their records arrive.
	Mirrors map[string]string
	// Keys is how many data keys are in memory, some 4 KiB each on 2 cores and 7 on 16: one or two for each publisher and topic. When there are more, those of the topic go first that has brought most key messages. 0 means 10000. At most 10 million.
	Keys int
}

const (
	defaultKeys = 10_000
	maxKeys     = 10_000_000

	unannouncedFor = 2 * defaultPeriod
)

// NewSubscriber returns a subscriber with the private key of the publishers' recipient: such as that of hpke.NewIdentity. It stays the caller's to close. It makes no I/O. It fails with kms.ErrInvalid.
func NewSubscriber(identity *kms.Key, o *SubscriberOptions) (*Subscriber, error) {
	return edge(newSubscriber(identity, o))
}

func newSubscriber(identity *kms.Key, o *SubscriberOptions) (*Subscriber, error) {
	if o == nil {
		o = &SubscriberOptions{}
	}
	n := o.Keys
	switch {
	case identity == nil:
		return nil, invalid("the identity is nil")
	case n == 0:
		n = defaultKeys
	case n < 0 || n > maxKeys:
		return nil, invalid("Keys must be 1 to %d; it is %d", maxKeys, n)
	}
	for other, own := range o.Mirrors {
		if err := errors.Join(checkTopic(other), checkTopic(own)); err != nil {
			return nil, err
		}
	}
	own, err := checkContext(o.Context)
	if err != nil {
		return nil, err
	}
	headers, err := boundHeaders(o.Headers)
	if err != nil {
		return nil, err
	}
	unknown, err := newUnknown(o.UnknownKeyFor, unannouncedFor)
	if err != nil {
		return nil, err
	}
	return &Subscriber{
		identity: identity, own: own, names: maps.Clone(o.Mirrors),
		reading: reading{headers: headers, window: o.Window, passPlain: o.PassPlain, unknown: unknown, tombstones: o.Tombstones},
		keys:    newKeyRoom(n),
	}, nil
}

// Open opens the payload of a record as it came from the broker. A key message it takes in and returns [ErrKeyMessage], which is to be skipped. A payload whose key is not announced yet fails with
// envelope.ErrUnknownKey, which is to be retried until UnknownKeyFor is over and then to be rejected. Other errors are those of [Topic.Open], where the keys are those of a KMS.
func (s *Subscriber) Open(ctx context.Context, r Record) (Message, error) {
	return edge(s.open(ctx, r))
}

func (s *Subscriber) open(ctx context.Context, r Record) (Message, error) {
	if s == nil || s.identity == nil {
		return Message{}, errZero
	}
	if IsKeyMessage(r.Value) {
		if err := s.take(ctx, r.Topic, r.Value); err != nil {
			return Message{}, err
		}
		return Message{}, ErrKeyMessage
	}
	topic := r.Topic
	if own, ok := s.names[topic]; ok {
		topic = own
	}
	if err := checkTopic(topic); err != nil {
		return Message{}, err
	}
	if m, done, err := s.unsealed(&r); done {
		return m, err
	}
	switch n := len(r.Value); {
	case r.Value[0] != firstOwn:
		return Message{}, fmt.Errorf("%w: no record starts with %02x", envelope.ErrFormat, r.Value[0])
	case n < envelope.RecordOverhead:
		return Message{}, fmt.Errorf("%w: a record has at least %d bytes, not %d", envelope.ErrTruncated, envelope.RecordOverhead, n)
	case n > envelope.RecordOverhead+envelope.MaxRecord:
		return Message{}, fmt.Errorf("%w: a record has at most %d bytes", envelope.ErrFormat, envelope.RecordOverhead+envelope.MaxRecord)
	}
	id := aead.KeyID(r.Value[1:keyEnd])
	binding := joined(place(topic, r.Key, s.headers, r.Headers))
	for {
		k, err := s.find(id)
		switch {
		case err != nil:
			return Message{}, err
		case k == nil:
			return Message{}, s.unknown.judge(id, fmt.Errorf("%w: %s is not announced yet", envelope.ErrUnknownKey, id))
		case k.topic != topic:
			return Message{}, fmt.Errorf("%w: key %s was announced for another topic", envelope.ErrOpen, id)
		}
		b, err, ok := k.key.OpenBound(nil, k.header, r.Value[keyEnd:], binding)
		switch {
		case !ok: // it was dropped meanwhile
			continue
		case err != nil:
			return Message{}, fmt.Errorf("%w: key %s", err, id)
		}
		return s.read(b, &r)
	}
}

// find returns an announced key, or nil.
func (s *Subscriber) find(id aead.KeyID) (*announced, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, envelope.ErrClosed
	}
	return s.keys.get(id), nil
}

// known tells whether an announced key is there, which a topic has brought again.
func (s *Subscriber) known(id aead.KeyID, from string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, envelope.ErrClosed
	}
	return s.keys.brought(id, from), nil
}

// take takes a key message in that a topic brought.
func (s *Subscriber) take(ctx context.Context, from string, b []byte) error {
	m, err := parseKeyMessage(b)
	if err != nil {
		return err
	}
	for i := range m.keys {
		err := s.takeKey(ctx, from, m.topic, &m.keys[i])
		if action := envelope.ActionFor(err); i == 0 && (action == envelope.Retry || action == envelope.Hold && !errors.Is(err, kms.ErrNotFound) && !errors.Is(err, kms.ErrDestroyed)) {
			s.unknown.outage()
		}
		if err != nil && (i == 0 || envelope.ActionFor(err) == envelope.Retry) { // an older key may be of a recipient that is no more
			return err
		}
	}
	return nil
}

// takeKey unwraps an announced key, unless it is known.
func (s *Subscriber) takeKey(ctx context.Context, from, topic string, k *announcedKey) error {
	if known, err := s.known(k.id(), from); known || err != nil {
		return err
	}
	known := func(raw []byte) bool {
		if len(raw) != derive.Size {
			return false
		}
		commitment := derive.Commitment((*[derive.Size]byte)(raw))
		return subtle.ConstantTimeCompare(commitment[:], k.commitment[:]) == 1
	}
	raw, err := s.identity.Unwrap(verify.With(reserved.Allow(ctx), known), k.wrapped, keyContext(s.own, topic, k.commitment))
	defer clear(raw)
	switch {
	case errors.Is(err, kms.ErrCiphertext):
		return fmt.Errorf("%w: the announced key: %w", envelope.ErrOpen, err)
	case err != nil:
		return fmt.Errorf("the announced key: %w", err)
	case !known(raw):
		return fmt.Errorf("%w: the announced key is not the one that its commitment names", envelope.ErrOpen)
	}
	key := &announced{dataKey: newDataKey((*[derive.Size]byte)(raw)), id: k.id(), topic: topic, from: from}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.keys.get(key.id) != nil {
		key.key.Destroy()
		return nil
	}
	if gone := s.keys.put(key); gone != nil {
		gone.key.Destroy()
	}
	s.unknown.found(key.id)
	return nil
}

// Close clears the keys that were announced. Later calls are envelope.ErrClosed; Close again does nothing.
func (s *Subscriber) Close() error {
	if s == nil || s.identity == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.keys.clear()
	return nil
}
