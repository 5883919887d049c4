//go:build unix

package mqttseal_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startMosquitto starts the broker that Debian has, where it is installed. It keeps and tells all it knows.
func startMosquitto(t *testing.T) *broker {
	t.Helper()
	binary, err := exec.LookPath("mosquitto")
	if err != nil {
		if binary = "/usr/sbin/mosquitto"; !exists(binary) { // not everybody's PATH has it
			t.Skip("missing component: mosquitto")
		}
	}
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().(*net.TCPAddr)
	require.NoError(t, l.Close()) // Mosquitto can't be given a listener
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location %s/\nautosave_interval 1\nautosave_on_changes true\nlog_type all\nlog_dest stderr\nconnection_messages true\n", addr.Port, dir)
	if os.Geteuid() == 0 {
		text += "user root\n" // rather than one who may not write here
	}
	config := filepath.Join(dir, "mosquitto.conf")
	require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
	b := &broker{addr: addr.String(), logs: &lines{}}
	command := exec.Command(binary, "-c", config)
	command.Stdout, command.Stderr = b.logs, b.logs
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		require.NoError(t, command.Process.Signal(syscall.SIGTERM))
		require.NoError(t, command.Wait())
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", b.addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, patience, 10*time.Millisecond, "%s", b.logs.Bytes())
	b.files = func(t *testing.T) []byte {
		file := filepath.Join(dir, "mosquitto.db")
		require.NoError(t, command.Process.Signal(syscall.SIGUSR1))
		var all []byte
		require.Eventually(t, func() bool {
			all, _ = os.ReadFile(file) // it may not be there yet
			return bytes.Contains(all, []byte(last))
		}, patience, 10*time.Millisecond)
		return all
	}
	return b
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
