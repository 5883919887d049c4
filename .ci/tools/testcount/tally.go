package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// A result is how one test ended in one run. The tally file holds one a line, as JSON.
type result struct {
	Run     string
	Package string
	Test    string
	Outcome string // pass, fail or skip
	Reason  string // of a skip
}

type totals struct{ pass, fail, skip int }

func (t totals) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", t.pass, t.fail, t.skip)
}

func count(results []result) totals {
	var t totals
	for _, res := range results {
		switch res.Outcome {
		case "pass":
			t.pass++
		case "fail":
			t.fail++
		case "skip":
			t.skip++
		}
	}
	return t
}

func appendTally(path string, results []result) (err error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	for _, res := range results {
		if err := json.NewEncoder(w).Encode(res); err != nil {
			return err
		}
	}
	return w.Flush()
}

func readTally(path string) ([]result, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var results []result
	for d := json.NewDecoder(f); ; {
		var res result
		err := d.Decode(&res)
		if errors.Is(err, io.EOF) {
			return results, nil
		}
		if err != nil {
			return nil, err
		}
		results = append(results, res)
	}
}

// summarize prints the totals of each run, every skipped test once with its reason and runs, and the grand total as its
// last line. A test that ran in several runs counts in each.
func summarize(w io.Writer, results []result) error {
	var runs, skips []string
	byRun, bySkip := map[string][]result{}, map[string][]string{}
	for _, res := range results {
		if byRun[res.Run] == nil {
			runs = append(runs, res.Run)
		}
		byRun[res.Run] = append(byRun[res.Run], res)
		if res.Outcome == "skip" {
			name := fmt.Sprintf("%s %s: %s", res.Package, res.Test, res.Reason)
			if bySkip[name] == nil {
				skips = append(skips, name)
			}
			if !slices.Contains(bySkip[name], res.Run) {
				bySkip[name] = append(bySkip[name], res.Run)
			}
		}
	}
	for _, run := range runs {
		fmt.Fprintf(w, "%-32s %s\n", run, count(byRun[run]))
	}
	if len(skips) > 0 {
		fmt.Fprintln(w, "\nskipped:")
	}
	for _, name := range slices.Sorted(slices.Values(skips)) {
		fmt.Fprintf(w, "  %s (%s)\n", name, strings.Join(bySkip[name], "; "))
	}
	t := count(results)
	fmt.Fprintf(w, "\ntests %d, skips %d\n%s\n", t.pass+t.fail, t.skip, t)
	switch {
	case t.fail > 0:
		return errFailed
	case t.pass == 0:
		return errNothing
	default:
		return nil
	}
}
