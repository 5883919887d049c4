// Command tls-nats connects nats.go to a NATS server under one TLS policy, and says how long the server takes to answer.
//
// The server must have handshake_first: true in its tls block. Without it a server begins in the clear, and who is between could change what it says there; this program leaves such a server.
//
//	go run ./examples/tls-nats -ca ca.pem -url nats://user:password@nats.example:4222
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/url"
	"os"
	"os/signal"

	"github.com/nats-io/nats.go"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// errBadURL stands for what url.Parse says: that has the password in it.
var errBadURL = errors.New("the URL is not valid: are special characters of the password escaped?")

func main() {
	log.SetFlags(0)
	ca := flag.String("ca", "ca.pem", "the `file` with the CAs of the server: it may change at any time")
	url := flag.String("url", os.Getenv("NATS_URL"), "the `URL` of the server: nats:// is encrypted as tls:// is")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *ca, *url); err != nil {
		log.Fatal("tls-nats: ", err)
	}
}

func run(ctx context.Context, ca, url string) error {
	client, err := tlsconfig.NewClient(ctx, tlsconfig.RootFiles(ca), nil)
	if err != nil {
		return err
	}
	defer client.Close()
	conn, err := open(ctx, client, url)
	if err != nil {
		return err
	}
	defer conn.Close()
	took, err := conn.RTT()
	if err != nil {
		return err
	}
	fmt.Println("the server answers in", took)
	return nil
}

// open returns a connection that is the policy's whenever it is made anew, and to whichever server, whatever the URL says.
func open(ctx context.Context, client *tlsconfig.Client, server string) (*nats.Conn, error) {
	conn, err := nats.Connect(server, nats.SetCustomDialer(dialer{ctx, client}),
		nats.SkipHostLookup()) // certificates are for names
	if _, bad := errors.AsType[*url.Error](err); bad {
		return nil, errBadURL
	}
	return conn, err
}

// dialer makes connections with roots and certificate of the moment.
type dialer struct {
	ctx    context.Context // a nats.CustomDialer is given none
	client *tlsconfig.Client
}

// Dial implements nats.CustomDialer.
func (d dialer) Dial(network, address string) (net.Conn, error) {
	return d.client.DialContext(d.ctx, network, address)
}

// SkipTLSHandshake says that there is nothing left to encrypt.
func (d dialer) SkipTLSHandshake() bool { return true }
