// Package pgtest runs a PostgreSQL server for tests: a cluster of its own on the loopback interface, made with the programs of the Debian package
// postgresql-15 (or what PATH has), removed at the end, and ended with the test process however that one ends. As root it runs as the user postgres,
// for PostgreSQL refuses root.
//
//	func TestOutage(t *testing.T) {
//		server := pgtest.Start(t, &pgtest.Options{Own: true}) // skips where there is no PostgreSQL
//		db, err := sql.Open("pgx", server.Database(t))        // a database of this test's own
//		...
//		server.Stop()    // as if killed: no goodbye, recovery at the next start
//		server.Restart() // same address, same data
//	}
//
// A package with many tests shares one server: it calls Open in TestMain, Close at the end of it, and Database in each test. Where the environment has
// HOLDFAST_POSTGRES, the URL of a server whose user may create databases, that one is taken unless Options.Own is set.
package pgtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// ErrMissing says that no PostgreSQL is installed.
var ErrMissing = errors.New("missing component: PostgreSQL 15 (Debian package postgresql-15)")

// patience is what a start or a query for the tests may take on a busy machine.
const patience = 90 * time.Second

// Options are what a server may be asked for. Nil asks for nothing.
type Options struct {
	Own bool // one that nobody else uses, that may be stopped, and that writes through to the disk (fsync); default: a shared or hasty one will do
}

// Server is a running PostgreSQL server. Its methods may be called by several goroutines, but Stop, Restart and Close by one at a time.
type Server struct {
	url     url.URL
	cluster *cluster // nil for that of HOLDFAST_POSTGRES
}

// Open starts a server. Without PostgreSQL it fails with ErrMissing. Close ends it.
func Open(o *Options) (*Server, error) {
	if o == nil {
		o = &Options{}
	}
	if given := os.Getenv("HOLDFAST_POSTGRES"); given != "" && !o.Own {
		u, err := url.Parse(given)
		if err != nil || u.Scheme == "" || u.Host == "" {
			return nil, errors.New("pgtest: HOLDFAST_POSTGRES must be a URL: postgres://user@host:port/database")
		}
		return &Server{url: *u}, nil
	}
	c, err := newCluster(o.Own)
	if err != nil {
		return nil, err
	}
	s := &Server{cluster: c, url: url.URL{
		Scheme: "postgres", User: url.User("postgres"), Host: fmt.Sprintf("127.0.0.1:%d", c.port), Path: "/postgres", RawQuery: "sslmode=disable",
	}}
	if err := s.Restart(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Start is Open for one test: it skips the test where PostgreSQL is missing and closes the server at its end.
func Start(t testing.TB, o *Options) *Server {
	t.Helper()
	s, err := Open(o)
	Need(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Need skips the test when err is ErrMissing and fails it for any other.
func Need(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrMissing) {
		t.Skip(ErrMissing)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// DSN returns the URL of the server's first database.
func (s *Server) DSN() string { return s.url.String() }

// Database makes an empty database and returns its URL. It is dropped at the end of the test, with its connections.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := "t" + rand.Text()
	if err := execute(s.url, `CREATE DATABASE "`+name+`"`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cluster != nil && !s.cluster.running() {
			return // it goes with the cluster
		}
		if err := execute(s.url, `DROP DATABASE "`+name+`" WITH (FORCE)`); err != nil {
			t.Error(err)
		}
	})
	u := s.url
	u.Path = "/" + name
	return u.String()
}

// Stop ends the server at once, as a crash would: sessions break, the next start recovers.
func (s *Server) Stop() error {
	if s.cluster == nil {
		return errors.New("pgtest: the server of HOLDFAST_POSTGRES can't be stopped: set Options.Own")
	}
	return s.cluster.stop()
}

// Restart stops the server if it runs, starts it with the same address and data, and returns when it answers.
func (s *Server) Restart() error {
	if err := s.Stop(); err != nil {
		return err
	}
	if err := s.cluster.start(); err != nil {
		return err
	}
	if err := answers(s.url, s.cluster.process); err != nil {
		return fmt.Errorf("pgtest: the server does not start: %w\n%s", err, tail(s.cluster.log()))
	}
	return nil
}

// Close ends the server and removes its data. A server of HOLDFAST_POSTGRES goes on.
func (s *Server) Close() error {
	if s.cluster == nil {
		return nil
	}
	return s.cluster.remove()
}

// answers returns when the server at u does, or why it does not.
func answers(u url.URL, p *process) (err error) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = execute(u, "SELECT 1"); err == nil || !p.running() {
			return err
		}
	}
	return err
}

// execute runs one statement on a connection of its own.
func execute(u url.URL, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	db, err := sql.Open("pgx", u.String())
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}
