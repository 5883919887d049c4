// Command kafka has two customers share a topic: their orders are sealed before they leave the process, each under a KMS key of the customer's own. It rotates keys while consumers run, has a customer take their key back and give it again, erases a
// person, deletes by a token, and reads a mirror. broker.go stands for your cluster: it is franz-go's kfake, in this process.
//
//	go run ./examples/kafka
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/envelope/message"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

const (
	acme, globex = "acme", "globex"

	orders       = "orders"
	held         = "orders.held" // what waits for a customer's key
	tenantHeader = "customer"
	mirror       = "primary.orders" // the topic's name in the other cluster

	patience = time.Minute // for all of it
	cacheTTL = time.Second // in earnest minutes: how long a revocation takes
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, ""); err != nil {
		log.Fatal("kafka: ", err)
	}
}

func run(ctx context.Context, out io.Writer, dir string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if dir, err = os.MkdirTemp(dir, "kafka"); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	k, err := newKeys(dir)
	if err != nil {
		return err
	}
	defer k.close()
	b, err := startBrokers(dir)
	if err != nil {
		return err
	}
	defer b.close()
	topic, err := newTopic(k.ring)
	if err != nil {
		return err
	}
	return (&demo{out: out, keys: k, b: b, topic: topic}).run(ctx)
}

// newTopic is the same for all who write and read orders.
func newTopic(ring *envelope.Keyring) (*message.Topic, error) {
	return message.NewTopic(ring, orders, &message.TopicOptions{
		TenantHeader: tenantHeader,
		Headers:      []string{"kind"},
		TokenKeys:    true,
		Tombstones:   true,
		Mirrors:      []string{held, mirror},
	})
}

// keys are the customers' KMS keys, and the Keyring under them.
type keys struct {
	files map[string]*local.File
	ring  *envelope.Keyring
}

func newKeys(dir string) (_ *keys, err error) {
	k := &keys{files: map[string]*local.File{}}
	for _, customer := range []string{acme, globex} {
		if k.files[customer], err = local.Create(filepath.Join(dir, customer+".json"), nil); err != nil { // in earnest awskms.New with the customer's own key
			k.close()
			return nil, err
		}
	}
	root := func(_ context.Context, customer string) (*kms.Key, error) {
		file := k.files[customer]
		if file == nil {
			return nil, fmt.Errorf("%w: there is no customer %.64q", kms.ErrNotFound, customer)
		}
		return file.Key(), nil
	}
	k.ring, err = envelope.NewKeyring("example", memstore.New(), root, &envelope.KeyringOptions{CacheTTL: cacheTTL, StaleIfError: -1, WriteStaleIfError: -1}) // in earnest with sqlstore
	if err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

func (k *keys) close() error {
	err := k.ring.Close()
	for _, file := range k.files {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
	}
	return err
}
