package judges_test

import (
	"bytes"
	"context"
	"crypto/fips140"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// judges are all but testssl and Chromium, which take long.
var judges = []struct {
	name  string
	judge func(*testing.T, *server)
}{
	{"prober", judgeByProber},
	{"sslscan", judgeBySslscan},
	{"nmap", judgeByNmap},
	{"openssl", judgeByOpenSSL},
}

func TestProfiles(t *testing.T) {
	for _, p := range profiles {
		t.Run(p.policy.Name(), func(t *testing.T) {
			if p.fips && !fips140.Enabled() {
				inFIPSMode(t)
				return
			}
			for _, key := range p.keys {
				s := serve(t, p, key)
				for _, j := range judges {
					t.Run(s.name()+"/"+j.name, func(t *testing.T) { j.judge(t, s) })
				}
			}
		})
	}
}

// inFIPSMode runs the test that is running once more, in a process where FIPS 140-3 mode is on.
func inFIPSMode(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), self, "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$", "-test.v")
	command.Env = append(os.Environ(), "GODEBUG=fips140=on")
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: "+t.Name()+"/", "nothing was run")
	if i := bytes.Index(out, []byte("missing component: ")); i >= 0 {
		missing, _, _ := bytes.Cut(out[i:], []byte("\n"))
		t.Skip(string(missing))
	}
}

// find returns where a program is, and skips the test where it is missing.
func find(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skip("missing component: " + program)
	}
	return path
}

// patience is how long a judge may take. It is a bound for one that hangs, far above what any needs.
const patience = 10 * time.Minute

// run runs a program and returns what it writes to both its outputs, and whether it fails.
func run(t *testing.T, stdin, program string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, program, args...)
	command.WaitDelay = time.Second // for children that outlive it
	command.Stdin = strings.NewReader(stdin)
	command.Env = append(os.Environ(), "OPENSSL_CONF="+os.DevNull) // that of the system may rule out what a judge must offer
	out, err := command.CombinedOutput()
	require.NoError(t, ctx.Err(), "%s", out)
	return string(out), err
}
