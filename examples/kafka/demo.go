package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/kafkaseal"
)

const (
	canary  = "12 roses for Ada" // is in an order
	control = "express"          // is a header, in the clear
)

// demo is what happens to the orders.
type demo struct {
	out   io.Writer
	keys  *keys
	b     *brokers
	topic *message.Topic
	in    *inbox
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

// order produces an order of a customer's, or of a person of theirs. No text at all takes the order back.
func (d *demo) order(ctx context.Context, to envelope.Scope, number, text string) (*kgo.Record, error) {
	r := &kgo.Record{Key: []byte(number), Headers: []kgo.RecordHeader{{Key: "kind", Value: []byte(control)}}}
	if text != "" {
		r.Value = []byte(text)
	}
	sealed, err := kafkaseal.Seal(ctx, d.topic, to, r)
	if err != nil {
		return nil, err
	}
	return sealed, d.b.producer.ProduceSync(ctx, sealed).FirstErr()
}

func (d *demo) run(ctx context.Context) (err error) {
	if d.in, err = consume(ctx, d.b.primary.ListenAddrs(), orders, d.topic, d.b.producer); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.in.stop()) }()
	for _, step := range []func(context.Context) error{d.rotation, d.tokens, d.revocation, d.erasure, d.mirrored, d.search} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// rotation changes keys between orders. The consumer knows nothing of it.
func (d *demo) rotation(ctx context.Context) error {
	a, g := d.keys.ring.Tenant(acme), d.keys.ring.Tenant(globex)
	ids := map[string]bool{}
	for i, to := range []envelope.Tenant{a, a, g} {
		if i == 1 {
			if _, err := a.Rotate(ctx); err != nil {
				return err
			}
		}
		sealed, err := d.order(ctx, to, fmt.Sprint("order-", i+1), canary)
		if err != nil {
			return err
		}
		ids[string(sealed.Value[1:17])] = true
	}
	if err := d.in.got(ctx, 3); err != nil {
		return err
	}
	d.say("Two customers, 3 orders under %d keys, one rotated in between: %d opened", len(ids), d.in.Stats().Handled)
	return nil
}

// tokens: the broker compacts by keys that it can't read.
func (d *demo) tokens(ctx context.Context) error {
	a := d.keys.ring.Tenant(acme)
	first, err := d.order(ctx, a, "order-1", "none after all")
	if err != nil {
		return err
	}
	second, err := d.order(ctx, a, "order-1", "")
	if err != nil {
		return err
	}
	if err := d.in.got(ctx, 5); err != nil {
		return err
	}
	d.say("A change and a tombstone of order-1: %d bytes of token, the same: %v; order-1 is %q", len(first.Key), bytes.Equal(first.Key, second.Key), d.in.has()[acme+" order-1"])
	return nil
}

// mirrored: a copy in another cluster, under another name, opens.
func (d *demo) mirrored(ctx context.Context) (err error) {
	copied, err := d.b.copy(ctx)
	if err != nil {
		return err
	}
	in, err := consume(ctx, d.b.second.ListenAddrs(), mirror, d.topic, d.b.producer)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.stop()) }()
	all := func() bool { s := in.Stats(); return int(s.Handled+s.Skipped["erased"]) == copied }
	if err := in.wait(ctx, all); err != nil {
		return err
	}
	d.say("The mirror has %d records as %s: %d opened, %d of the erased skipped", copied, mirror, in.Stats().Handled, in.Stats().Skipped["erased"])
	return nil
}

// search looks for an order in what the broker has on disk, and for a header that must be there.
func (d *demo) search(context.Context) error {
	for text, want := range map[string]bool{canary: false, "order-1": false, control: true} {
		found, err := d.b.stores(text)
		if err != nil {
			return err
		}
		if found != want {
			return fmt.Errorf("%q in the broker's files: %v", text, found)
		}
	}
	d.say("The broker's files hold headers, and no order and no number.")
	return nil
}
