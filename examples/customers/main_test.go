package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/envelopetest"
	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/envelope/sqlstore/sqltest/pgtest"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

const asProgram = "CUSTOMERS_TEST_RUN_MAIN" // set: the test binary is the program

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(closing{m})
}

// closing ends the shared server before leaks are looked for.
type closing struct{ *testing.M }

func (c closing) Run() int {
	code := c.M.Run()
	if s, err := postgres(); err == nil {
		if err := s.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// postgres is the server that the tests share.
var postgres = sync.OnceValues(func() (*pgtest.Server, error) { return pgtest.Open(nil) })

func postgresDSN(t *testing.T) string {
	t.Helper()
	server, err := postgres()
	pgtest.Need(t, err)
	return server.Database(t)
}

// world is a database with a KMS, and all that services write to.
type world struct {
	db   *sql.DB
	keys *sqlstore.Store
	kms  *kmstest.Fake
	dsn  string // of PostgreSQL
	dir  string // of SQLite
	log  *lockedBuffer
}

// each runs f in a world on each database.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	t.Run("SQLite", func(t *testing.T) {
		dir := t.TempDir()
		f(t, newWorld(t, &world{dir: dir}, sqlstore.SQLite, sqliteDSN(dir)))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		dsn := postgresDSN(t)
		f(t, newWorld(t, &world{dsn: dsn}, sqlstore.PostgreSQL, dsn))
	})
}

func newWorld(t *testing.T, w *world, dialect sqlstore.Dialect, dsn string) *world {
	t.Helper()
	var err error
	w.db, err = openDatabase(t.Context(), dialect, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.db.Close()) })
	w.keys, err = sqlstore.New(w.db, &sqlstore.Options{Dialect: dialect})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.keys.Close()) })
	w.kms, w.log = kmstest.NewFake("test-key"), new(lockedBuffer)
	return w
}

// process is a service in a world, with no key in memory at first, and a client of it.
type process struct {
	*service
	ring   *envelope.Keyring
	url    string
	client *http.Client
}

func (w *world) process(t *testing.T, pepper string) *process {
	t.Helper()
	l := slog.New(slog.NewJSONHandler(w.log, nil))
	ring := envelopetest.New(t, &envelopetest.Options{Fake: w.kms, Store: w.keys, Keyring: &envelope.KeyringOptions{Audit: envelope.NewLogAuditor(l)}})
	s, err := newService(w.db, ring.Tenant("customers"), ring.Tenant(pepper), l)
	require.NoError(t, err)
	web := httptest.NewServer(s.handler())
	t.Cleanup(web.Close)
	return &process{s, ring, web.URL, web.Client()}
}

// answer is what a client got.
type answer struct {
	status int
	header http.Header
	body   string
}

// send sends a body as it is, if it is a string, and else as JSON.
func (p *process) send(ctx context.Context, route string, body any) (a answer, err error) {
	text, ok := body.(string)
	if !ok {
		sent, err := json.Marshal(body)
		if err != nil {
			return a, err
		}
		text = string(sent)
	}
	method, path, _ := strings.Cut(route, " ")
	r, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(text))
	if err != nil {
		return a, err
	}
	got, err := p.client.Do(r)
	if err != nil {
		return a, err
	}
	defer got.Body.Close()
	all, err := io.ReadAll(got.Body)
	return answer{got.StatusCode, got.Header, string(all)}, err
}

// do sends a request whose answer must have the status want, and returns its body.
func (p *process) do(t *testing.T, want int, route string, body any) string {
	t.Helper()
	a, err := p.send(t.Context(), route, body)
	require.NoError(t, err)
	require.Equal(t, want, a.status, "%s: %s", route, a.body)
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	return a.body
}

// insist sends a request until the answer is no 503: a key that could not be loaded is not asked for again for 2 seconds, and passwords wait for each other on a slow machine.
func (p *process) insist(t *testing.T, route string, body any) (a answer) {
	for a.status = http.StatusServiceUnavailable; a.status == http.StatusServiceUnavailable; {
		var err error
		if a, err = p.send(t.Context(), route, body); err != nil {
			t.Error(err)
			return a
		}
	}
	return a
}

// values is a JSON object.
type values map[string]string

const password = "a password for tests"

func ada() values {
	return values{"name": "Ada Lovelace", "email": "Ada@example.com", "phone": "+44 20 7946 0958", "password": password}
}

func bob() values {
	return values{"name": "Bob Kahn", "email": "bob@example.com", "phone": "+46 8 123 456", "password": password + " too"}
}

func cyd() values {
	return values{"name": "Cyd Charisse", "email": "cyd@example.com", "phone": "", "password": password}
}

// as returns what shows of v with an id.
func (v values) as(id string) person {
	return person{ID: id, Name: v["name"], Email: v["email"], Phone: v["phone"]}
}

// signedUp signs persons up and returns their ids.
func (p *process) signedUp(t *testing.T, all ...values) (ids []string) {
	t.Helper()
	for _, v := range all {
		require.Empty(t, p.do(t, 202, "POST /customers", v))
		ids = append(ids, p.found(t, v["email"]).ID)
	}
	return ids
}

func (p *process) found(t *testing.T, email string) (c person) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(p.do(t, 200, "POST /customers/find", values{"email": email})), &c))
	return c
}

func (p *process) list(t *testing.T, query string) []person {
	t.Helper()
	var page struct{ Customers []person }
	require.NoError(t, json.Unmarshal([]byte(p.do(t, 200, "GET /customers"+query, nil)), &page))
	return page.Customers
}

func (p *process) signIn(t *testing.T, want int, email, password string) {
	t.Helper()
	p.do(t, want, "POST /sign-in", values{"email": email, "password": password})
}

// exec runs a statement that must change one row.
func (w *world) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	done, err := w.db.ExecContext(t.Context(), statement, args...)
	require.NoError(t, err)
	n, err := done.RowsAffected()
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}

// count returns the number that a statement selects.
func (w *world) count(t *testing.T, statement string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, w.db.QueryRowContext(t.Context(), statement, args...).Scan(&n))
	return n
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
