//go:build unix

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mosquitto is the broker that Debian has.
type mosquitto struct {
	command *exec.Cmd
	addr    string
	file    string
	log     *lines
}

// startMosquitto returns what starts it, with the files of the pki, where it is installed.
func startMosquitto(t *testing.T) starter {
	t.Helper()
	binary, err := exec.LookPath("mosquitto")
	if err != nil {
		binary = "/usr/sbin/mosquitto" // not everybody's PATH has it
		if _, err := os.Stat(binary); err != nil {
			t.Skip("missing component: mosquitto")
		}
	}
	return func(ctx context.Context, p *pki, _ *watch) (broker, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		port := l.Addr().(*net.TCPAddr).Port
		require.NoError(t, l.Close()) // Mosquitto can't be given a listener
		rights := filepath.Join(p.dir, "acl")
		require.NoError(t, write(rights, []byte("user device-7\ntopic write devices/7/#\nuser gateway\ntopic write acme/#\nuser consumer\ntopic read #\n")))
		text := fmt.Sprintf(`listener %d 127.0.0.1
cafile %s
certfile %[3]s
keyfile %[3]s
tls_version tlsv1.3
require_certificate true
use_identity_as_username true
allow_anonymous false
acl_file %s
persistence true
persistence_location %s/
autosave_interval 1
autosave_on_changes true
log_type all
log_dest stderr
`, port, p.roots(), p.file(host), rights, p.dir)
		if os.Geteuid() == 0 {
			text += "user root\n" // rather than one who may not read here
		}
		config := filepath.Join(p.dir, "mosquitto.conf")
		require.NoError(t, write(config, []byte(text)))
		m := &mosquitto{exec.Command(binary, "-c", config), net.JoinHostPort(host, fmt.Sprint(port)), filepath.Join(p.dir, "mosquitto.db"), &lines{}}
		m.command.Stdout, m.command.Stderr = m.log, m.log
		if err := m.command.Start(); err != nil {
			return nil, err
		}
		if err := m.says(ctx, "running"); err != nil {
			m.close()
			return nil, fmt.Errorf("%w: %s", err, m.logs())
		}
		return m, nil
	}
}

func (m *mosquitto) address() string { return m.addr }
func (m *mosquitto) logs() []byte    { return m.log.bytes() }

func (m *mosquitto) reload() error {
	if err := m.command.Process.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	return m.says(context.Background(), "Reloading config")
}

func (m *mosquitto) files(ctx context.Context, text string) (all []byte, err error) {
	if err := m.command.Process.Signal(syscall.SIGUSR1); err != nil {
		return nil, err
	}
	err = await(ctx, func() bool {
		all, _ = os.ReadFile(m.file) // it may not be there yet
		return strings.Contains(string(all), text)
	})
	return all, err
}

func (m *mosquitto) close() error {
	if err := m.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return m.command.Wait()
}

// says waits for a line of the log.
func (m *mosquitto) says(ctx context.Context, text string) error {
	return await(ctx, func() bool { return strings.Contains(string(m.logs()), text) })
}

// await looks every few milliseconds until it sees, for as long as a run may take.
func await(ctx context.Context, sees func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !sees() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}
