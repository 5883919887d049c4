package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

var (
	errFailed  = errors.New("a test failed")
	errNothing = errors.New("no package was tested")
)

// logLine matches the first line of what t.Log or t.Skip printed; the group is the message.
var logLine = regexp.MustCompile(`^\s+\S+\.go:\d+: (.*)`)

// event is the part that matters here of a line of `go test -json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

// A reporter reads the events of one run, prints a line for each package and the whole output of what failed.
type reporter struct {
	out     io.Writer
	run     string
	vectors bool // the public vectors are there, so no test may be skipped for want of them

	results  []result
	packages int
	failed   bool
	output   map[string]map[string][]string // package, test: its lines so far
}

func (r *reporter) read(in io.Reader) error {
	r.output = map[string]map[string][]string{}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.line(line)
		}
		switch {
		case errors.Is(err, io.EOF) && r.failed:
			return errFailed
		case errors.Is(err, io.EOF) && r.packages == 0:
			return errNothing
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func (r *reporter) line(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		fmt.Fprint(r.out, line)
		return
	}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		if r.output[e.Package] == nil {
			r.output[e.Package] = map[string][]string{}
		}
		r.output[e.Package][e.Test] = append(r.output[e.Package][e.Test], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(e)
		} else {
			r.endTest(e)
		}
	}
}

func (r *reporter) endTest(e event) {
	lines := r.output[e.Package][e.Test]
	delete(r.output[e.Package], e.Test)
	res := result{Run: r.run, Package: e.Package, Test: e.Test, Outcome: e.Action}
	if e.Action == "skip" {
		res.Reason = skipReason(lines)
		if r.forbidden(res.Reason) {
			res.Outcome = "fail"
		}
	}
	if res.Outcome == "fail" {
		r.failed = true
		fmt.Fprintf(r.out, "FAIL %s %s\n%s", e.Package, e.Test, strings.Join(lines, ""))
	}
	r.results = append(r.results, res)
}

func (r *reporter) endPackage(e event) {
	r.packages++
	if e.Action == "fail" {
		r.failed = true
		fmt.Fprintf(r.out, "FAIL %s\n", e.Package)
		for _, lines := range r.output[e.Package] { // the package's own lines, and tests that never ended
			fmt.Fprint(r.out, strings.Join(lines, ""))
		}
	}
	delete(r.output, e.Package)
	var own []result
	for _, res := range r.results {
		if res.Package == e.Package {
			own = append(own, res)
		}
	}
	if e.Action == "fail" && !slices.ContainsFunc(own, func(res result) bool { return res.Outcome == "fail" }) {
		own = append(own, result{Run: r.run, Package: e.Package, Test: "(the package itself)", Outcome: "fail"})
		r.results = append(r.results, own[len(own)-1])
	}
	if len(own) > 0 {
		fmt.Fprintf(r.out, "%-4s %s: %s, %.1f s\n", e.Action, e.Package, count(own), e.Elapsed)
	}
}

// forbidden tells whether a skip for this reason must fail the run: CI installs every component and names the vectors.
func (r *reporter) forbidden(reason string) bool {
	return strings.HasPrefix(reason, "missing component:") || r.vectors && strings.Contains(reason, "HOLDFAST_VECTORS")
}

// skipReason returns the last message that a test printed, which is what it gave to t.Skip.
func skipReason(lines []string) string {
	for _, line := range slices.Backward(lines) {
		if m := logLine.FindStringSubmatch(line); m != nil {
			return m[1]
		}
	}
	return "no reason given"
}
