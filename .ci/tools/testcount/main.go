// Command testcount turns the output of `go test -json` into a report for people and keeps the tally of a CI run.
//
//	go test -json ./... | testcount TALLY RUN    reports one run and appends its results to the file TALLY
//	testcount TALLY                              prints the summary of all runs
//
// It exits with status 1 when a test failed, when a test was skipped that must not be, or when nothing ran.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "testcount:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch len(args) {
	case 1:
		results, err := readTally(args[0])
		if err != nil {
			return err
		}
		return summarize(os.Stdout, results)
	case 2:
		r := &reporter{out: os.Stdout, run: args[1], vectors: os.Getenv("HOLDFAST_VECTORS") != ""}
		err := r.read(os.Stdin)
		if tallyErr := appendTally(args[0], r.results); tallyErr != nil {
			return tallyErr
		}
		return err
	default:
		return fmt.Errorf("usage: testcount TALLY [RUN]")
	}
}
