package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const asProgram = "TLS_HTTP_TEST_RUN_MAIN" // set: the test binary is the program

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out, dir))
	text := out.String()
	for _, line := range []string{
		`The audit finds no violation of example-2026\. Healthy says:`,
		` +tlsconfig: .* "localhost" ends at .*: less than a sixth of its lifetime is left`,
		` +1 group CurveP256`,
		` +1 would_refuse for group`,
		`Healthy: the certificate ends in (59|60) minutes\.`,
	} {
		require.Regexp(t, `(?m)^`+line+`$`, text)
	}
	number := func(pattern string) int {
		t.Helper()
		found := regexp.MustCompile(pattern).FindStringSubmatch(text)
		require.NotNil(t, found, "%s in %s", pattern, text)
		n, err := strconv.Atoi(found[1])
		require.NoError(t, err)
		return n
	}
	requests, handshakes, full, resumed := number(`(\d+) requests meanwhile, none failed`), number(`(\d+) TLS 1\.3\n`), number(`(\d+) resumed: false`), number(`(\d+) resumed: true`)
	require.Equal(t, handshakes, full+resumed)
	require.GreaterOrEqual(t, handshakes, requests/2) // one for every other request
	require.GreaterOrEqual(t, full, 3)                // of the old client, and of the other before and after
	require.Positive(t, resumed)
	require.NotContains(t, text, "TLS 1.2")
	require.NotContains(t, text, "refused for")
	require.Empty(t, left(t, dir))
}

func TestRunEnds(t *testing.T) {
	tests := []struct {
		name, text string // at which it is interrupted
	}{
		{name: "before it starts"},
		{name: "while it moves to another CA", text: "Healthy says"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.text == "" {
				cancel()
			}
			out := writer(func(p []byte) {
				require.Contains(t, string(p), tt.text)
				cancel()
			})
			require.ErrorIs(t, run(ctx, out, dir), context.Canceled)
			require.Empty(t, left(t, dir))
		})
	}
}

func TestBadFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, dir := range map[string]string{"missing": file + "-not", "a file": file} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := run(t.Context(), &out, dir)
			var path *fs.PathError
			require.ErrorAs(t, err, &path)
			require.Empty(t, out.String())
		})
	}
}

// TestProgram proves that the program ends with a status and a message, without a start, where the folder is bad or the
// audit finds a violation.
func TestProgram(t *testing.T) {
	tests := []struct {
		name, dir, godebug, says string
	}{
		{name: "bad folder", dir: "missing", says: "missing"},
		{name: "violation", godebug: ",tls10server=1", says: "tls10server"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			command := exec.CommandContext(t.Context(), os.Args[0], "-dir", filepath.Join(dir, tt.dir))
			command.Env = append(os.Environ(), asProgram+"=1", "GODEBUG="+os.Getenv("GODEBUG")+tt.godebug)
			var out, errs bytes.Buffer
			command.Stdout, command.Stderr = &out, &errs
			var status *exec.ExitError
			require.ErrorAs(t, command.Run(), &status)
			require.Equal(t, 1, status.ExitCode())
			require.Empty(t, out.String())
			require.Regexp(t, "^tls-http: .*"+tt.says, errs.String())
			require.Empty(t, left(t, dir))
		})
	}
}

// writer is an io.Writer.
type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

func left(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	return list
}
