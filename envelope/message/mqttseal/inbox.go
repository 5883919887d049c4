package mqttseal

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/kms"
)

// ErrFull says that a message was waiting for its key and had to make room.
var ErrFull = errors.New("the waiting room is full")

// Inbox opens what arrives, hands it on, acknowledges it, and keeps what does not open yet: payloads that were there before their key, and all that an outage holds up. Make one with [NewInbox], give Receive to the client, and call Run.
type Inbox struct {
	f      InboxFuncs
	o      InboxOptions
	in     chan *delivery
	ended  chan struct{}
	ran    atomic.Bool
	number atomic.Int64 // of those that wait

	// Of Run's goroutine:
	waiting []*delivery // the oldest first
	bytes   int         // of them all
}

// InboxFuncs are what an Inbox calls, one at a time and all required. An error of Handle or Aside ends Run, and what it is about is not acknowledged: the broker has it still.
type InboxFuncs struct {
	// Open opens a message: [OpenWith] a Subscriber, or [Open] for a Topic.
	Open func(ctx context.Context, p *paho.Publish) (message.Message, error)
	// Handle has a message that did open.
	Handle func(ctx context.Context, p *paho.Publish, m message.Message) error
	// Aside has a message as it arrived whose error says Hold or Reject, or that waited and must make room (ErrFull), the oldest of the topic that has most waiting: write it where a person looks.
	Aside func(ctx context.Context, p *paho.Publish, err error) error
}

// InboxOptions are the choices of an Inbox. nil and the zero value are its safe defaults.
type InboxOptions struct {
	Messages int             // that wait at most. 0: 1000; 1 to 100000
	Bytes    int             // that their payloads, topics and user properties have at most. 0: 16 MiB; 1 to 1 GiB
	Window   *message.Window // that of the Subscriber or Topic: it is told of every message that was handled. nil for none
}

const (
	defaultMessages, maxMessages = 1000, 100_000
	defaultBytes, maxBytes       = 16 << 20, 1 << 30
	retryEvery                   = time.Second
)

// NewInbox returns an Inbox. It fails with kms.ErrInvalid when a function is missing or an option is out of bounds.
func NewInbox(f InboxFuncs, o *InboxOptions) (*Inbox, error) {
	b := &Inbox{f: f, in: make(chan *delivery), ended: make(chan struct{})}
	if o != nil {
		b.o = *o
	}
	if b.o.Messages == 0 {
		b.o.Messages = defaultMessages
	}
	if b.o.Bytes == 0 {
		b.o.Bytes = defaultBytes
	}
	switch {
	case f.Open == nil || f.Handle == nil || f.Aside == nil:
		return nil, fmt.Errorf("mqttseal: %w: an Inbox needs Open, Handle and Aside", kms.ErrInvalid)
	case b.o.Messages < 1 || b.o.Messages > maxMessages:
		return nil, fmt.Errorf("mqttseal: %w: InboxOptions.Messages is %d: want 1 to %d", kms.ErrInvalid, o.Messages, maxMessages)
	case b.o.Bytes < 1 || b.o.Bytes > maxBytes:
		return nil, fmt.Errorf("mqttseal: %w: InboxOptions.Bytes is %d: want 1 to %d", kms.ErrInvalid, o.Bytes, maxBytes)
	}
	return b, nil
}

// delivery is a message as it came, once or again.
type delivery struct {
	packet *paho.Publish
	by     acknowledger // nil for none
	taken  chan error   // what became of it, has room for one
	err    error        // why it waits
}

// acknowledger is a *paho.Client.
type acknowledger interface {
	Ack(p *paho.Publish) error
}

// Receive is for OnPublishReceived of a paho.ClientConfig. It returns when the message was handled, put aside or skipped, or waits; then, with EnableManualAcknowledgment, it is acknowledged only when it was handled, put aside or skipped. When Run has
// ended it fails with envelope.ErrClosed. It is safe for concurrent use.
func (b *Inbox) Receive(r paho.PublishReceived) (bool, error) {
	d := &delivery{packet: r.Packet, taken: make(chan error, 1)}
	if r.Client != nil {
		d.by = r.Client
	}
	select {
	case b.in <- d:
	case <-b.ended:
		return false, errEnded
	}
	select {
	case err := <-d.taken:
		return err == nil, err
	case <-b.ended: // it may have said how before
		select {
		case err := <-d.taken:
			return err == nil, err
		default:
			return false, errEnded
		}
	}
}

var errEnded = fmt.Errorf("mqttseal: %w: Run has ended", envelope.ErrClosed)

// Waiting returns how many messages wait, for a gauge. It is safe for concurrent use.
func (b *Inbox) Waiting() int { return int(b.number.Load()) }

// Run does the work, in this goroutine, until ctx ends or a function fails, and returns why. What waits then is not acknowledged. It runs once.
func (b *Inbox) Run(ctx context.Context) error {
	if !b.ran.CompareAndSwap(false, true) {
		return fmt.Errorf("mqttseal: %w: an Inbox runs once: make another", kms.ErrInvalid)
	}
	defer close(b.ended)
	ticks := time.NewTicker(retryEvery)
	defer ticks.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case d := <-b.in:
			err = b.take(ctx, d)
			d.taken <- err
		case <-ticks.C:
			err = b.retry(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// take does what there is to do with a new message.
func (b *Inbox) take(ctx context.Context, d *delivery) error {
	s, err := b.settle(ctx, d)
	switch {
	case err != nil:
		return err
	case s == waits:
		return b.enter(ctx, d)
	case s == tookKey:
		return b.retry(ctx)
	}
	return nil
}

// state is what became of a message.
type state int

const (
	waits   state = iota
	settled       // handled, put aside or skipped
	tookKey       // skipped: it was a key message
)

// settle opens a message and, unless it must wait, hands it on and acknowledges it.
func (b *Inbox) settle(ctx context.Context, d *delivery) (state, error) {
	m, err := b.f.Open(ctx, d.packet)
	s := settled
	switch action := envelope.ActionFor(err); action {
	case envelope.None:
		if err := b.f.Handle(ctx, d.packet, m); err != nil {
			return settled, err
		}
		if b.o.Window != nil {
			b.o.Window.Accept(m)
		}
	case envelope.Retry:
		d.err = err
		return waits, ctx.Err()
	case envelope.Skip:
		if errors.Is(err, message.ErrKeyMessage) {
			s = tookKey
		}
	case envelope.Hold, envelope.Reject:
		if err := b.f.Aside(ctx, d.packet, err); err != nil {
			return settled, err
		}
	default:
		return settled, err
	}
	d.acknowledge()
	return s, nil
}

// acknowledge tells the broker that it need not keep the message. It can't fail in a way that matters: of a connection that is gone, the broker delivers it again.
func (d *delivery) acknowledge() {
	if d.by != nil {
		_ = d.by.Ack(d.packet)
	}
}
