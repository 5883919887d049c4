package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	pass     = `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n"
	fail     = `{"Action":"output","Package":"p","Test":"TestB","Output":"wanted 1\n"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestB"}` + "\n"
	passed   = `{"Action":"pass","Package":"p"}` + "\n"
	failed   = `{"Action":"fail","Package":"p"}` + "\n"
	panicked = `{"Action":"output","Package":"p","Test":"TestC","Output":"panic: lost\n"}` + "\n"
)

func skip(reason string) string {
	return `{"Action":"output","Package":"p","Test":"TestS","Output":"    s_test.go:7: ` + reason + `\n"}` + "\n" +
		`{"Action":"output","Package":"p","Test":"TestS","Output":"--- SKIP: TestS (0.00s)\n"}` + "\n" +
		`{"Action":"skip","Package":"p","Test":"TestS"}` + "\n"
}

func TestReporter(t *testing.T) {
	tests := []struct {
		name    string
		in      string
		vectors bool
		err     error
		totals  totals
		shows   string
	}{
		{name: "pass", in: pass + passed, totals: totals{pass: 1}, shows: "1 passed, 0 failed"},
		{name: "failure shows its output", in: pass + fail + failed, err: errFailed, totals: totals{pass: 1, fail: 1}, shows: "wanted 1"},
		{name: "package fails by itself", in: pass + panicked + failed, err: errFailed, totals: totals{pass: 1, fail: 1}, shows: "panic: lost"},
		{name: "does not build", in: `{"Action":"build-output","Output":"undefined: x\n"}` + "\n" + failed, err: errFailed, totals: totals{fail: 1}, shows: "undefined: x"},
		{name: "harmless skip", in: pass + skip("slow, and -short is set") + passed, vectors: true, totals: totals{pass: 1, skip: 1}},
		{name: "no vectors to be had", in: skip("HOLDFAST_VECTORS not set") + passed, totals: totals{skip: 1}},
		{name: "vectors are there", in: skip("HOLDFAST_VECTORS not set") + passed, vectors: true, err: errFailed, totals: totals{fail: 1}, shows: "HOLDFAST_VECTORS"},
		{name: "missing component", in: skip("missing component: node") + passed, err: errFailed, totals: totals{fail: 1}, shows: "missing component: node"},
		{name: "no event", in: "go: no packages\n", err: errNothing, shows: "go: no packages"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			r := &reporter{out: &out, run: "plain", vectors: tt.vectors}
			require.ErrorIs(t, r.read(strings.NewReader(tt.in)), tt.err)
			require.Equal(t, tt.totals, count(r.results))
			require.Contains(t, out.String(), tt.shows)
		})
	}
}

func TestSummary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tally")
	for _, run := range []string{"plain", "race"} {
		r := &reporter{out: io.Discard, run: run}
		require.NoError(t, r.read(strings.NewReader(pass+skip("no network")+passed)))
		require.NoError(t, appendTally(path, r.results))
	}
	results, err := readTally(path)
	require.NoError(t, err)

	var out strings.Builder
	require.NoError(t, summarize(&out, results))
	require.Contains(t, out.String(), "p TestS: no network (plain; race)\n")
	require.True(t, strings.HasSuffix(out.String(), "\n2 passed, 0 failed, 2 skipped\n"))

	require.ErrorIs(t, summarize(io.Discard, nil), errNothing)
	require.ErrorIs(t, summarize(io.Discard, []result{{Outcome: "pass"}, {Outcome: "fail"}}), errFailed)
}
