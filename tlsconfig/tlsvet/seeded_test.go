package tlsvet_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/holdfast-go/holdfast/tlsconfig/tlsvet"
)

// quiet takes the complaints of analysistest that a report has no want comment: here seeds are counted.
type quiet struct{}

func (quiet) Errorf(string, ...any) {}

// together returns one analyzer that does what all do, so that a package is loaded once.
func together(o *tlsvet.Options) *analysis.Analyzer {
	all := tlsvet.Analyzers(o)
	return &analysis.Analyzer{
		Name: "tlsvet", Doc: "all analyzers", Requires: all[0].Requires,
		Run: func(p *analysis.Pass) (any, error) {
			for _, a := range all {
				if _, err := a.Run(p); err != nil {
					return nil, err
				}
			}
			return nil, nil
		},
	}
}

// found returns what all analyzers report of a package: "file:line:trap".
func found(t *testing.T, pkg string, o *tlsvet.Options) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, r := range analysistest.Run(quiet{}, analysistest.TestData(), together(o), pkg) {
		require.NoError(t, r.Err)
		for _, d := range r.Action.Diagnostics {
			at := r.Action.Package.Fset.Position(d.Pos)
			all[fmt.Sprintf("%s:%d:%s", filepath.Base(at.Filename), at.Line, strings.TrimPrefix(d.Category, "trap"))] = true
		}
	}
	return all
}

var seed = regexp.MustCompile(`// seed:(\d+)`)

// seeds returns the mistakes that the files of a package name.
func seeds(t *testing.T, pkg string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "src", pkg, "*.go"))
	require.NoError(t, err)
	all := map[string]bool{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		line := 0
		for text := range strings.Lines(string(data)) {
			line++
			for _, m := range seed.FindAllStringSubmatch(text, -1) {
				all[fmt.Sprintf("%s:%d:%s", filepath.Base(file), line, m[1])] = true
			}
		}
	}
	return all
}

// TestSeeded: of the mistakes that were sown, 95 in 100 are found, with the number of their trap, and nothing else is reported.
func TestSeeded(t *testing.T) {
	want, got := seeds(t, "seeded"), found(t, "seeded", nil)
	require.GreaterOrEqual(t, len(want), 60)
	hits := 0
	for _, s := range slices.Sorted(maps.Keys(want)) {
		if got[s] {
			hits++
		} else {
			t.Logf("missed: %s", s)
		}
		delete(got, s)
	}
	t.Logf("recall %d of %d", hits, len(want))
	require.GreaterOrEqual(t, hits*100, 95*len(want))
	require.Empty(t, got)
}

// TestFine: what only looks like a mistake is not reported.
func TestFine(t *testing.T) {
	require.Empty(t, found(t, "fine", nil))
}

// TestAsked: who goes without TLS because others ask for it is not told so.
func TestAsked(t *testing.T) {
	for _, pkg := range []string{"net/http", "google.golang.org/grpc", "google.golang.org/grpc/credentials/insecure"} {
		for at := range found(t, pkg, nil) {
			require.NotRegexp(t, ":54$", at, pkg)
		}
	}
}
