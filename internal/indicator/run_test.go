//go:build !fipsindicator

package indicator

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestIndicator runs the tests of this package, and those of the providers, in the build that reaches the indicator.
func TestIndicator(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds the standard library's cryptography once more")
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("missing component: the go command")
	}
	cmd := exec.Command(goTool, "test", "-count=1", "-tags=fipsindicator", "-ldflags=-checklinkname=0", "-run=^Test(Indicator|Approved)$",
		".", "../../kms/local", "../../kms/hpke")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=on")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, 3, strings.Count(string(out), "ok  \t"), "%s", out)
	require.NotContains(t, string(out), "no tests to run")
}
