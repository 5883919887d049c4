package boltstore

import (
	"bufio"
	"flag"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/envelope/storetest"
)

// TestChild is what the other tests run as a second process.
func TestChild(t *testing.T) {
	if flag.NArg() != 1 {
		t.Skip("only as a child of the other tests")
	}
	s := reopen(t, flag.Arg(0))
	require.NoError(t, storetest.Scribble(t.Context(), s, os.Stdout))
}

// crashes returns a hook that kills a process which writes, each time some lines later.
func crashes(t *testing.T) func() (int, envelope.Store) {
	path := newPath(t)
	lines := 0
	return func() (last int, after envelope.Store) {
		lines = lines*3 + 1
		cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.timeout=60s", "--", path)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { cmd.Process.Kill() })
		scanner := bufio.NewScanner(out)
		for n := 1; scanner.Scan(); n++ {
			last, err = strconv.Atoi(scanner.Text())
			require.NoError(t, err)
			if n == lines {
				require.NoError(t, cmd.Process.Kill()) // and read on what it wrote until then
			}
		}
		require.Error(t, cmd.Wait(), "it was killed")
		return last, reopen(t, path)
	}
}
