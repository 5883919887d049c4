package tlsvet_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/holdfast-go/holdfast/tlsconfig/tlsvet"
)

// TestFamilies: run at a time over one package, each analyzer finds the traps of its own, and all of them.
func TestFamilies(t *testing.T) {
	if testing.Short() {
		t.Skip("loads the package for each analyzer")
	}
	want := map[string][]string{
		"tlsverify":    {"trap1", "trap2", "trap3", "trap46", "trap47", "trap48"},
		"tlsclients":   {"trap10", "trap11", "trap12", "trap6", "trap8", "trap9"},
		"tlsversions":  {"trap14", "trap16", "trap18", "trap19", "trap20", "trap22"},
		"tlstickets":   {"trap26", "trap27", "trap29", "trap4", "trap41"},
		"tlssecrets":   {"trap23", "trap24", "trap25"},
		"tlshttp":      {"trap30", "trap31", "trap32", "trap33", "trap34", "trap36"},
		"tlsplaintext": {"trap53", "trap54"},
	}
	for _, a := range tlsvet.Analyzers(nil) {
		t.Run(a.Name, func(t *testing.T) {
			t.Parallel()
			found := map[string]bool{}
			for _, r := range analysistest.Run(quiet{}, analysistest.TestData(), a, "seeded") {
				require.NoError(t, r.Err)
				for _, d := range r.Action.Diagnostics {
					found[d.Category] = true
				}
			}
			require.Equal(t, want[a.Name], slices.Sorted(maps.Keys(found)))
		})
	}
}

// TestClientCAs: trap 8 is found where nothing in the package sets ClientCAs in the config or a clone of it.
func TestClientCAs(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), together(nil), "clientcas")
}

// TestWanted: what is to be reported is, with the fix that is to be suggested, and what only looks like it is not. Each package is for one analyzer, and the others are silent there.
func TestWanted(t *testing.T) {
	var packages []string
	for _, a := range tlsvet.Analyzers(nil) {
		packages = append(packages, strings.TrimPrefix(a.Name, "tls"))
	}
	analysistest.RunWithSuggestedFixes(t, analysistest.TestData(), together(nil), packages...)
}
