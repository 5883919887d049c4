package plaintext

import (
	"context"
	"database/sql"
	"net/http"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/credentials/insecure"
)

// Trap 53.
func databases(ctx context.Context, dsn string) []*mysql.Config {
	_, _ = pgx.Connect(ctx, "postgres://app@db.example.org/app")                 // want `trap53: sslmode is prefer`
	_, _ = pgx.Connect(ctx, "postgres://app@db.example.org/app?sslmode=require") // want `trap53: sslmode is require`
	_, _ = pgx.Connect(ctx, "postgres://app@db.example.org/app?sslmode=verify-full")
	_, _ = pgx.Connect(ctx, "postgres://app@localhost/app")
	_, _ = pgx.Connect(ctx, "host=/run/postgresql dbname=app")
	_, _ = pgx.Connect(ctx, dsn)
	_, _ = sql.Open("mysql", "app@tcp(db.example.org:3306)/app?tls=skip-verify") // want `trap53: tls=skip-verify`
	_, _ = sql.Open("mysql", "app@tcp(db.example.org:3306)/app?tls=corp")
	_, _ = sql.Open("sqlite", "file.db")
	return []*mysql.Config{
		{AllowFallbackToPlaintext: true}, // want `trap53: who is in between`
		{AllowFallbackToPlaintext: false},
		{TLSConfig: "preferred"}, // want `trap53: tls=preferred`
		{TLSConfig: "corp"},
	}
}

// Trap 54.
func listeners(h http.Handler, port string) {
	go http.ListenAndServe(":8080", h) // want `trap54: `
	go http.ListenAndServe("127.0.0.1:6060", h)
	go http.ListenAndServe("localhost:"+port, h)
	go http.ListenAndServe("0.0.0.0:"+port, h) // want `trap54: `
	go http.ListenAndServe(":"+port, h)        // want `trap54: `
	public := &http.Server{Addr: ":8080", ReadTimeout: time.Second}
	go public.ListenAndServe() // want `trap54: `
	private := &http.Server{Addr: "localhost:6060", ReadTimeout: time.Second}
	go private.ListenAndServe()
	go public.ListenAndServeTLS("cert.pem", "key.pem")
	_ = insecure.NewCredentials() // want `trap54: `
}

type client interface{ AddBroker(string) client }

func brokers(c client) {
	c.AddBroker("tcp://mqtt.example.org:1883") // want `trap54: tcp has no TLS`
	c.AddBroker("ssl://mqtt.example.org:8883")
	c.AddBroker("tcp://localhost:1883")
}
