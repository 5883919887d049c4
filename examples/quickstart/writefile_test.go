package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWriteFileFails(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name  string
		write func(path string) error
		err   error
		want  []string
	}{
		{name: "midway", write: func(string) error { return broken }, err: broken},
		{name: "a file turns up meanwhile", write: func(path string) error { return os.WriteFile(path, []byte("theirs"), 0o600) }, err: fs.ErrExist, want: []string{"out"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "out")
			_, err := writeFile(path, false, func(w io.Writer) error {
				_, err := io.WriteString(w, "ours")
				return errors.Join(err, tt.write(path))
			})
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, tt.want, names(t, dir))
			if len(tt.want) > 0 {
				require.Equal(t, "theirs", string(readFile(t, path)))
			}
		})
	}
}

// TestKilled stops the program while it writes.
func TestKilled(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals and no cheap large files")
	}
	tests := []struct {
		name   string
		signal os.Signal
		clean  bool // nothing is left of the output
	}{
		{name: "Ctrl-C", signal: os.Interrupt, clean: true},
		{name: "kill -9", signal: os.Kill},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			in := filepath.Join(dir, "in")
			require.NoError(t, os.WriteFile(in, nil, 0o600))
			require.NoError(t, os.Truncate(in, 8<<30)) // a hole, which takes seconds to seal
			var stderr strings.Builder
			program := exec.Command(os.Args[0], "-in", in, "-out", filepath.Join(dir, "out"), "-key", filepath.Join(dir, "key"), "-new-key")
			program.Env = append(os.Environ(), asProgram+"=1")
			program.Stderr = &stderr
			require.NoError(t, program.Start())
			require.Eventually(t, func() bool { return partialSize(t, dir) > 0 }, 5*time.Second, time.Millisecond)
			require.NoError(t, program.Process.Signal(tt.signal))
			var exit *exec.ExitError
			require.ErrorAs(t, program.Wait(), &exit)

			require.NotContains(t, names(t, dir), "out")
			if tt.clean {
				require.Equal(t, 1, exit.ExitCode())
				require.ElementsMatch(t, []string{"in", "key", "key.lock"}, names(t, dir))
				require.Equal(t, "quickstart: interrupted, and cleaned up\n", stderr.String())
			}
		})
	}
}

// partialSize returns the size of the unfinished output in dir, 0 when there is none.
func partialSize(t *testing.T, dir string) int64 {
	found, err := filepath.Glob(filepath.Join(dir, ".out.partial-*"))
	require.NoError(t, err)
	for _, path := range found {
		if info, err := os.Stat(path); err == nil {
			return info.Size()
		}
	}
	return 0
}
