// Command tls-kafka connects franz-go to Kafka brokers under one TLS policy, and says whether they answer.
//
//	go run ./examples/tls-kafka -ca ca.pem -broker kafka.example:9093
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

func main() {
	log.SetFlags(0)
	ca := flag.String("ca", "ca.pem", "the `file` with the CAs of the brokers: it may change at any time")
	broker := flag.String("broker", "localhost:9093", "the `address` of a broker")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *ca, *broker); err != nil {
		log.Fatal("tls-kafka: ", err)
	}
}

func run(ctx context.Context, ca, broker string) error {
	client, err := tlsconfig.NewClient(ctx, tlsconfig.RootFiles(ca), nil)
	if err != nil {
		return err
	}
	defer client.Close()
	kafka, err := open(client, broker)
	if err != nil {
		return err
	}
	defer kafka.Close()
	if err := kafka.Ping(ctx); err != nil {
		return err
	}
	fmt.Println("a broker answers")
	return nil
}

// open returns a client whose every connection, to any broker that the first one names, is the policy's.
func open(client *tlsconfig.Client, broker string, more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(more, kgo.SeedBrokers(broker), kgo.Dialer(client.DialContext))...)
}
