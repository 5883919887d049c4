package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/envelope"
	"github.com/holdfast-go/holdfast/kms"
)

const (
	asProgram = "QUICKSTART_TEST_RUN_MAIN" // set: the test binary is the program
	testSize  = 1 << 20                    // of the walk's export
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestWalk(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	require.NoError(t, walkIn(t.Context(), &out, dir, testSize))

	for _, line := range []string{
		`1\. Seal 20 customers`,
		`before +7,Grethe Vandermolen,.*`,
		`after +7,Grethe Vandermolen,.*`,
		`as a message, on disk +f6 01 00 c0 00 1c .*`,
		`record, aead.Key +116 bytes: 40 more, .*`,
		`2\. Seal a file of 1 048 576 bytes as a stream`,
		`overhead +4 714 bytes, .*`, // 4096 + 74 + 17 * 32
		`f6 01 +a portable message, version 1`,
		`10 00 +4 096 bytes of header`,
		`00 00 00 01 00 00 +the stream: AES-256-GCM, segments of 65 536 bytes`,
		`3\. What does not open`,
		`a bit flipped midway +` + regexp.QuoteMeta(envelope.ErrOpen.Error()),
		`the second half cut off +` + regexp.QuoteMeta(envelope.ErrTruncated.Error()),
		`another tenant's context +.*` + regexp.QuoteMeta(envelope.ErrOpen.Error()) + `.*`,
		`4\. Rotate the key, .*`,
		`key version in the header +1 before, 2 after`,
		`written +4 096 bytes, in .*`,
		`5\. Read 4 096 bytes at 524 288`,
		`of them for the part +65 536: .*`,
		`6\. Speed in memory, 1 048 576 bytes, .*`,
		`seal +\d+ MB/s`,
		`open +\d+ MB/s`,
	} {
		require.Regexp(t, `(?m)^ *`+line, out.String())
	}
	sums := regexp.MustCompile(`body (?:before|after), +SHA-256 +(.*)`).FindAllStringSubmatch(out.String(), -1)
	require.Len(t, sums, 2)
	require.Equal(t, sums[0][1], sums[1][1])

	sealed := readFile(t, filepath.Join(dir, "export.sealed"))
	require.Len(t, sealed, testSize+4714)
	for _, row := range strings.Split(customersCSV, "\n")[1:] {
		if _, canary, found := strings.Cut(strings.TrimSpace(row), ","); found {
			require.NotContains(t, string(sealed), canary)
		}
	}
}

// TestWalkNotices proves that the section on refusals fails when something opens.
func TestWalkNotices(t *testing.T) {
	key, sealer := newKey(t, filepath.Join(t.TempDir(), "key.json"))
	defer key.Close()
	about := kms.Context{"a": "b"}
	export := []byte("an export")
	var sealed, out bytes.Buffer
	require.NoError(t, seal(t.Context(), sealer, &sealed, bytes.NewReader(export), about))

	w := &walk{page: page{out: &out}, sealer: sealer, export: export}
	require.Error(t, w.refused(t.Context(), "whole", bytes.NewReader(sealed.Bytes()), about, envelope.ErrOpen))
	require.NoError(t, w.refused(t.Context(), "cut", bytes.NewReader(sealed.Bytes()[:sealed.Len()-1]), about, envelope.ErrTruncated))
}

func TestWalkRemovesItsFolder(t *testing.T) {
	tests := []struct {
		name string
		stop string // the text at which the walk is interrupted
		err  error
	}{
		{name: "at the end"},
		{name: "interrupted", stop: "What does not open", err: context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			temp := t.TempDir()
			t.Setenv("TMPDIR", temp)
			t.Setenv("TMP", temp) // Windows
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out := &trigger{text: tt.stop, fire: func() { require.NotEmpty(t, names(t, temp)); cancel() }}
			require.ErrorIs(t, walkThrough(ctx, out, testSize), tt.err)
			require.Empty(t, names(t, temp))
			require.Equal(t, tt.stop != "", out.fired)
		})
	}
}

func TestArguments(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		status int
	}{
		{name: "help", args: []string{"-h"}},
		{name: "unknown flag", args: []string{"-x"}, status: 2},
		{name: "no flag", args: []string{"file"}, status: 2},
		{name: "after the flags", args: []string{"-in", "a", "-out", "b", "-key", "c", "file"}, status: 2},
		{name: "no key", args: []string{"-in", "a", "-out", "b"}, status: 2},
		{name: "no in", args: []string{"-out", "b", "-key", "c"}, status: 2},
		{name: "no out", args: []string{"-in", "a", "-key", "c"}, status: 2},
		{name: "open under a new key", args: []string{"-in", "a", "-out", "b", "-key", "c", "-open", "-new-key"}, status: 2},
		{name: "context without a value", args: []string{"-in", "a", "-out", "b", "-key", "c", "-context", "k"}, status: 2},
		{name: "context without a key", args: []string{"-in", "a", "-out", "b", "-key", "c", "-context", "=v"}, status: 2},
		{name: "context twice", args: []string{"-in", "a", "-out", "b", "-key", "c", "-context", "k=1,k=2"}, status: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, stdout, stderr := runProgram(t, tt.args...)
			require.Equal(t, tt.status, status)
			if tt.status == 0 {
				require.Equal(t, help, stdout)
				require.Empty(t, stderr)
				return
			}
			require.Empty(t, stdout)
			require.NotEmpty(t, stderr)
		})
	}
}

func TestContextFlag(t *testing.T) {
	j, err := parse([]string{"-in", "a", "-out", "b", "-key", "c", "-context", "k=v=w,empty=", "-context", "x=y"})
	require.NoError(t, err)
	require.Equal(t, kms.Context{"k": "v=w", "empty": "", "x": "y"}, j.context)
}

// runProgram runs the program in this process.
func runProgram(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), args, &out, &errs)
	return status, out.String(), errs.String()
}

// trigger calls fire when text is written to it.
type trigger struct {
	text  string
	fire  func()
	fired bool
}

func (t *trigger) Write(p []byte) (int, error) {
	if t.text != "" && bytes.Contains(p, []byte(t.text)) {
		t.fired = true
		t.fire()
	}
	return len(p), nil
}

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}
