package local

import (
	"crypto/fips140"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/holdfast-go/holdfast/kms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestChild is what the other tests run as a second process.
func TestChild(t *testing.T) {
	if flag.NArg() != 2 {
		t.Skip("only as a child of the other tests")
	}
	task, path := flag.Arg(0), flag.Arg(1)
	if task == "fips" {
		require.True(t, fips140.Enforced())
		_, err := Open(path, passphrase(rightPassphrase))
		require.ErrorIs(t, err, kms.ErrUnsupported)
		f, err := Create(path+".pbkdf2", passphrase(rightPassphrase))
		require.NoError(t, err)
		defer f.Close()
		wrap(t, f, "secret").opens(t, f)
		return
	}
	f, err := Open(path, nil)
	require.NoError(t, err)
	defer f.Close()
	fmt.Println("ready")
	switch task {
	case "rotate":
		for range 20 {
			require.NoError(t, f.Rotate(t.Context()))
		}
	case "rotate until killed":
		for {
			require.NoError(t, f.Rotate(t.Context()))
		}
	case "destroy":
		require.NoError(t, f.Destroy(t.Context()))
	default:
		t.Fatal("no such task")
	}
}

// child starts a second process and returns once it has opened the file.
func child(t *testing.T, task, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.timeout=60s", "--", task, path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill() })
	ready := make([]byte, len("ready"))
	_, err = io.ReadFull(out, ready)
	require.NoError(t, err)
	require.Equal(t, "ready", string(ready))
	return cmd
}

func TestTwoProcessesRotate(t *testing.T) {
	f := newTestFile(t)
	other := reopen(t, f)
	var stored []wrapped
	cmd := child(t, "rotate", f.d.path)
	for i := range 20 {
		require.NoError(t, f.Rotate(t.Context()))
		stored = append(stored, wrap(t, f, fmt.Sprint("one ", i)))
		require.NoError(t, other.Rotate(t.Context()))
		stored = append(stored, wrap(t, other, fmt.Sprint("two ", i)))
		require.NoError(t, reopen(t, f).Close(), "a reader never meets a half-written file")
	}
	require.NoError(t, cmd.Wait())
	info, err := f.Key().Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, "61", info.Version, "every rotation survives")
	for _, w := range stored {
		w.opens(t, f)
		w.opens(t, other) // which learns of what it did not know
	}
}

func TestKilledWhileRotating(t *testing.T) {
	f := newTestFile(t)
	stored := []wrapped{wrap(t, f, "first")}
	for i := range 10 {
		cmd := child(t, "rotate until killed", f.d.path)
		time.Sleep(time.Duration(3*i) * time.Millisecond)
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
		again := reopen(t, f)
		require.NoError(t, again.Rotate(t.Context()), "the lock is free and leftovers do no harm")
		stored = append(stored, wrap(t, again, fmt.Sprint("kill ", i)))
		for _, w := range stored {
			w.opens(t, again)
			w.opens(t, f)
		}
		requireTidy(t, f)
	}
}

func TestKilledWhileDestroying(t *testing.T) {
	gone := 0
	for i := range 12 {
		f := newTestFile(t)
		w := wrap(t, f, "secret")
		cmd := child(t, "destroy", f.d.path)
		time.Sleep(time.Duration(i) * 200 * time.Microsecond)
		require.NoError(t, cmd.Process.Kill())
		cmd.Wait()
		again := reopen(t, f) // the key or the tombstone, never anything else
		info, err := again.Key().Describe(t.Context())
		require.NoError(t, err)
		if info.State == kms.Destroyed {
			gone++
			w.fails(t, again, kms.ErrDestroyed)
		} else {
			w.opens(t, again)
			require.NoError(t, again.Destroy(t.Context()))
		}
	}
	t.Log("destroyed before the kill:", gone, "of 12")
}

// requireTidy requires that nothing but the key file and its lock is there.
func requireTidy(t *testing.T, f *File) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(filepath.Dir(f.d.path), "*"))
	require.NoError(t, err)
	hidden, err := filepath.Glob(filepath.Join(filepath.Dir(f.d.path), ".*"))
	require.NoError(t, err)
	require.ElementsMatch(t, []string{f.d.path, f.d.path + ".lock"}, append(names, hidden...))
}

func TestLeftoverIsErased(t *testing.T) {
	f := newTestFile(t)
	dir, name := filepath.Split(f.d.path)
	leftover := filepath.Join(dir, "."+name+".holdfast-new")
	require.NoError(t, os.WriteFile(leftover, []byte("half of a key"), 0o600))
	held, err := os.Open(leftover)
	require.NoError(t, err)
	defer held.Close()
	w := wrap(t, f, "secret")
	w.opens(t, reopen(t, f))
	require.NoError(t, f.Rotate(t.Context()))
	requireTidy(t, f)
	b, err := io.ReadAll(held)
	require.NoError(t, err)
	require.Equal(t, make([]byte, len("half of a key")), b)
}

func TestFIPSOnly(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "--", "fips", place(t, "argon2id.json"))
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
