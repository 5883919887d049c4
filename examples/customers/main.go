// Command customers is an HTTP service that keeps customers, in a database that shows nothing of them: sign-up and sign-in with a password, find by e-mail address, update, list, export, and erase with a receipt.
//
//	go run ./examples/customers                          # plays its own client, on SQLite in a temporary folder
//	go run ./examples/customers DSN KEYFILE              # likewise on PostgreSQL: postgres://user@localhost:5432/database
//	go run ./examples/customers -listen 127.0.0.1:8080   # serves until it is interrupted; with DSN KEYFILE too
//
// It makes the tables holdfast_keys and customers, and the key file where there is none; without DSN all that is gone at the end. Others on the host see arguments: let PGPASSFILE name a file with the database's password.
// What serves knows no authorization and no TLS: put both before it (tlsconfig has the second).
package main

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/kms/local"
)

var errUsage = errors.New("give no database, or a DSN and a key file: postgres://user@localhost:5432/database key.json")

func main() {
	log.SetFlags(0)
	listen := flag.String("listen", "", "serve at this `address`, such as 127.0.0.1:8080")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, os.Stderr, *listen, flag.Args()); err != nil {
		log.Fatal("customers: ", err)
	}
}

// run serves at listen until ctx ends or, where it is "", plays a client of its own.
func run(ctx context.Context, out, logs io.Writer, listen string, args []string) error {
	dialect := sqlstore.PostgreSQL
	switch len(args) {
	case 2:
	case 0:
		dir, err := os.MkdirTemp("", "customers")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		dialect, args = sqlstore.SQLite, []string{sqliteDSN(dir), filepath.Join(dir, "key.json")}
	default:
		return errUsage
	}
	db, err := openDatabase(ctx, dialect, args[0])
	if err != nil {
		return err
	}
	defer db.Close()
	keys, err := sqlstore.New(db, &sqlstore.Options{Dialect: dialect}) // keys are wrapped, and may lie beside the data
	if err != nil {
		return err
	}
	defer keys.Close()
	file, err := local.Open(args[1], nil) // in production a KMS: awskms.New or another
	if errors.Is(err, fs.ErrNotExist) {
		file, err = local.Create(args[1], nil)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	var kept bytes.Buffer
	if listen == "" {
		logs = &kept // to search it too
	}
	logger := slog.New(slog.NewJSONHandler(logs, nil))
	// A Signer here, such as a key in an HSM, makes receipts that prove who erased.
	ring, err := envelope.NewKeyring("example", keys, envelope.SingleRoot(file.Key()), &envelope.KeyringOptions{Audit: envelope.NewLogAuditor(logger)})
	if err != nil {
		return err
	}
	defer ring.Close()
	s, err := newService(db, ring.Tenant("customers"), ring.Tenant("pepper"), logger)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", cmp.Or(listen, "127.0.0.1:0"))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "serving at http://%s\n", l.Addr())
	if listen != "" {
		return serve(ctx, l, s)
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- serve(serving, l, s) }()
	err = demonstrate(ctx, out, "http://"+l.Addr().String(), db)
	stop()
	if err := errors.Join(err, <-served); err != nil {
		return err
	}
	return search(out, "the service's log", kept.Bytes())
}

// sqliteDSN has writers wait for each other, and deleted bytes become zeros.
func sqliteDSN(dir string) string {
	return "file:" + filepath.ToSlash(filepath.Join(dir, "customers.db")) + "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)&_pragma=secure_delete(1)"
}

// openDatabase makes the tables where there are none.
func openDatabase(ctx context.Context, dialect sqlstore.Dialect, dsn string) (*sql.DB, error) {
	driver, schema := "pgx", schemaPostgreSQL
	if dialect == sqlstore.SQLite {
		driver, schema = "sqlite", schemaSQLite
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(16) // more would wait in the database
	err = sqlstore.Migrate(ctx, db, &sqlstore.Options{Dialect: dialect})
	if err == nil {
		_, err = db.ExecContext(ctx, schema)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// serve serves until ctx ends, and then until the requests that it has are answered.
func serve(ctx context.Context, l net.Listener, s *service) error {
	web := &http.Server{
		Handler: s.handler(), ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelError),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: patience, WriteTimeout: 2 * patience, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*patience)
	defer cancel()
	return web.Shutdown(ctx)
}
