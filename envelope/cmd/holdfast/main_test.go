package main

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const plaintext = "canary: postgres://app:hunter2@db/app"

// desk is a folder with what a service has.
type desk struct {
	t     *testing.T
	dir   string
	flags map[string]string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	dir := t.TempDir()
	return &desk{t, dir, map[string]string{
		"key":        uri("local", filepath.Join(dir, "key.json")),
		"store":      filepath.Join(dir, "keys.db"),
		"deployment": "acme-prod",
		"tenant":     "config",
		"place":      "primary/db",
	}}
}

// in returns the same desk for a subtest.
func (d *desk) in(t *testing.T) *desk { return &desk{t, d.dir, d.flags} }

func uri(scheme, path string) string {
	return scheme + "://" + strings.TrimSuffix("/"+strings.TrimPrefix(filepath.ToSlash(path), "/"), "/")
}

// args returns the arguments of a command with the desk's flags, those in change in the place of their own.
func (d *desk) args(command string, change map[string]string, more ...string) []string {
	args := []string{command}
	for name, value := range d.flags {
		if other, ok := change[name]; ok {
			value = other
		}
		args = append(args, "-"+name, value)
	}
	return append(args, more...)
}

// run runs the program, requires its status, and that nobody saw the secret who should not.
func (d *desk) run(status int, stdin string, args ...string) (stdout, stderr string) {
	d.t.Helper()
	var out, errs bytes.Buffer
	got := run(d.t.Context(), args, strings.NewReader(stdin), &out, &errs)
	require.Equal(d.t, status, got, "%s%s", out.String(), errs.String())
	require.NotContains(d.t, errs.String(), "hunter2")
	if status != done {
		require.Empty(d.t, out.String())
		require.NotEmpty(d.t, errs.String())
	}
	return out.String(), errs.String()
}

// seal has the desk's first secret sealed.
func (d *desk) seal() (sealed string) {
	d.t.Helper()
	sealed, _ = d.run(done, plaintext+"\n", d.args("seal", nil, "-init")...)
	return sealed
}

// requireNoSecret requires that no file on the desk holds the plaintext.
func (d *desk) requireNoSecret() {
	d.t.Helper()
	files := 0
	require.NoError(d.t, filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		require.NotContains(d.t, string(b), "hunter2", path)
		return err
	}))
	require.NotZero(d.t, files)
}

func (d *desk) files() (names []string) {
	d.t.Helper()
	list, err := os.ReadDir(d.dir)
	require.NoError(d.t, err)
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestArguments(t *testing.T) {
	d := newDesk(t)
	for name, args := range map[string][]string{
		"none":             {},
		"no such command":  {"hunter2"},
		"flags missing":    {"seal", "-key", "local:///k"},
		"secret as one":    d.args("seal", nil, "hunter2"),
		"no such flag":     d.args("seal", nil, "-secret=hunter2"),
		"open with -init":  d.args("open", nil, "-init"),
		"inspect with key": {"inspect", "-key", "local:///k"},
		"inspect a file":   {"inspect", "hunter2"},
		"flag at the end":  {"seal", "-key"},
	} {
		t.Run(name, func(t *testing.T) { d.in(t).run(wrong, plaintext, args...) })
	}
	_, said := d.run(wrong, "", "seal", "-store", "x", "-tenant", "y")
	require.Contains(t, said, "-key, -deployment, -place")
	for _, args := range [][]string{{"-h"}, {"--help"}, {"help"}, {"seal", "-h"}, {"inspect", "--help"}} {
		page, _ := d.run(done, "", args...)
		for _, want := range []string{"seal", "open", "inspect", "-key", "-store", "-deployment", "-tenant", "-place", "-init", "-passphrase-file", "Exit status"} {
			require.Contains(t, page, want)
		}
		for line := range strings.Lines(page) {
			require.LessOrEqual(t, len(line), 81, line)
		}
	}
	require.Empty(t, d.files())
}

// TestTerminal has a device for standard input, as a terminal is one.
func TestTerminal(t *testing.T) {
	d := newDesk(t)
	device, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer device.Close()
	var stderr bytes.Buffer
	require.Equal(t, failed, run(t.Context(), d.args("seal", nil, "-init"), device, io.Discard, &stderr))
	require.Contains(t, stderr.String(), "terminal")
	require.Empty(t, d.files())
}

// TestBinary drives the program as it is built, once.
func TestBinary(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	d := newDesk(t)
	program := filepath.Join(t.TempDir(), "holdfast.exe")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	start := func(stdin string, args ...string) (string, int) {
		c := exec.CommandContext(t.Context(), program, args...)
		c.Stdin = strings.NewReader(stdin)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		out, err := c.Output()
		if err != nil {
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
		}
		require.NotContains(t, stderr.String(), "hunter2")
		return string(out), c.ProcessState.ExitCode()
	}
	sealed, status := start(plaintext+"\n", d.args("seal", nil, "-init")...)
	require.Equal(t, done, status)
	require.NotContains(t, sealed, "hunter2")
	opened, status := start(sealed, d.args("open", nil)...)
	require.Equal(t, done, status)
	require.Equal(t, plaintext, opened)
	_, status = start("hunter2", d.args("open", nil)...)
	require.Equal(t, failed, status)
	_, status = start("hunter2", "seal", "hunter2")
	require.Equal(t, wrong, status)
	d.requireNoSecret()
}
