package tlsvet_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// program is a module of one file, with what its go.mod and main.go hold.
func program(t *testing.T, mod, source string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/program\n"+mod), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600))
	return dir
}

// command returns the path of the command, built for this test.
func command(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a command")
	}
	tool := filepath.Join(t.TempDir(), "tlsvet")
	if runtime.GOOS == "windows" {
		tool += ".exe"
	}
	run(t, ".", "go", true, "build", "-o", tool, "./cmd/tlsvet")
	return tool
}

// run runs a command in a directory, and returns what it prints.
func run(t *testing.T, dir, name string, succeeds bool, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "GOWORK=off", "GOPROXY=off", "GOFLAGS=")
	out, err := c.CombinedOutput()
	require.Equal(t, succeeds, err == nil, "%v: %s", err, out)
	return string(out)
}

const modernGo = "\ngo 1.26\n"

const twelve = `package main

import "crypto/tls"

func main() { _ = &tls.Config{MinVersion: tls.VersionTLS12} }
`

// TestCommand: the command works alone and under go vet, with each of its flags.
func TestCommand(t *testing.T) {
	tool := command(t)
	policy := filepath.Join(t.TempDir(), "policy.json")
	require.NoError(t, os.WriteFile(policy, []byte(`{"name": "acme", "base": "mozilla-modern-6.0"}`), 0o600))
	for name, call := range map[string]func(dir string, succeeds bool, flags ...string) string{
		"alone": func(dir string, succeeds bool, flags ...string) string {
			return run(t, dir, tool, succeeds, append(flags, "./...")...)
		},
		"go vet": func(dir string, succeeds bool, flags ...string) string {
			return run(t, dir, "go", succeeds, append(append([]string{"vet", "-vettool=" + tool}, flags...), "./...")...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := program(t, modernGo, twelve)
			require.Empty(t, call(dir, true))
			require.Contains(t, call(dir, false, "-policy=mozilla-modern-6.0"), "main.go:5:31: trap14: ")
			require.Contains(t, call(dir, false, "-policy="+policy), "main.go:5:31: trap14: ")
			require.Contains(t, call(dir, false, "-info"), "trap21: ")

			out := call(dir, false, "-policy="+policy+"x")
			require.Contains(t, out, "no such profile")
			require.NotContains(t, out, "EOF")
			require.NoError(t, os.WriteFile(policy+"y", nil, 0o600))
			require.Contains(t, call(dir, false, "-policy="+policy+"y"), "policy file")

			require.NoError(t, os.WriteFile(filepath.Join(dir, "main_test.go"), []byte("package main\n\nimport \"crypto/tls\"\n\nvar _ = &tls.Config{InsecureSkipVerify: true}\n"), 0o600))
			require.Empty(t, call(dir, true))
			require.Contains(t, call(dir, false, "-testfiles"), "main_test.go:5:21: trap1: ")

			require.Contains(t, call(program(t, "\ngo 1.26\n\ngodebug (\n\ttls10server=1\n)\n", twelve), false), "trap14: go.mod weakens TLS with GODEBUG tls10server=1")
			require.Contains(t, call(program(t, "\ngo 1.26\n\ngodebug default=go1.21\n", twelve), false), "trap15: ")
			require.Contains(t, call(program(t, "\ngo 1.20\n", twelve), false), "trap15: ")
		})
	}
}

const weak = `package main

import (
	"crypto/tls"
	"net/http"
	"time"
)

func main() {
	c := &tls.Config{MinVersion: tls.VersionTLS11, InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: c}}
	client.Timeout = time.Second
	_ = (&http.Server{TLSConfig: c}).ListenAndServeTLS("cert.pem", "key.pem")
}
`

const mended = `package main

import (
	"crypto/tls"
	"net/http"
	"time"
)

func main() {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: false, CurvePreferences: nil}
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: c}}
	client.Timeout = time.Second
	_ = (&http.Server{ReadHeaderTimeout: 10 * time.Second, TLSConfig: c}).ListenAndServeTLS("cert.pem", "key.pem")
}
`

// TestFix: the fixes are applied alone and under go vet, and what they leave compiles and has no mistakes.
func TestFix(t *testing.T) {
	tool := command(t)
	for name, fix := range map[string]func(dir string){
		"alone":  func(dir string) { run(t, dir, tool, true, "-fix", "./...") },
		"go vet": func(dir string) { run(t, dir, "go", true, "vet", "-vettool="+tool, "-fix", "./...") },
		"go fix": func(dir string) { run(t, dir, "go", true, "fix", "-fixtool="+tool, "./...") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := program(t, modernGo, weak)
			fix(dir)
			got, err := os.ReadFile(filepath.Join(dir, "main.go"))
			require.NoError(t, err)
			require.Equal(t, mended, string(got))
			run(t, dir, "go", true, "build", "-o", os.DevNull, ".")
			require.Empty(t, run(t, dir, "go", true, "vet", "-vettool="+tool, "./..."))
		})
	}
}
