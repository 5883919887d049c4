package examples_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const vectorsFormat = "holdfast vectors v1"

// TestReaderNodeVectors opens the vectors of every package with the second reader.
func TestReaderNodeVectors(t *testing.T) {
	files := vectorFiles(t)
	require.NotEmpty(t, files)
	out, err := runNode(t, append([]string{"open.mjs", "vectors"}, files...)...)
	require.NoError(t, err, out)
	t.Log(out)
}

// TestReaderNodeNotices proves that a run of the second reader can fail.
func TestReaderNodeNotices(t *testing.T) {
	const key = `"key":"0101010101010101010101010101010101010101010101010101010101010101"`
	const good = `{"name":"x","kind":"commitment","expect":"ok",` + key +
		`,"out":"a2410c233b5e9a79c7a257a6e82dd3ff83426edf0f3a7178c07f39277322727b"}`
	tests := []struct {
		name    string
		vectors string
		ok      bool
	}{
		{name: "right answer", vectors: good, ok: true},
		{name: "right class", vectors: `{"name":"x","kind":"stream","expect":"truncated",` + key + `,"in":"00"}`, ok: true},
		{name: "no vector", vectors: ``},
		{name: "wrong answer", vectors: good + `,{"name":"y","kind":"commitment","expect":"ok",` + key + `,"out":"00"}`},
		{name: "no answer", vectors: `{"name":"x","kind":"commitment","expect":"ok",` + key + `}`},
		{name: "wrong class", vectors: `{"name":"x","kind":"stream","expect":"open",` + key + `,"in":"00"}`},
		{name: "opens but should not", vectors: `{"name":"x","kind":"commitment","expect":"open",` + key + `}`},
		{name: "unknown kind", vectors: `{"name":"x","kind":"riddle","expect":"format"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "vectors.json")
			page := `{"format":"` + vectorsFormat + `","vectors":[` + tt.vectors + `]}`
			require.NoError(t, os.WriteFile(path, []byte(page), 0o600))
			out, err := runNode(t, "open.mjs", "vectors", path)
			if tt.ok {
				require.NoError(t, err, out)
				return
			}
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, out)
		})
	}
}

// TestReaderNodeSelftest checks the second reader against published answers.
func TestReaderNodeSelftest(t *testing.T) {
	out, err := runNode(t, "selftest.mjs")
	require.NoError(t, err, out)
}

// TestReaderNodeFLOE checks the second reader against all public vectors of FLOE.
func TestReaderNodeFLOE(t *testing.T) {
	vectors := os.Getenv("HOLDFAST_VECTORS")
	if vectors == "" {
		t.Skip("HOLDFAST_VECTORS not set")
	}
	out, err := runNode(t, "selftest.mjs", filepath.Join(vectors, "floe"))
	require.NoError(t, err, out)
}

// runNode runs a script of reader-node and returns what it printed.
func runNode(t *testing.T, args ...string) (string, error) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("missing component: node (Node.js 18.3 or later)")
	}
	cmd := exec.CommandContext(t.Context(), node, args...)
	cmd.Dir = "reader-node"
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// vectorFiles returns the absolute paths of all vectors in our format that packages of the root module hold.
func vectorFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"../aead", "../internal/*", "../envelope", "../kms", "../kms/*"} {
		dirs, err := filepath.Glob(filepath.Join(pattern, "testdata"))
		require.NoError(t, err)
		for _, dir := range dirs {
			require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
				if err != nil || filepath.Ext(path) != ".json" {
					return err
				}
				if isVectors(t, path) {
					path, err = filepath.Abs(path)
					files = append(files, path)
				}
				return err
			}))
		}
	}
	return files
}

func isVectors(t *testing.T, path string) bool {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var page struct {
		Format string `json:"format"`
	}
	return json.Unmarshal(data, &page) == nil && page.Format == vectorsFormat
}
