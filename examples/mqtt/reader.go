package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/mqttseal"
	"github.com/holdfast-go/holdfast/kms"
)

// reader is the consumer: it has the private key that devices send to, and the keys of the tenant.
type reader struct {
	*link
	tenant  envelope.Tenant
	ring    *envelope.Keyring
	devices *message.Subscriber
	topics  map[string]*message.Topic // of reports
	came    chan string               // what was read, or skipped
	end     context.CancelCauseFunc
	work    sync.WaitGroup
	failed  chan error // why there will be no more
}

// startReader connects, and subscribes to the readings of all devices at every connection.
func startReader(ctx context.Context, p *pki, addr string, identity *kms.Key, ring *envelope.Keyring, seen *watch) (*reader, error) {
	window, err := message.NewWindow(nil)
	if err != nil {
		return nil, err
	}
	r := &reader{tenant: ring.Tenant("acme"), ring: ring, topics: map[string]*message.Topic{}, came: make(chan string, 100), failed: make(chan error, 1)}
	if r.devices, err = message.NewSubscriber(identity, &message.SubscriberOptions{Window: window}); err != nil {
		return nil, err
	}
	inbox, err := mqttseal.NewInbox(mqttseal.InboxFuncs{
		Open:   r.open,
		Handle: r.handle,
		// In earnest write it where a person looks, and return an error only when that fails: an Inbox that ends gets the message again.
		Aside: func(_ context.Context, p *paho.Publish, err error) error {
			return fmt.Errorf("at %s: %w", p.Topic, err)
		},
	}, &mqttseal.InboxOptions{Window: window})
	if err != nil {
		return nil, err
	}
	run, end := context.WithCancelCause(ctx)
	r.end = end
	r.work.Go(func() {
		err := inbox.Run(run)
		if errors.Is(err, context.Canceled) {
			err = context.Cause(run)
		}
		r.failed <- err
	})
	r.link, err = dial(ctx, p, addr, consumer, seen, inbox.Receive, func(c *autopaho.ConnectionManager) {
		if err := subscribe(run, c, mqttseal.Subscriptions("devices/+/readings", 1)...); err != nil {
			end(err)
		}
	})
	if err != nil {
		end(nil)
		r.work.Wait()
		return nil, err
	}
	return r, nil
}

// open knows by the topic whose key a message is under.
func (r *reader) open(ctx context.Context, p *paho.Publish) (message.Message, error) {
	if !strings.HasPrefix(p.Topic, reports) {
		return mqttseal.OpenWith(ctx, r.devices, p)
	}
	topic := r.topics[p.Topic] // kept, since it knows how long a key has been missing
	if topic == nil {
		var err error
		if topic, err = message.NewTopic(r.ring, p.Topic, nil); err != nil {
			return message.Message{}, err
		}
		r.topics[p.Topic] = topic
	}
	m, err := mqttseal.Open(ctx, topic, r.tenant, p)
	if envelope.ActionFor(err) == envelope.Skip {
		return m, errors.Join(err, r.show(ctx, p.Topic+": "+envelope.Class(err))) // and the Inbox goes on
	}
	return m, err
}

func (r *reader) handle(ctx context.Context, p *paho.Publish, m message.Message) error {
	return r.show(ctx, p.Topic+": "+string(m.Value))
}

func (r *reader) show(ctx context.Context, line string) error {
	select {
	case r.came <- line:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// want waits for a message, which is to be this one.
func (r *reader) want(ctx context.Context, line string) error {
	select {
	case got := <-r.came:
		if got != line {
			return fmt.Errorf("got %q, want %q", got, line)
		}
		return nil
	case err := <-r.failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *reader) stop(ctx context.Context) error {
	err := r.close(ctx)
	r.end(nil)
	r.work.Wait()
	r.devices.Close()
	return err
}
