package main

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
	"github.com/holdfast-go/holdfast/kms/local"
)

const canary = "canary: not for other eyes"

// desk is a folder with a file, the file sealed, and its key.
type desk struct{ dir, plain, sealed, key string }

func newDesk(t *testing.T) desk {
	t.Helper()
	dir := t.TempDir()
	d := desk{
		dir:    dir,
		plain:  filepath.Join(dir, "plain.txt"),
		sealed: filepath.Join(dir, "sealed"),
		key:    filepath.Join(dir, "key.json"),
	}
	require.NoError(t, os.WriteFile(d.plain, []byte(strings.Repeat(canary+"\n", 10_000)), 0o600))
	status, stdout, stderr := runProgram(t, "-in", d.plain, "-out", d.sealed, "-key", d.key, "-new-key", "-context", "a=b,c=d")
	require.Equal(t, 0, status, stderr)
	require.NotEmpty(t, stdout)
	require.Empty(t, stderr)
	return d
}

func newKey(t *testing.T, path string) (*local.File, *envelope.Sealer) {
	t.Helper()
	key, err := local.Create(path, nil)
	require.NoError(t, err)
	sealer, err := envelope.NewSealer(key.Key(), nil)
	require.NoError(t, err)
	return key, sealer
}

func TestSealAndOpen(t *testing.T) {
	d := newDesk(t)
	sealed := readFile(t, d.sealed)
	require.NotContains(t, string(sealed), canary)
	info, err := envelope.Inspect(sealed)
	require.NoError(t, err)
	require.Equal(t, kms.Context{"a": "b", "c": "d"}, info.Context)

	out := filepath.Join(d.dir, "opened")
	status, stdout, stderr := runProgram(t, "-in", d.sealed, "-out", out, "-key", d.key, "-context", "c=d,a=b", "-open")
	require.Equal(t, 0, status, stderr)
	require.Empty(t, stderr)
	require.NotContains(t, stdout, canary)
	require.Equal(t, readFile(t, d.plain), readFile(t, out))
	if runtime.GOOS != "windows" {
		mode, err := os.Stat(out)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), mode.Mode())
	}
	require.ElementsMatch(t, []string{"plain.txt", "sealed", "key.json", "key.json.lock", "opened"}, names(t, d.dir))
}

func TestForce(t *testing.T) {
	d := newDesk(t)
	before := readFile(t, d.sealed)
	status, _, stderr := runProgram(t, "-in", d.plain, "-out", d.sealed, "-key", d.key, "-force")
	require.Equal(t, 0, status, stderr)
	require.NotEqual(t, before, readFile(t, d.sealed))
}

