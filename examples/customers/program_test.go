package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope/sqlstore"
	"github.com/holdfast-go/holdfast/kms/kmstest"
)

var told = []string{
	`find +POST: 200 \{"id":"[-0-9a-f]{36}","name":"bob \*\*\*",.*`,
	`wrong password +POST: 401 `,
	`sign-in +POST: 204 `,
	`erase +POST: 200 \{"format":1,.*"ref":"case-2041".*`,
	`page, one erased +GET: 200 \{"customers":\[\{.*"name":"ada .*\},\{"id":"[-0-9a-f]{36}","unreadable":"erased"\},\{.*"name":"cyd .*\}\]\}`,
	`table customers, \d+ bytes: 0 canaries`,
	`table holdfast_keys, \d+ bytes: 0 canaries`,
	`the service's log, \d+ bytes: 0 canaries`,
}

// TestProgram runs the program as its page says, with no arguments.
func TestProgram(t *testing.T) {
	program, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	command := exec.CommandContext(t.Context(), program)
	command.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+dir, "TMP="+dir)
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, line := range told {
		require.Regexp(t, `(?m)^`+line+`$`, string(out))
	}
	require.NotContains(t, strings.ToLower(string(out)), canary)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestRunPostgreSQL runs it twice with the same database and key file.
func TestRunPostgreSQL(t *testing.T) {
	args := []string{postgresDSN(t), filepath.Join(t.TempDir(), "key.json")}
	for range 2 {
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), &out, io.Discard, "", args), out.String())
		for _, line := range told {
			require.Regexp(t, `(?m)^`+line+`$`, out.String())
		}
	}
}

// TestListen: the program serves until it is interrupted.
func TestListen(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	var said, logs lockedBuffer
	served := writer(func(line []byte) {
		said.Write(line)
		url := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(string(line))
		go func() { // it serves once it has said where
			defer interrupt()
			r, err := http.NewRequestWithContext(ctx, "GET", url+"/customers", nil)
			if err != nil {
				return
			}
			answer, err := (&http.Client{Transport: transport}).Do(r)
			if err != nil {
				return
			}
			defer answer.Body.Close()
			io.Copy(&said, answer.Body)
		}()
	})
	require.NoError(t, run(ctx, served, &logs, "127.0.0.1:0", nil))
	require.Contains(t, said.String(), `{"customers":[]}`)
	require.Contains(t, logs.String(), `"route":"GET /customers","status":200`)

	require.Error(t, run(t.Context(), io.Discard, io.Discard, "no address", nil))
	for _, args := range [][]string{{"file:x.db"}, {"a", "b", "c"}} {
		require.ErrorIs(t, run(t.Context(), io.Discard, io.Discard, "", args), errUsage)
	}
}

type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

// TestShutdown: a request that has come before the end is answered.
func TestShutdown(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, &world{dir: dir}, sqlstore.SQLite, sqliteDSN(dir))
	p, cold := w.process(t, "pepper"), w.process(t, "pepper")
	id := p.signedUp(t, ada())[0]
	arrived := make(chan struct{})
	var once sync.Once
	w.kms.Always(kmstest.Fault{Hang: true, Arrived: func() { once.Do(func() { close(arrived) }) }})

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, interrupt := context.WithCancel(t.Context())
	served, answered := make(chan error, 1), make(chan answer, 1)
	go func() { served <- serve(ctx, l, cold.service) }()
	go func() {
		a, err := (&process{nil, nil, "http://" + l.Addr().String(), cold.client}).send(t.Context(), "GET /customers/"+id+"/export", nil)
		if err != nil {
			a.body = err.Error()
		}
		answered <- a
	}()
	<-arrived
	interrupt()
	for { // until it takes no more
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			break
		}
		c.Close()
	}
	w.kms.Always()
	a := <-answered
	require.Equal(t, http.StatusOK, a.status, a.body)
	require.NoError(t, <-served)
}

// TestSearch: the demonstration notices plaintext.
func TestSearch(t *testing.T) {
	for _, written := range []string{canary, "x" + canary + "y", hex.EncodeToString([]byte(canary)), ""} {
		err := search(io.Discard, "a place", []byte(written))
		require.ErrorIs(t, err, errCanary, written)
	}
	require.NoError(t, search(io.Discard, "a place", []byte("nothing")))
	each(t, func(t *testing.T, w *world) {
		p := w.process(t, "pepper")
		id := p.signedUp(t, ada())[0]
		require.NoError(t, searchTable(t.Context(), io.Discard, w.db, "customers"))
		w.exec(t, "UPDATE customers SET id = $1 WHERE id = $2", id+canary, id)
		require.ErrorIs(t, searchTable(t.Context(), io.Discard, w.db, "customers"), errCanary)
		_, err := w.db.ExecContext(t.Context(), "DROP TABLE customers")
		require.NoError(t, err)
		require.Error(t, searchTable(t.Context(), io.Discard, w.db, "customers"))
	})
}
