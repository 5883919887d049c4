package examples_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const vectorsFormat = "holdfast vectors v1"

// beyondNode returns the kinds of vectors that the second reader passes over: Node.js 18, which it still runs on, has no ML-KEM, and
// Argon2 came with 24.7.
func beyondNode(t *testing.T) []string {
	t.Helper()
	out, err := runNode(t, "--print", "typeof require('node:crypto').argon2Sync")
	require.NoError(t, err, out)
	if strings.TrimSpace(out) == "function" {
		return []string{"hpke"}
	}
	return []string{"hpke", "argon2id"}
}

// TestReaderNodeVectors opens the vectors of every package with the second reader.
func TestReaderNodeVectors(t *testing.T) {
	files := vectorFiles(t)
	require.NotEmpty(t, files)
	kinds := map[any]int{}
	all := 0
	for _, file := range files {
		for _, v := range loadVectors(t, file) {
			kinds[v["kind"]]++
			all++
		}
	}
	args := []string{"open.mjs", "vectors"}
	said := ""
	for _, kind := range beyondNode(t) {
		args = append(args, "--skip", kind)
		said += fmt.Sprintf(", %d of kind %s skipped", kinds[kind], kind)
		all -= kinds[kind]
	}
	out, err := runNode(t, append(args, files...)...)
	require.NoError(t, err, out)
	require.Contains(t, out, fmt.Sprintf("%d passed, 0 failed%s\n", all, said))
	for _, kind := range []any{"column", "token", "sealed text", "password", "pbkdf2-sha256", "argon2id", "payload", "key message", "window", nil} { // nil: values and their normal forms
		require.Positive(t, kinds[kind], kind)
	}
	t.Log(out)
}

// TestReaderNodeRecipients opens a message with two local recipients on the command line.
func TestReaderNodeRecipients(t *testing.T) {
	const name = "message to 2 recipients, way "
	list := loadVectors(t, "../envelope/testdata/lists.json")
	ways := slices.DeleteFunc(list, func(v map[string]any) bool {
		return !strings.HasPrefix(v["name"].(string), name) || v["localKey"] == nil
	})
	require.Len(t, ways, 2)
	ids := []string{ways[0]["keyID"].(string), ways[1]["keyID"].(string)}
	in, out := filepath.Join(t.TempDir(), "in"), filepath.Join(t.TempDir(), "out")
	message, err := hex.DecodeString(ways[0]["in"].(string))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(in, message, 0o600))
	shown, err := runNode(t, "open.mjs", "inspect", in)
	require.NoError(t, err, shown)
	for i, v := range ways {
		require.Contains(t, shown, ids[i])
		for _, tc := range []struct {
			name string
			keys []string
			ok   bool
		}{
			{"its id", []string{"--key-id", ids[i]}, true},
			{"id of the other", []string{"--key-id", ids[1-i]}, false},
			{"id of none", []string{"--key-id", "x"}, false},
			{"no id", nil, false},
		} {
			t.Run(name+tc.name, func(t *testing.T) {
				require.NoError(t, os.RemoveAll(out))
				args := append([]string{"open.mjs", "message", "--local-key", v["localKey"].(string), "--context", `{"a":"b"}`}, tc.keys...)
				said, err := runNode(t, append(args, in, out)...)
				if !tc.ok {
					require.Error(t, err)
					require.Contains(t, said, "authentication failed")
					require.NoFileExists(t, out)
					return
				}
				require.NoError(t, err, said)
				got, err := os.ReadFile(out)
				require.NoError(t, err)
				require.Equal(t, v["out"], hex.EncodeToString(got))
			})
		}
	}
}

// TestReaderNodeManaged opens records and streams of a keyring on the command line, by the rows of its store.
func TestReaderNodeManaged(t *testing.T) {
	names := []string{"stored record of a tenant", "stored stream of a tenant", "stored record of a subject", "stored stream of a subject"}
	for _, v := range loadVectors(t, "../envelope/testdata/keyring.json") {
		if !slices.Contains(names, v["name"].(string)) {
			continue
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name == v["name"] })
		t.Run(v["name"].(string), func(t *testing.T) {
			dir := t.TempDir()
			in, out, rows := filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "rows.json")
			sealed, err := hex.DecodeString(v["in"].(string))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(in, sealed, 0o600))
			text, err := json.Marshal(v["rows"])
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(rows, text, 0o600))
			args := []string{
				"open.mjs", "managed", "--local-key", v["localKey"].(string), "--rows", rows, "--deployment", "prod-eu", "--tenant", "acme",
				"--part", "users", "--part", "email",
			}
			if subject, ok := v["subject"].(string); ok {
				args = append(args, "--subject", subject)
			}
			said, err := runNode(t, append(args, in, out)...)
			require.Error(t, err)
			require.Contains(t, said, "authentication failed")
			require.NoFileExists(t, out)
			said, err = runNode(t, append(args, "--part", "7", in, out)...)
			require.NoError(t, err, said)
			got, err := os.ReadFile(out)
			require.NoError(t, err)
			require.Equal(t, v["out"], hex.EncodeToString(got))
		})
	}
	require.Empty(t, names)
}

// TestReaderNodeNotices proves that a run of the second reader can fail.
func TestReaderNodeNotices(t *testing.T) {
	const key = `"key":"0101010101010101010101010101010101010101010101010101010101010101"`
	const good = `{"name":"x","kind":"commitment","expect":"ok",` + key +
		`,"out":"a2410c233b5e9a79c7a257a6e82dd3ff83426edf0f3a7178c07f39277322727b"}`
	tests := []struct {
		name    string
		vectors string
		args    []string
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
		{name: "kind skipped", vectors: good + `,{"name":"x","kind":"riddle","expect":"format"}`, args: []string{"--skip", "riddle"}, ok: true},
		{name: "other kind skipped", vectors: good + `,{"name":"x","kind":"riddle","expect":"format"}`, args: []string{"--skip", "hpke"}},
		{
			name: "two kinds skipped", vectors: good + `,{"name":"x","kind":"riddle","expect":"format"},{"name":"y","kind":"hpke","expect":"ok"}`,
			args: []string{"--skip", "riddle", "--skip", "hpke"}, ok: true,
		},
		{name: "right form", vectors: `{"name":"x","normalizer":"email/v1","value":"A","form":"a"}`, ok: true},
		{name: "wrong form", vectors: good + `,{"name":"x","normalizer":"email/v1","value":"A","form":"b"}`},
		{name: "unknown normalizer", vectors: good + `,{"name":"x","normalizer":"email/v2","value":"a","form":"a"}`},
		{name: "all skipped", vectors: `{"name":"x","kind":"riddle","expect":"format"}`, args: []string{"--skip", "riddle"}},
		{name: "known kind skipped", vectors: good, args: []string{"--skip", "stream"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "vectors.json")
			page := `{"format":"` + vectorsFormat + `","vectors":[` + tt.vectors + `]}`
			require.NoError(t, os.WriteFile(path, []byte(page), 0o600))
			out, err := runNode(t, append([]string{"open.mjs", "vectors", path}, tt.args...)...)
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
	for _, pattern := range []string{"../aead", "../internal/*", "../envelope", "../envelope/*", "../kms", "../kms/*"} {
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

func loadVectors(t *testing.T, path string) []map[string]any {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var page struct {
		Vectors []map[string]any `json:"vectors"`
	}
	require.NoError(t, json.Unmarshal(data, &page))
	require.NotEmpty(t, page.Vectors)
	return page.Vectors
}
