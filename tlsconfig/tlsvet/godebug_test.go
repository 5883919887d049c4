package tlsvet

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWeakSettings: what source may not set is what tlsconfig finds in a running program, with the same trap.
func TestWeakSettings(t *testing.T) {
	source, err := os.ReadFile("../godebug.go")
	require.NoError(t, err)
	theirs := map[string]int{}
	for _, m := range regexp.MustCompile(`"(\w+)":\s+\{is\("(\d)"\), (\d+),`).FindAllStringSubmatch(string(source), -1) {
		trap, err := strconv.Atoi(m[3])
		require.NoError(t, err)
		theirs[m[1]+"="+m[2]] = trap
	}
	require.Equal(t, theirs, weakSettings)
}
