package message

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/internal/derive"
	"github.com/holdfast-go/holdfast/internal/reserved"
	"github.com/holdfast-go/holdfast/kms"
)

// Publisher seals messages to one topic for who holds a private key, and can't open any: for devices and services that only write. It needs no Keyring and no store.
// Its data key lives for a Period in memory, or until Close, and is announced in a key message, which a [Subscriber] opens. Anyone can make such messages who has the public key: they prove
// nothing about their sender, which the broker has to authenticate. It is safe for concurrent use.
type Publisher struct {
	recipient  *kms.Key
	topic      string
	own        kms.Context
	headers    []string
	tombstones bool
	form       form
	stamper    *stamper
	period     time.Duration
	plain      string // of a record without key, where no headers are bound

	now    atomic.Pointer[sealing]
	turn   chan struct{}  // holds one token: who has it may change now, and use what follows
	keys   []announcedKey // of the next key message
	closed bool
}

// sealing is a data key in its period.
type sealing struct {
	dataKey
	made  time.Time
	due   []byte      // the key message
	told  atomic.Bool // it was announced
	timer *time.Timer // that clears the key
}

// PublisherOptions are the settings of [NewPublisher]. nil and the zero value are the defaults.
type PublisherOptions struct {
	// Context is what the data keys belong to, such as {"deployment": "acme-prod", "tenant": "acme"}: a Subscriber needs the same. It is stored nowhere.
	Context kms.Context
	// Headers, Sender, Pad and Tombstones are those of [TopicOptions].
	Headers         []string
	Sender          string
	Pad, Tombstones bool
	// Period is how long a data key seals. 0 means 1 hour: a consumer that missed a key message waits so long for the next. 1 minute to 30 days.
	Period time.Duration
	// Last is the last key message of the process before. Its newest key is in the first key message of this one too, for payloads that nobody has opened yet; the next has it no more, be it that of a process that starts again. nil where there is none.
	Last []byte
}

// NewPublisher returns a publisher to a topic, whose data keys are wrapped under recipient: such as that of hpke.NewRecipient. It stays the caller's to close. It makes no I/O. It fails with kms.ErrInvalid,
// and with envelope.ErrFormat where Last is no key message of the topic.
func NewPublisher(recipient *kms.Key, topic string, o *PublisherOptions) (*Publisher, error) {
	return edge(newPublisher(recipient, topic, o))
}

const defaultPeriod = time.Hour

func newPublisher(recipient *kms.Key, topic string, o *PublisherOptions) (*Publisher, error) {
	if o == nil {
		o = &PublisherOptions{}
	}
	p := &Publisher{recipient: recipient, topic: topic, tombstones: o.Tombstones, period: o.Period, turn: make(chan struct{}, 1)}
	switch {
	case recipient == nil:
		return nil, invalid("the recipient is nil")
	case p.period == 0:
		p.period = defaultPeriod
	case p.period < time.Minute || p.period > maxDuration:
		return nil, invalid("Period must be 1m to %v; it is %v", maxDuration, p.period)
	}
	err := checkTopic(topic)
	if err == nil {
		p.own, err = checkContext(o.Context)
	}
	if err == nil {
		p.headers, err = boundHeaders(o.Headers)
	}
	if err == nil {
		p.stamper, err = newStamper(o.Sender)
	}
	if err != nil {
		return nil, err
	}
	p.form = form{stamp: p.stamper != nil, pad: o.Pad}
	if o.Last != nil {
		last, err := parseKeyMessage(o.Last)
		if err == nil && last.topic != topic {
			err = fmt.Errorf("%w: Last is of topic %.64q", envelope.ErrFormat, last.topic)
		}
		if err != nil {
			return nil, err
		}
		p.keys = last.keys[:1]
	}
	p.plain = joined(place(topic, nil, nil, nil))
	return p, nil
}

// joined is what envelope.Bind makes of parts.
func joined(parts [4]string) string {
	var b []byte
	for _, part := range parts {
		b = derive.AppendParts(b, []byte(part))
	}
	return string(b)
}

// Topic returns the name that records are bound to.
func (p *Publisher) Topic() string { return p.topic }

// Sender returns the sender that messages are stamped with, the zero one where they are not.
func (p *Publisher) Sender() Sender {
	if p.stamper == nil {
		return Sender{}
	}
	return p.stamper.sender
}

