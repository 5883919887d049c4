// Command tls-redis connects go-redis to a Redis server under one TLS policy, and says what the server answers.
//
//	go run ./examples/tls-redis -ca ca.pem -url redis://user:password@redis.example:6379
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/url"
	"os"
	"os/signal"

	"github.com/redis/go-redis/v9"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// errBadURL stands for what url.Parse says: that has the password in it.
var errBadURL = errors.New("the URL is not valid: are special characters of the password escaped?")

func main() {
	log.SetFlags(0)
	ca := flag.String("ca", "ca.pem", "the `file` with the CAs of the server: it may change at any time")
	url := flag.String("url", os.Getenv("REDIS_URL"), "the `URL` of the server: redis:// is encrypted as rediss:// is")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *ca, *url); err != nil {
		log.Fatal("tls-redis: ", err)
	}
}

func run(ctx context.Context, ca, url string) (err error) {
	client, err := tlsconfig.NewClient(ctx, tlsconfig.RootFiles(ca), nil)
	if err != nil {
		return err
	}
	defer client.Close()
	db, err := open(client, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	answer, err := db.Ping(ctx).Result()
	if err != nil {
		return err
	}
	fmt.Println(answer)
	return nil
}

// open returns a client whose every connection is the policy's, whatever the URL says. A unix socket is refused when it is dialed.
func open(client *tlsconfig.Client, server string) (*redis.Client, error) {
	o, err := redis.ParseURL(server)
	if _, bad := errors.AsType[*url.Error](err); bad {
		return nil, errBadURL
	}
	if err != nil {
		return nil, err
	}
	o.Dialer = client.DialContext // roots and certificate of the moment
	o.TLSConfig = nil             // one of the driver's own would stay as it is
	return redis.NewClient(o), nil
}