func TestRefusals(t *testing.T) {
	open := func(d desk, context string) []string {
		return []string{"-in", d.sealed, "-out", filepath.Join(d.dir, "out"), "-key", d.key, "-context", context, "-open"}
	}
	sealTo := func(d desk, out string) []string { return []string{"-in", d.plain, "-out", out, "-key", d.key} }
	change := func(t *testing.T, path string, f func([]byte) []byte) {
		t.Helper()
		require.NoError(t, os.WriteFile(path, f(readFile(t, path)), 0o600))
	}
	tests := []struct {
		name string
		args func(*testing.T, desk) []string
		err  error
		unix bool // only there
	}{
		{name: "key is missing", err: fs.ErrNotExist, args: func(t *testing.T, d desk) []string {
			require.NoError(t, os.Remove(d.key))
			return sealTo(d, filepath.Join(d.dir, "out"))
		}},
		{name: "key to open with is missing", err: kms.ErrNotFound, args: func(t *testing.T, d desk) []string {
			require.NoError(t, os.Remove(d.key))
			return open(d, "a=b,c=d")
		}},
		{name: "key is there already", err: fs.ErrExist, args: func(_ *testing.T, d desk) []string {
			return append(sealTo(d, filepath.Join(d.dir, "out")), "-new-key")
		}},
		{name: "key is readable by others", err: kms.ErrInvalid, unix: true, args: func(t *testing.T, d desk) []string {
			require.NoError(t, os.Chmod(d.key, 0o644))
			return open(d, "a=b,c=d")
		}},
		{name: "another key", err: kms.ErrNotFound, args: func(t *testing.T, d desk) []string {
			require.NoError(t, os.Remove(d.key))
			key, _ := newKey(t, d.key)
			require.NoError(t, key.Close())
			return open(d, "a=b,c=d")
		}},
		{name: "wrong context", err: envelope.ErrOpen, args: func(_ *testing.T, d desk) []string { return open(d, "a=b,c=x") }},
		{name: "part of the context", err: envelope.ErrOpen, args: func(_ *testing.T, d desk) []string { return open(d, "a=b") }},
		{name: "reserved context", err: kms.ErrInvalid, args: func(_ *testing.T, d desk) []string {
			return append(sealTo(d, filepath.Join(d.dir, "out")), "-context", "holdfast:purpose=x")
		}},
		{name: "truncated", err: envelope.ErrTruncated, args: func(t *testing.T, d desk) []string {
			change(t, d.sealed, func(b []byte) []byte { return b[:len(b)-1] })
			return open(d, "a=b,c=d")
		}},
		{name: "last byte changed", err: envelope.ErrOpen, args: func(t *testing.T, d desk) []string {
			change(t, d.sealed, func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
			return open(d, "a=b,c=d")
		}},
		{name: "byte added", err: envelope.ErrFormat, args: func(t *testing.T, d desk) []string {
			change(t, d.sealed, func(b []byte) []byte { return append(b, 0) })
			return open(d, "a=b,c=d")
		}},
		{name: "not sealed", err: envelope.ErrFormat, args: func(_ *testing.T, d desk) []string {
			return []string{"-in", d.plain, "-out", filepath.Join(d.dir, "out"), "-key", d.key, "-open"}
		}},
		{name: "in is missing", err: fs.ErrNotExist, args: func(_ *testing.T, d desk) []string {
			return []string{"-in", filepath.Join(d.dir, "nothing"), "-out", filepath.Join(d.dir, "out"), "-key", d.key}
		}},
		{name: "in is a folder", err: errNotRegular, args: func(_ *testing.T, d desk) []string {
			return []string{"-in", d.dir, "-out", filepath.Join(d.dir, "out"), "-key", d.key}
		}},
		{name: "out exists", err: fs.ErrExist, args: func(_ *testing.T, d desk) []string { return sealTo(d, d.sealed) }},
		{name: "out is a folder", err: errNotRegular, args: func(t *testing.T, d desk) []string {
			require.NoError(t, os.Mkdir(filepath.Join(d.dir, "folder"), 0o700))
			return append(sealTo(d, filepath.Join(d.dir, "folder")), "-force")
		}},
		{name: "out is in", err: errSameFile, args: func(_ *testing.T, d desk) []string { return append(sealTo(d, d.plain), "-force") }},
		{name: "in is the key", err: errSameFile, args: func(_ *testing.T, d desk) []string {
			return []string{"-in", d.key, "-out", filepath.Join(d.dir, "out"), "-key", d.key}
		}},
		{name: "out is the key", err: errSameFile, args: func(_ *testing.T, d desk) []string { return append(sealTo(d, d.key), "-force") }},
		{name: "out is the key by another name", err: errSameFile, args: func(t *testing.T, d desk) []string {
			require.NoError(t, os.Link(d.key, filepath.Join(d.dir, "link")))
			return append(sealTo(d, filepath.Join(d.dir, "link")), "-force")
		}},
		{name: "out will be the key", err: errSameFile, args: func(_ *testing.T, d desk) []string {
			fresh := filepath.Join(d.dir, "out")
			return []string{"-in", d.plain, "-out", fresh, "-key", filepath.Join(d.dir, ".", "out"), "-new-key", "-force"}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.unix && runtime.GOOS == "windows" {
				t.Skip("there are no such modes")
			}
			d := newDesk(t)
			args := tt.args(t, d)
			before := snapshot(t, d.dir)

			j, err := parse(args)
			require.NoError(t, err)
			require.ErrorIs(t, j.run(t.Context(), io.Discard, io.Discard), tt.err)
			status, stdout, stderr := runProgram(t, args...)
			require.Equal(t, 1, status)
			require.Empty(t, stdout)
			require.True(t, strings.HasPrefix(stderr, "quickstart: "), stderr)
			require.NotContains(t, stderr, "canary")
			require.Equal(t, before, snapshot(t, d.dir))
		})
	}
}

func TestInterruptedLeavesNothing(t *testing.T) {
	d := newDesk(t)
	before := snapshot(t, d.dir)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, mode := range []string{"-open=false", "-open"} {
		var stderr bytes.Buffer
		args := []string{"-in", d.sealed, "-out", filepath.Join(d.dir, "out"), "-key", d.key, "-context", "a=b,c=d", mode}
		require.Equal(t, 1, run(ctx, args, io.Discard, &stderr))
		require.Equal(t, before, snapshot(t, d.dir))
	}
}

// TestFailedSealDoesNotOpen proves that a source which fails leaves no message that looks finished.
func TestFailedSealDoesNotOpen(t *testing.T) {
	key, sealer := newKey(t, filepath.Join(t.TempDir(), "key.json"))
	defer key.Close()
	var sealed bytes.Buffer
	require.ErrorIs(t, seal(t.Context(), sealer, &sealed, failing{}, nil), io.ErrNoProgress)
	require.ErrorIs(t, open(t.Context(), sealer, io.Discard, &sealed, nil), envelope.ErrTruncated)
}

// failing is a source that has a WriteTo and fails midway.
type failing struct{ io.Reader }

func (failing) WriteTo(w io.Writer) (int64, error) {
	n, _ := io.WriteString(w, canary)
	return int64(n), io.ErrNoProgress
}

// snapshot returns what is in the files of dir, locks apart.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range names(t, dir) {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		require.NoError(t, err)
		switch {
		case info.IsDir():
			files[name] = "folder"
		case filepath.Ext(name) != ".lock":
			files[name] = string(readFile(t, path))
		}
	}
	return files
}
