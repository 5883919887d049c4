// Command mqtt has a device with a public key, a gateway, a consumer and an MQTT broker in one process, with TLS between them. It renews their certificates while they are connected, has keys die with the time that data may be kept, and
// looks for plaintext in all that the broker keeps and logs. ca.go stands for your PKI, broker.go for your broker.
//
//	go run ./examples/mqtt
package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/memstore"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/hpke"
	"github.com/holdfast-go/holdfast/kms/local"
	"github.com/holdfast-go/holdfast/tlsconfig"
)

const patience = time.Minute // for all of it

func main() {
	log.SetFlags(0)
	dir := flag.String("dir", "", "the `folder` in which to make a temporary one (default: that of the system)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *dir, embedded); err != nil {
		log.Fatal("mqtt: ", err)
	}
}

// starter starts a broker with the certificate of the pki.
type starter func(ctx context.Context, p *pki, seen *watch) (broker, error)

func embedded(ctx context.Context, p *pki, seen *watch) (broker, error) {
	b, err := startMochi(ctx, p, seen)
	if err != nil {
		return nil, err // not a broker that holds a nil *mochi
	}
	return b, nil
}

func run(ctx context.Context, out io.Writer, dir string, start starter) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if dir, err = os.MkdirTemp(dir, "mqtt"); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := newPKI(dir, device7, gateway, consumer)
	if err != nil {
		return err
	}
	k, err := newKeys(dir)
	if err != nil {
		return err
	}
	defer k.close()
	seen := &watch{news: make(chan tlsconfig.Event, 16)}
	b, err := start(ctx, p, seen)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	fmt.Fprintf(out, "Broker at %s, TLS 1.3 with certificates on both sides\n", b.address())
	return (&demo{out, p, b, seen, k}).run(ctx)
}

// keys are those of the consumer, and the public one that devices get.
type keys struct {
	public   []byte
	identity *kms.Key
	file     *local.File
	ring     *envelope.Keyring
}

func newKeys(dir string) (*keys, error) {
	private, err := hpke.GenerateKey(hpke.MLKEM768X25519) // once, and kept with hpke.WriteFile
	if err != nil {
		return nil, err
	}
	_, signer, err := ed25519.GenerateKey(nil) // of receipts of erasure: keep yours
	if err != nil {
		return nil, err
	}
	k := &keys{public: private.Public().PEM()}
	if k.file, err = local.Create(filepath.Join(dir, "key.json"), nil); err != nil { // where there is a KMS: awskms.New or another
		return nil, err
	}
	if k.identity, err = hpke.NewIdentity(private, nil); err == nil {
		k.ring, err = envelope.NewKeyring("example", memstore.New(), envelope.SingleRoot(k.file.Key()), &envelope.KeyringOptions{Signer: signer}) // in earnest with sqlstore
	}
	if err != nil {
		k.file.Close()
		return nil, err
	}
	return k, nil
}

func (k *keys) close() {
	k.ring.Close()
	k.identity.Close()
	k.file.Close()
}
