// Command tls-mqtt connects paho to an MQTT broker under one TLS policy, and says whether it answers.
//
//	go run ./examples/tls-mqtt -ca ca.pem -url mqtt://user:password@broker.example:8883
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/url"
	"os"
	"os/signal"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// errBadURL stands for what url.Parse says: that has the password in it.
var errBadURL = errors.New("the URL is not valid: are special characters of the password escaped?")

func main() {
	log.SetFlags(0)
	ca := flag.String("ca", "ca.pem", "the `file` with the CAs of the broker: it may change at any time")
	url := flag.String("url", os.Getenv("MQTT_URL"), "the `URL` of the broker: mqtt:// is encrypted as mqtts:// is")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *ca, *url); err != nil {
		log.Fatal("tls-mqtt: ", err)
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
	fmt.Println("the broker answers")
	return conn.Disconnect(ctx)
}

// open connects. It returns the error of the first attempt; once there was a connection, a lost one is made anew.
func open(ctx context.Context, client *tlsconfig.Client, broker string) (*autopaho.ConnectionManager, error) {
	u, err := url.Parse(broker)
	if err != nil {
		return nil, errBadURL
	}
	login := u.User
	u.User = nil // what fails says the URL
	first, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	config := secured(client, autopaho.ClientConfig{
		ServerUrls:       []*url.URL{u},
		KeepAlive:        30,
		ReconnectBackoff: autopaho.NewExponentialBackoff(time.Second, time.Minute, 2*time.Second, 2),
		OnConnectError:   func(err error) { failed(err) },
		ClientConfig:     paho.ClientConfig{ClientID: rand.Text()},
	})
	if login != nil {
		password, _ := login.Password()
		config.ConnectUsername, config.ConnectPassword = login.Username(), []byte(password)
	}
	conn, err := autopaho.NewConnection(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := conn.AwaitConnection(first); err != nil {
		if why := context.Cause(first); why != nil {
			err = why
		}
		_ = conn.Disconnect(ctx) // it tries no more
		return nil, err
	}
	return conn, nil
}

// secured has every connection be the policy's, with roots and certificate of the moment, whatever the scheme of the URL says.
func secured(client *tlsconfig.Client, config autopaho.ClientConfig) autopaho.ClientConfig {
	config.AttemptConnection = func(ctx context.Context, _ autopaho.ClientConfig, u *url.URL) (net.Conn, error) {
		return client.DialContext(ctx, "tcp", u.Host)
	}
	return config
}
