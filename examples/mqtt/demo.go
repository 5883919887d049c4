package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/eclipse/paho.golang/paho"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/mqttseal"
)

const (
	canary  = "canary: 21.5 degrees at the customer's" // is in every message
	control = "acme/control/value"                     // is published in the clear
	reports = "acme/reports/"
)

// demo is what happens at a broker.
type demo struct {
	out    io.Writer
	pki    *pki
	broker broker
	seen   *watch
	keys   *keys
}

func (d *demo) run(ctx context.Context) (err error) {
	r, err := startReader(ctx, d.pki, d.broker.address(), d.keys.identity, d.keys.ring, d.seen)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop(ctx)) }()
	if err := d.renewal(ctx, r); err != nil {
		return err
	}
	g, err := dial(ctx, d.pki, d.broker.address(), gateway, d.seen, nil, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.close(ctx)) }()
	if err := d.retention(ctx, r, g); err != nil {
		return err
	}
	return d.search(ctx, g)
}

// renewal has the certificates of broker, device and consumer replaced while they are connected.
func (d *demo) renewal(ctx context.Context, r *reader) (err error) {
	dev, err := startDevice(ctx, d.pki, d.broker.address(), d.keys.public, d.seen)
	if err != nil {
		return err
	}
	send := func(number int) error {
		reading := fmt.Sprintf("%s, %d", canary, number)
		if err := dev.send(ctx, reading); err != nil {
			return err
		}
		if err := r.want(ctx, readings+": "+reading); err != nil {
			return err
		}
		fmt.Fprintf(d.out, "%s, from a device that can't open it: %s\n", readings, reading)
		return nil
	}
	err = inTurn(
		func() error { return send(1) },
		d.pki.issue,
		func() error { return d.seen.taken(ctx) },
		d.broker.reload,
		func() error { return send(2) },
	)
	before := <-dev.brokers
	again := len(dev.brokers) + len(r.brokers) - 1
	if err := errors.Join(err, dev.stop(ctx)); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "Certificates renewed: the device's connection goes on, new connections meanwhile: %d\n", again)

	if dev, err = startDevice(ctx, d.pki, d.broker.address(), d.keys.public, d.seen); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dev.stop(ctx)) }()
	if err := send(3); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "The device started anew, and sees another certificate of the broker: %v\n", before != <-dev.brokers)
	return nil
}

// inTurn does one step after the other until one fails.
func inTurn(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// retention has keys die with the time that data may be kept: each month is a subject of the tenant's, and erased when it is over.
func (d *demo) retention(ctx context.Context, r *reader, g *link) error {
	for _, month := range []string{"2026-10", "2026-11"} {
		topic, err := message.NewTopic(d.keys.ring, reports+month, nil)
		if err != nil {
			return err
		}
		sealed, err := mqttseal.Seal(ctx, topic, r.tenant.Subject("reports/"+month), &paho.Publish{QoS: 1, Retain: true, Payload: []byte(canary)})
		if err != nil {
			return err
		}
		if _, err := g.Publish(ctx, sealed); err != nil {
			return err
		}
	}
	if _, err := r.tenant.Subject("reports/2026-10").Erase(ctx, envelope.Erasure{Ref: "retention 2026-10"}); err != nil {
		return err
	}
	// The broker still retains both, and its backups will for long.
	for _, want := range []string{"2026-10: erased", "2026-11: " + canary} {
		topic := reports + want[:len("2026-10")]
		if err := subscribe(ctx, r.ConnectionManager, paho.SubscribeOptions{Topic: topic, QoS: 1}); err != nil {
			return err
		}
		if err := r.want(ctx, reports+want); err != nil {
			return err
		}
		fmt.Fprintf(d.out, "%s%s\n", reports, want)
	}
	return nil
}

var errFound = errors.New("the broker holds the canary in the clear")

// search looks for the canary in all that the broker keeps and logs, and for a text that must be there.
func (d *demo) search(ctx context.Context, g *link) error {
	if _, err := g.Publish(ctx, &paho.Publish{Topic: control, QoS: 1, Retain: true, Payload: []byte(control)}); err != nil {
		return err
	}
	files, err := d.broker.files(ctx, control)
	if err != nil {
		return err
	}
	for where, text := range map[string][]byte{"files": files, "log": d.broker.logs()} {
		switch {
		case !holds(text, control):
			return fmt.Errorf("the search does not work: nothing of %q in the broker's %s", control, where)
		case holds(text, canary):
			return fmt.Errorf("%w: %s", errFound, where)
		}
	}
	fmt.Fprintln(d.out, "The broker's files and log hold the control value, and no canary.")
	return nil
}

// holds looks for a text as it is, in hexadecimal, and in base64 at each of its three offsets.
func holds(in []byte, text string) bool {
	found := bytes.Contains(in, []byte(text)) || bytes.Contains(in, []byte(hex.EncodeToString([]byte(text))))
	for skip := range 3 {
		part := text[skip:]
		found = found || bytes.Contains(in, []byte(base64.RawStdEncoding.EncodeToString([]byte(part[:len(part)/3*3]))))
	}
	return found
}
