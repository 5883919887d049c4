package main

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message/kafkaseal"
)

// revocation: acme takes their KMS key back. Their orders wait alone, and open when it is there again.
func (d *demo) revocation(ctx context.Context) error {
	if err := d.in.stop(); err != nil { // so that the orders are read after the revocation
		return err
	}
	for _, customer := range []string{acme, globex} {
		if _, err := d.order(ctx, d.keys.ring.Tenant(customer), "order-of-"+customer, canary); err != nil {
			return err
		}
	}
	if err := d.keys.files[acme].Disable(ctx); err != nil {
		return err
	}
	time.Sleep(cacheTTL + cacheTTL/2) // until what is in memory is over
	if err := d.again(ctx, orders, func(s kafkaseal.Stats) bool { return s.Handled == 1 && s.Aside["kms_disabled"] == 1 }); err != nil {
		return err
	}
	d.say("acme has taken their key back: of globex %q, held %d of acme", d.in.has()[globex+" order-of-"+globex], d.in.Stats().Aside["kms_disabled"])

	if err := errors.Join(d.keys.files[acme].Enable(ctx), d.in.stop()); err != nil {
		return err
	}
	time.Sleep(3 * cacheTTL) // a refusal is not asked again at once
	if err := d.again(ctx, held, func(s kafkaseal.Stats) bool { return s.Handled == 1 }); err != nil {
		return err
	}
	d.say("acme has given it again: from %s %q", held, d.in.has()[acme+" order-of-"+acme])
	return nil
}

// again consumes a topic of the primary cluster anew, until its counts are as they should be.
func (d *demo) again(ctx context.Context, name string, ok func(s kafkaseal.Stats) bool) (err error) {
	if d.in, err = consume(ctx, d.b.primary.ListenAddrs(), name, d.topic, d.b.producer); err != nil {
		return err
	}
	return d.in.wait(ctx, func() bool { return ok(d.in.Stats()) })
}

// erasure: what was sealed for a person that is erased is skipped, wherever it lies.
func (d *demo) erasure(ctx context.Context) error {
	if err := d.in.stop(); err != nil {
		return err
	}
	person := d.keys.ring.Tenant(globex).Subject("user-42")
	if _, err := d.order(ctx, person, "order-of-42", canary); err != nil {
		return err
	}
	receipt, err := person.Erase(ctx, envelope.Erasure{Ref: "case-2041"})
	if err != nil {
		return err
	}
	if err := d.again(ctx, orders, func(s kafkaseal.Stats) bool { return s.Skipped["erased"] == 1 }); err != nil {
		return err
	}
	d.say("A person is erased (%s, %d keys): %d order skipped, which the broker has still", receipt.Ref, len(receipt.Keys), d.in.Stats().Skipped["erased"])
	return nil
}
