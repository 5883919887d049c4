package mqttseal

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/eclipse/paho.golang/paho"

	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/kms"
)

// Conn publishes: a *paho.Client or an *autopaho.ConnectionManager.
type Conn interface {
	Publish(ctx context.Context, p *paho.Publish) (*paho.PublishResponse, error)
}

// Writer publishes to a topic that its holder can't read, and announces its keys in retained messages at [KeyTopic]. It is safe for concurrent use.
type Writer struct {
	conn     Conn
	pub      *message.Publisher
	clientID string
	save     func(ctx context.Context, keyMessage []byte) error
	turn     chan struct{} // holds one token: who has it may announce
}

// WriterOptions are the choices of a Writer. nil and the zero value are its safe defaults.
type WriterOptions struct {
	// Save keeps a key message for PublisherOptions.Last of the next process. It is called once a period, when the broker has the key message and before anything is published under its key; where it fails nothing is. nil keeps none: then what
	// a process has published opens, after a restart, only where its key message has arrived already.
	Save func(ctx context.Context, keyMessage []byte) error
}

// NewWriter returns a Writer. clientID names the publisher among those of the topic, and is the same after a restart: what the client says to the broker in CONNECT is just that. Those who may subscribe see it. It is 1 to 128 bytes of
// printable ASCII without '/', '+' and '#', or the error is kms.ErrInvalid.
func NewWriter(c Conn, pub *message.Publisher, clientID string, o *WriterOptions) (*Writer, error) {
	if o == nil {
		o = &WriterOptions{}
	}
	switch {
	case c == nil:
		return nil, fmt.Errorf("mqttseal: %w: a Writer needs a Conn, such as the *autopaho.ConnectionManager", kms.ErrInvalid)
	case pub == nil:
		return nil, fmt.Errorf("mqttseal: %w: a Writer needs a Publisher: message.NewPublisher makes one", kms.ErrInvalid)
	case !level(clientID):
		return nil, fmt.Errorf("mqttseal: %w: client id %.64q must be 1 to %d bytes of printable ASCII without '/', '+' and '#'", kms.ErrInvalid, clientID, maxClientID)
	}
	return &Writer{conn: c, pub: pub, clientID: clientID, save: o.Save, turn: make(chan struct{}, 1)}, nil
}

const maxClientID = 128 // bytes

// level tells whether s can be one level of a topic.
func level(s string) bool {
	return s != "" && len(s) <= maxClientID && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= utf8.RuneSelf-1 || strings.ContainsRune("/+#", r)
	})
}

// Publish publishes a copy of p with its payload sealed, and before it the key message where one is due: retained and at QoS 1. What it returns is the broker's answer to the payload. p has the topic of the Publisher; a nil payload is a
// tombstone. It fails as [message.Publisher.Seal] and Conn do; then p may not have been published, and may be published again.
func (w *Writer) Publish(ctx context.Context, p *paho.Publish) (*paho.PublishResponse, error) {
	if err := check(p); err != nil {
		return nil, err
	}
	if p.Topic == "" { // of which the key topic is made
		return nil, fmt.Errorf("mqttseal: %w: the Publish has no topic: give it that of the Publisher", kms.ErrInvalid)
	}
	payload, keyMessage, err := w.pub.Seal(ctx, record(p))
	if err != nil {
		return nil, err
	}
	if keyMessage != nil {
		if payload, err = w.announce(ctx, p); err != nil {
			return nil, err
		}
	}
	q := *p
	q.Payload = payload
	answer, err := w.conn.Publish(ctx, &q)
	if err != nil {
		return answer, fmt.Errorf("mqttseal: publishing: %w", err)
	}
	return answer, nil
}

// announce seals p once more, with the key message that is due then, and has the broker retain that. One does so at a time, lest an older key message take the place of a newer one. It is saved after it was published, for one that was
// saved and never published would take the place of one that is in use.
func (w *Writer) announce(ctx context.Context, p *paho.Publish) ([]byte, error) {
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	payload, keyMessage, err := w.pub.Seal(ctx, record(p))
	if err != nil || keyMessage == nil {
		return payload, err
	}
	k := &paho.Publish{Topic: KeyTopic(p.Topic, w.clientID), QoS: 1, Retain: true, Payload: keyMessage}
	if _, err := w.conn.Publish(ctx, k); err != nil {
		return nil, fmt.Errorf("mqttseal: publishing the key message: %w", err)
	}
	if w.save != nil {
		if err := w.save(ctx, keyMessage); err != nil {
			return nil, fmt.Errorf("mqttseal: saving the key message: %w", err)
		}
	}
	w.pub.Announced(keyMessage)
	return payload, nil
}
