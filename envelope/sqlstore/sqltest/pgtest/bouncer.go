package pgtest

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// ErrNoBouncer says that pgbouncer is not installed.
var ErrNoBouncer = errors.New("missing component: pgbouncer (Debian package pgbouncer)")

// Bouncer starts a pgbouncer in front of the database with the URL dsn, and returns the URL that leads through it. It pools transactions, on four connections, and gives
// a client another one whenever it can. It ends with the test, which is skipped where pgbouncer is missing.
func (s *Server) Bouncer(t testing.TB, dsn string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer"
		if _, err := os.Stat(program); err != nil {
			t.Skip(ErrNoBouncer)
		}
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := folder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ini, log := filepath.Join(dir, "pgbouncer.ini"), filepath.Join(dir, "log")
	login := "user=" + u.User.Username()
	if password, given := u.User.Password(); given {
		login += " password='" + password + "'"
	}
	settings := fmt.Sprintf(`[databases]
* = host=%s port=%s %s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
server_round_robin = 1
server_login_retry = 1
query_wait_timeout = 5
`, u.Hostname(), u.Port(), login, port)
	if err := os.WriteFile(ini, []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := run(log, "TERM", program, ini)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	u.Host = fmt.Sprintf("127.0.0.1:%d", port)
	if err := answers(*u, p); err != nil {
		t.Fatalf("pgtest: pgbouncer does not start: %v\n%s", err, tail(log))
	}
	return u.String()
}