// Seal returns the payload of a record. Where key is not nil it is a key message: publish it before the payload, so that it lasts as long as the payloads do (retained in MQTT, in a compacted topic of Kafka), and then call
// [Publisher.Announced]; until then every Seal returns it again. A nil Value is a tombstone, of which both are nil. It calls the recipient's KMS, which for hpke is no I/O, once a Period. It fails with
// kms.ErrInvalid on a record of another topic, with envelope.ErrTooLarge above [envelope.MaxRecord], and with the errors of package kms.
func (p *Publisher) Seal(ctx context.Context, r Record) (payload, key []byte, err error) {
	payload, key, err = p.seal(ctx, r)
	_, err = edge(payload, err)
	return payload, key, err
}

func (p *Publisher) seal(ctx context.Context, r Record) (payload, key []byte, err error) {
	switch {
	case p == nil || p.recipient == nil:
		return nil, nil, errZero
	case r.Topic != "" && r.Topic != p.topic:
		return nil, nil, invalid("the record is of topic %.64q, not of %.64q", r.Topic, p.topic)
	case r.Value == nil && !p.tombstones:
		return nil, nil, errTombstone
	case r.Value == nil:
		return nil, nil, nil
	}
	binding := p.plain
	if r.Key != nil || len(p.headers) > 0 {
		binding = joined(place(p.topic, r.Key, p.headers, r.Headers))
	}
	m := Message{Value: r.Value}
	p.stamper.stamp(&m, r.Time)
	b := p.form.encode(&m, envelope.RecordOverhead)
	if len(b) > envelope.MaxRecord {
		clear(b)
		return nil, nil, fmt.Errorf("%w: a message has at most %d bytes", envelope.ErrTooLarge, envelope.MaxRecord)
	}
	for {
		k, err := p.current(ctx)
		if err != nil {
			clear(b)
			return nil, nil, err
		}
		if out, ok := k.key.SealBound(b[:0], k.header, b, binding); ok { // or its time was over meanwhile
			if k.told.Load() {
				return out, nil, nil
			}
			return out, bytes.Clone(k.due), nil
		}
	}
}

// current returns the data key that seals now.
func (p *Publisher) current(ctx context.Context) (*sealing, error) {
	if now := p.now.Load(); now.usable(p.period) {
		return now, nil
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.turn }()
	if p.closed {
		return nil, envelope.ErrClosed
	}
	if now := p.now.Load(); now.usable(p.period) {
		return now, nil
	}
	return p.renew(ctx)
}

// usable tells whether the key's time is not over, by either clock: that of a suspended machine may stand still, and the other may be set.
func (s *sealing) usable(period time.Duration) bool {
	if s == nil {
		return false
	}
	now := time.Now()
	wall := now.Round(0).Sub(s.made.Round(0))
	return now.Sub(s.made) < period && wall < period && wall > -period
}

// renew makes a data key and its key message.
func (p *Publisher) renew(ctx context.Context) (*sealing, error) {
	var raw [derive.Size]byte
	rand.Read(raw[:])
	defer clear(raw[:])
	next := announcedKey{commitment: derive.Commitment(&raw)}
	var err error
	next.wrapped, err = p.recipient.Wrap(reserved.Allow(ctx), raw[:], keyContext(p.own, p.topic, next.commitment))
	if err != nil {
		return nil, err
	}
	keys := append([]announcedKey{next}, p.keys...)
	keys = keys[:min(len(keys), maxAnnounced)]
	message, err := (&keyMessage{p.topic, keys}).encode()
	if err != nil {
		return nil, err
	}
	p.end()
	own := &sealing{dataKey: newDataKey(&raw), made: time.Now(), due: message}
	own.timer = time.AfterFunc(p.period, func() { // nobody may call Seal then
		p.turn <- struct{}{}
		defer func() { <-p.turn }()
		if p.now.Load() == own {
			p.end()
		}
	})
	p.keys = keys
	p.now.Store(own)
	return own, nil
}

// end clears the data key. The caller has the turn.
func (p *Publisher) end() {
	if now := p.now.Swap(nil); now != nil {
		now.timer.Stop()
		now.key.Destroy()
	}
}

// Announced says that the key message which Seal returned is published. One that is not the newest any more is passed over.
func (p *Publisher) Announced(key []byte) {
	if p == nil {
		return
	}
	if now := p.now.Load(); now != nil && bytes.Equal(key, now.due) {
		now.told.Store(true)
	}
}

// Close clears the data key. Later calls of Seal are envelope.ErrClosed; Close again does nothing.
func (p *Publisher) Close() error {
	if p == nil || p.turn == nil {
		return nil
	}
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	p.closed = true
	p.end()
	return nil
}
