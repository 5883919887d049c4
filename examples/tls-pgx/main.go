// Command tls-pgx connects a pool of pgx to PostgreSQL under one TLS policy, and says how the server sees the connection.
//
//	go run ./examples/tls-pgx -ca ca.pem -url postgres://user:password@db.example/orders
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

func main() {
	log.SetFlags(0)
	ca := flag.String("ca", "ca.pem", "the `file` with the CAs of the server: it may change at any time")
	url := flag.String("url", os.Getenv("DATABASE_URL"), "the `URL` of the database: its sslmode makes nothing weaker")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *ca, *url); err != nil {
		log.Fatal("tls-pgx: ", err)
	}
}

func run(ctx context.Context, ca, url string) error {
	client, err := tlsconfig.NewClient(ctx, tlsconfig.RootFiles(ca), nil)
	if err != nil {
		return err
	}
	defer client.Close()
	pool, err := open(ctx, client, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	var version, cipher string
	if err := pool.QueryRow(ctx, "SELECT version, cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()").Scan(&version, &cipher); err != nil {
		return err
	}
	fmt.Println(version, cipher)
	return nil
}

// open returns a pool whose every connection is the policy's, whatever the URL and the environment say.
func open(ctx context.Context, client *tlsconfig.Client, url string) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	c.BeforeConnect = secure(client)
	return pgxpool.NewWithConfig(ctx, c)
}

// secure gives each connection roots and certificate of its moment. sslmode=prefer, the default, has fallbacks without TLS: they
// get it too, and those to other hosts stay. The path of a unix socket is no name, so a handshake there fails. For database/sql
// it is stdlib.OptionBeforeConnect.
func secure(client *tlsconfig.Client) func(context.Context, *pgx.ConnConfig) error {
	return func(_ context.Context, c *pgx.ConnConfig) error {
		c.TLSConfig = config(client, c.Host)
		for _, other := range c.Fallbacks {
			other.TLSConfig = config(client, other.Host)
		}
		return nil
	}
}

// config names the protocol too, which PostgreSQL 17 wants to hear where the URL has sslnegotiation=direct.
func config(client *tlsconfig.Client, host string) *tls.Config {
	c := client.Snapshot(host)
	c.NextProtos = []string{"postgresql"}
	return c
}
