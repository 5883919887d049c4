package tlsvet_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/analysis/analysistest"
)

// TestTangled: where every variable may come from every other, each is looked at once, and not once for each way to it.
func TestTangled(t *testing.T) {
	const n = 200
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("v%d", i))
	}
	var source strings.Builder
	fmt.Fprintf(&source, "package tangled\n\nimport \"strings\"\n\nfunc f(%s string) bool {\n", strings.Join(names, ", "))
	for _, name := range names {
		fmt.Fprintf(&source, "\t%s = %s\n", name, strings.Join(names, " + "))
	}
	source.WriteString("\treturn strings.HasPrefix(v0, \"x\")\n}\n")
	dir, clean, err := analysistest.WriteFiles(map[string]string{"tangled/tangled.go": source.String()})
	require.NoError(t, err)
	defer clean()
	analysistest.Run(t, dir, together(nil), "tangled")
}
