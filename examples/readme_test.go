package examples_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	errNoBlock  = errors.New("there is no Go block")
	errFragment = errors.New("a Go block must be a complete file that starts with its package clause")
	errCompile  = errors.New("a Go block does not compile")

	codeBlock  = regexp.MustCompile("(?ms)^```(go|sh)\n(.*?)^```$")
	runCommand = regexp.MustCompile(`(?m)^\s*go run (\./examples/\S*)`)
)

// TestReadme proves what the README shows: its Go blocks are complete files that compile, and the examples that it runs
// exist.
func TestReadme(t *testing.T) {
	require.NoError(t, checkReadme(t, filepath.Join("..", "README.md")))
}

// TestReadmeCheck proves that the check above finds what it looks for.
func TestReadmeCheck(t *testing.T) {
	const good = "```go\npackage main\n\nimport \"github.com/holdfast-go/holdfast/aead\"\n\nfunc main() { _ = aead.NewKey() }\n```\n"
	tests := []struct {
		name   string
		readme string
		err    error
	}{
		{name: "complete file", readme: good},
		{name: "library file beside a command", readme: good + "```go\npackage store\n\nvar Size = 1\n```\n"},
		{name: "example exists", readme: good + "```sh\ngo test work\ngo run ./examples/quickstart\n```\n"},
		{name: "no Go block", readme: "# Holdfast\n", err: errNoBlock},
		{name: "fragment", readme: "```go\nkey := aead.NewKey()\n```\n", err: errFragment},
		{name: "unknown name", readme: strings.Replace(good, "NewKey", "OldKey", 1), err: errCompile},
		{name: "unused import", readme: strings.Replace(good, "_ = aead.NewKey()", "", 1), err: errCompile},
		{name: "second block is wrong", readme: good + strings.Replace(good, "NewKey", "OldKey", 1), err: errCompile},
		{name: "example is missing", readme: good + "```sh\ngo run ./examples/nowhere\n```\n", err: fs.ErrNotExist},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "README.md")
			require.NoError(t, os.WriteFile(path, []byte(tt.readme), 0o600))
			require.ErrorIs(t, checkReadme(t, path), tt.err)
		})
	}
}

// checkReadme compiles every Go block of the page as a package of its own in this module, through an overlay that lays
// the files over folders which do not exist, so nothing is written to the source tree.
func checkReadme(t *testing.T, path string) error {
	t.Helper()
	page, err := os.ReadFile(path)
	require.NoError(t, err)
	here, err := filepath.Abs(".")
	require.NoError(t, err)

	temp := t.TempDir()
	overlay := map[string]string{}
	args := []string{"build", "-o", os.DevNull, "-overlay", filepath.Join(temp, "overlay.json")}
	for i, block := range codeBlock.FindAllSubmatch(page, -1) {
		if string(block[1]) == "sh" {
			if err := checkCommands(block[2]); err != nil {
				return err
			}
			continue
		}
		if !strings.HasPrefix(string(block[2]), "package ") {
			return fmt.Errorf("%w:\n%s", errFragment, block[2])
		}
		source := filepath.Join(temp, fmt.Sprintf("block%d.go", i))
		require.NoError(t, os.WriteFile(source, block[2], 0o600))
		folder := fmt.Sprintf("readme_block%d", i)
		overlay[filepath.Join(here, folder, "block.go")] = source
		args = append(args, "./"+folder)
	}
	if len(overlay) == 0 {
		return errNoBlock
	}
	files, err := json.Marshal(map[string]any{"Replace": overlay})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(temp, "overlay.json"), files, 0o600))

	build := exec.CommandContext(t.Context(), "go", args...)
	// The workspace, and not this module alone: a block may use a package that no example uses yet.
	build.Env = append(os.Environ(), "GOWORK="+filepath.Join(filepath.Dir(here), "go.work"))
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %w\n%s", errCompile, err, out)
	}
	return nil
}

// checkCommands looks for the folder of every example that a shell block runs from the root.
func checkCommands(block []byte) error {
	for _, command := range runCommand.FindAllSubmatch(block, -1) {
		if _, err := os.Stat(filepath.Join("..", string(command[1]))); err != nil {
			return err
		}
	}
	return nil
}
