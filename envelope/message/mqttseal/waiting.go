package mqttseal

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/eclipse/paho.golang/paho"
)

// enter has a message wait, and what is too much goes aside: the oldest of the topic that has most waiting.
func (b *Inbox) enter(ctx context.Context, d *delivery) error {
	if d.size() > b.o.Bytes { // rather than all others and then itself
		return b.refuse(ctx, d)
	}
	for i, old := range b.waiting { // the broker delivers again what was not acknowledged when a connection ended
		if (d.by == nil || old.by != d.by) && old.same(d) {
			b.waiting[i] = d
			return nil
		}
	}
	b.waiting = append(b.waiting, d)
	b.bytes += d.size()
	for len(b.waiting) > b.o.Messages || b.bytes > b.o.Bytes {
		i := b.crowded()
		if err := b.refuse(ctx, b.waiting[i]); err != nil {
			return err
		}
		b.bytes -= b.waiting[i].size()
		b.waiting = slices.Delete(b.waiting, i, i+1)
	}
	b.number.Store(int64(len(b.waiting)))
	return nil
}

// crowded returns the oldest message of the topic that has most waiting, so that no topic drives out another's.
func (b *Inbox) crowded() int {
	count, most := map[string]int{}, ""
	for _, d := range b.waiting {
		count[d.packet.Topic]++
	}
	for _, d := range b.waiting { // of topics with as many, that of the oldest
		if count[d.packet.Topic] > count[most] {
			most = d.packet.Topic
		}
	}
	return slices.IndexFunc(b.waiting, func(d *delivery) bool { return d.packet.Topic == most })
}

// refuse puts aside what there is no room for.
func (b *Inbox) refuse(ctx context.Context, d *delivery) error {
	if err := b.f.Aside(ctx, d.packet, fmt.Errorf("mqttseal: %w: %w", ErrFull, d.err)); err != nil {
		return err
	}
	d.acknowledge()
	return nil
}

// retry settles what can be, in the order of arrival. Where a key message was among it, more can be.
func (b *Inbox) retry(ctx context.Context) error {
	for again := true; again; {
		again = false
		for i := 0; i < len(b.waiting); {
			d := b.waiting[i]
			s, err := b.settle(ctx, d)
			switch {
			case err != nil:
				return err
			case s == waits:
				i++
				continue
			case s == tookKey:
				again = true
			}
			b.bytes -= d.size()
			b.waiting = slices.Delete(b.waiting, i, i+1)
		}
	}
	b.number.Store(int64(len(b.waiting)))
	return nil
}

// same tells whether two deliveries are of one message: payloads are never sealed alike twice.
func (d *delivery) same(e *delivery) bool {
	return d.packet.Topic == e.packet.Topic && d.packet.QoS == e.packet.QoS && bytes.Equal(d.packet.Payload, e.packet.Payload) && slices.Equal(d.user(), e.user())
}

func (d *delivery) user() paho.UserProperties {
	if d.packet.Properties == nil {
		return nil
	}
	return d.packet.Properties.User
}

// size is what counts for InboxOptions.Bytes.
func (d *delivery) size() int {
	n := len(d.packet.Topic) + len(d.packet.Payload)
	for _, u := range d.user() {
		n += len(u.Key) + len(u.Value)
	}
	return n
}
