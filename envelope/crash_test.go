//go:build unix

package envelope

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

// What TestCrashChild is to do: rewrap a file and die at a step.
var (
	crashFile = flag.String("crash.file", "", "the message that the child of TestRewrapFileCrash rewraps")
	crashKey  = flag.String("crash.key", "", "its key file")
	crashStep = flag.String("crash.step", "", "the step at which the child is killed")
	crashFrom = flag.Int("crash.from", 0, "the step has written its bytes from this one")
	crashTo   = flag.Int("crash.to", 0, "to before this one")
)

// TestRewrapFileCrash kills a process ahead of each step of RewrapFile and in the middle of its writes, and
// then again while the next one recovers. In the end the file is rewrapped, always.
func TestRewrapFileCrash(t *testing.T) {
	crashes := []crash{
		{"write copy", 0, 1},
		{"write copy", 0, 2048},
		{"write copy", 2048, 4096},
		{"write copy", 0, 4096},
		{"write header", 0, 100},
		{"write header", 0, 4064},
		{"write header", 80, 4096},
		{"write header", 0, 4096},
	}
	for _, step := range steps {
		crashes = append(crashes, crash{step: step})
	}
	for _, first := range crashes {
		t.Run(first.String(), func(t *testing.T) {
			t.Parallel()
			m := newMessageFile(t)
			m.crash(t, first)
			m.requireSafe(t)
			if first.step != "write header" && testing.Short() {
				require.NoError(t, m.s.RewrapFile(t.Context(), m.path, m.ec))
				m.requireRewrapped(t)
				return
			}
			file, err := os.ReadFile(m.path)
			require.NoError(t, err)
			saved, copyErr := os.ReadFile(copyPath(m.path))
			for _, second := range []crash{{"write header", 0, 0}, {"write header", 0, 100}, {"write header", 80, 4096}, {"sync header", 0, 0}} {
				require.NoError(t, os.WriteFile(m.path, file, 0o600))
				if copyErr == nil {
					m.writeCopy(t, saved)
				}
				m.crash(t, second)
				m.requireSafe(t)
				require.NoError(t, m.s.RewrapFile(t.Context(), m.path, m.ec), second)
				m.requireRewrapped(t)
				if testing.Short() {
					break
				}
			}
		})
	}
}

// crash is a step and the part of its bytes that it has written.
type crash struct {
	step     string
	from, to int
}

func (c crash) String() string { return fmt.Sprintf("%s/%d-%d", c.step, c.from, c.to) }

// crash runs RewrapFile in a child that is killed there.
func (m *messageFile) crash(t *testing.T, c crash) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), self, "-test.run=^TestCrashChild$",
		"-crash.file="+m.path, "-crash.key="+m.keyPath, "-crash.step="+c.step,
		fmt.Sprintf("-crash.from=%d", c.from), fmt.Sprintf("-crash.to=%d", c.to)).CombinedOutput()
	var exit *exec.ExitError
	require.True(t, errors.As(err, &exit), "%s: the child was not killed: %v: %s", c, err, out)
	status, ok := exit.Sys().(syscall.WaitStatus)
	require.True(t, ok && status.Signaled() && status.Signal() == syscall.SIGKILL, "%s: %v: %s", c, err, out)
}

// requireSafe holds a file after a crash to the promise: it opens, or its own header is in the copy.
func (m *messageFile) requireSafe(t *testing.T) {
	t.Helper()
	if m.opens(t) {
		return
	}
	saved, err := os.ReadFile(copyPath(m.path))
	require.NoError(t, err)
	requireOpens(t, m.s, append(saved, m.before[len(saved):]...), filePlaintext, m.ec)
}

// TestCrashChild is the child of TestRewrapFileCrash.
func TestCrashChild(t *testing.T) {
	if *crashFile == "" {
		t.Skip("runs as the child of TestRewrapFileCrash only")
	}
	f, err := local.Open(*crashKey, nil)
	require.NoError(t, err)
	s, err := NewSealer(f.Key(), nil)
	require.NoError(t, err)
	ec := kms.Context{"object": "backup"}
	d := disk{before: func(step string) error {
		if step != *crashStep {
			return nil
		}
		if *crashTo > 0 {
			require.NoError(t, writePart(s, step, ec))
		}
		require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
		select {} // the signal may take a moment
	}}
	require.NoError(t, s.rewrapFile(context.Background(), d, *crashFile, ec))
	t.Fatal("the step was not reached")
}

// writePart writes a part of what the step would.
func writePart(s *Sealer, step string, ec kms.Context) error {
	path := *crashFile
	source := path
	if step == "write copy" {
		path = freshCopyPath(path)
	} else if _, err := os.Stat(copyPath(path)); err == nil {
		source = copyPath(path)
	}
	b, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	b = b[:4096]
	if step == "write header" {
		// Another new header: with what is in the file it makes none that opens.
		if b, err = s.RewrapHeader(context.Background(), b, ec); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(b[*crashFrom:*crashTo], int64(*crashFrom)); err != nil {
		return err
	}
	return f.Close()
}
