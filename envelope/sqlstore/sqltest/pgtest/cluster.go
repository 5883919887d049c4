package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// cluster is a PostgreSQL data directory and the process that serves it.
type cluster struct {
	bin  string // folder of the programs
	dir  string
	port int
	sync bool
	*process
}

func newCluster(sync bool) (*cluster, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	c := &cluster{bin: bin, dir: dir, port: port, sync: sync}
	out, err := as(filepath.Join(bin, "initdb"), "-D", c.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("pgtest: initdb: %w\n%s", err, out), c.remove())
	}
	return c, nil
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *cluster) log() string { return filepath.Join(c.dir, "log") }

// start runs the server and returns before it answers.
func (c *cluster) start() (err error) {
	c.process, err = run(c.log(), "QUIT", filepath.Join(c.bin, "postgres"), "-D", c.data(), "-p", strconv.Itoa(c.port), "-k", "",
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync="+strconv.FormatBool(c.sync), "-c", "max_connections=200")
	return err
}

func (c *cluster) remove() error {
	return errors.Join(c.stop(), os.RemoveAll(c.dir))
}

// tail returns the end of a log.
func tail(log string) []byte {
	b, err := os.ReadFile(log)
	if err != nil {
		return nil
	}
	return bytes.TrimSpace(b[max(0, len(b)-4096):])
}

// folder makes a temporary folder of the user that runs servers.
func folder() (string, error) {
	made, err := as("mktemp", "-d", "-p", os.TempDir()).Output()
	if err != nil {
		return "", fmt.Errorf("pgtest: making a folder: %w", err)
	}
	return strings.TrimSpace(string(made)), nil
}

// programs returns the folder of initdb and postgres: the newest of Debian's, or that in PATH.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		return "", ErrMissing
	}
	return filepath.Dir(initdb), nil
}

// freePort returns a port that nothing listens on, below those that the kernel gives to outgoing connections: one of these could be taken
// while the server is stopped, even by a client that tries to reach it.
func freePort() (int, error) {
	var last error
	for range 100 {
		port := 16384 + rand.IntN(16384)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, l.Close()
		}
		last = err
	}
	return 0, last
}
