package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/eclipse/paho.golang/paho"

	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/envelope/message/mqttseal"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/hpke"
)

const (
	device7  = "device-7"
	gateway  = "gateway"
	consumer = "consumer"

	readings = "devices/7/readings"
)

// device has a public key and its certificate. Who steals it reads nothing of what it has sent.
type device struct {
	*link
	key       *kms.Key
	publisher *message.Publisher
	writer    *mqttseal.Writer
}

// startDevice has a device connect. It keeps its last key message in a file, so that what it has sent stays readable when it starts anew.
func startDevice(ctx context.Context, p *pki, addr string, public []byte, seen *watch) (*device, error) {
	pub, err := hpke.ParsePublicKey(public)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(p.dir, device7+".last")
	last, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	d := &device{}
	if d.key, err = hpke.NewRecipient(pub, nil); err != nil {
		return nil, err
	}
	d.publisher, err = message.NewPublisher(d.key, readings, &message.PublisherOptions{Sender: device7, Last: last})
	if err == nil {
		d.link, err = dial(ctx, p, addr, device7, seen, nil, nil)
	}
	if err != nil {
		d.publisher.Close()
		d.key.Close()
		return nil, err
	}
	save := func(_ context.Context, key []byte) error { return write(file, key) }
	if d.writer, err = mqttseal.NewWriter(d, d.publisher, device7, &mqttseal.WriterOptions{Save: save}); err != nil {
		return nil, errors.Join(err, d.stop(ctx))
	}
	return d, nil
}

func (d *device) send(ctx context.Context, reading string) error {
	_, err := d.writer.Publish(ctx, &paho.Publish{Topic: readings, QoS: 1, Payload: []byte(reading)})
	return err
}

func (d *device) stop(ctx context.Context) error {
	defer d.key.Close()
	defer d.publisher.Close()
	return d.close(ctx)
}
