package tlsvet_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsvet"
)

// TestFixes: what can be mended by a change of text is, and the rest of the file stays.
func TestFixes(t *testing.T) {
	analysistest.RunWithSuggestedFixes(t, analysistest.TestData(), together(nil), "fixes")
}

// TestIgnores: a comment silences the traps it names, with a reason, and is a finding without one.
func TestIgnores(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), together(nil), "ignores")
}

// TestPolicy: the policy decides what a mistake is, and notes come only where they are wanted.
func TestPolicy(t *testing.T) {
	lines := func(o tlsvet.Options) []string { return slices.Sorted(maps.Keys(found(t, "strict", &o))) }
	require.Empty(t, lines(tlsvet.Options{}))
	require.Equal(t, []string{"strict.go:6:14", "strict.go:7:16"}, lines(tlsvet.Options{Policy: tlsconfig.PostQuantumRequired()}))
	require.Equal(t, []string{"strict.go:6:21", "strict.go:7:17"}, lines(tlsvet.Options{Info: true}))
}

// TestProgram: //go:debug lines of a program are judged.
func TestProgram(t *testing.T) {
	require.Equal(t, []string{"main.go:1:14", "main.go:2:52", "main.go:3:15"}, slices.Sorted(maps.Keys(found(t, "program", nil))))
}

// TestAnalyzers: they are as a driver wants them.
func TestAnalyzers(t *testing.T) {
	require.NoError(t, analysis.Validate(tlsvet.Analyzers(nil)))
}

// TestSetPolicy: a profile, a file, and nothing else.
func TestSetPolicy(t *testing.T) {
	var o tlsvet.Options
	require.NoError(t, o.SetPolicy("mozilla-modern-6.0"))
	require.Equal(t, "mozilla-modern-6.0", o.Policy.Name())
	file := filepath.Join(t.TempDir(), "policy.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"name": "acme", "base": "mozilla-modern-6.0"}`), 0o600))
	require.NoError(t, o.SetPolicy(file))
	require.Equal(t, "acme", o.Policy.Name())
	require.NoError(t, os.WriteFile(file, []byte(`{"name": "acme"}`), 0o600))
	require.ErrorIs(t, o.SetPolicy(file), tlsconfig.ErrInvalid)
	require.ErrorIs(t, o.SetPolicy(file+"x"), os.ErrNotExist)
	require.Equal(t, "acme", o.Policy.Name())
}
