// Command holdfast seals the secrets of a configuration, opens them, and says what sealed bytes are.
//
//	go run github.com/holdfast-go/holdfast/envelope/cmd/holdfast -h
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

const (
	done   = 0
	failed = 1
	wrong  = 2 // arguments
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is the program; it returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	j, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		io.WriteString(stdout, help)
		return done
	}
	if err != nil {
		fmt.Fprintf(stderr, "holdfast: %v\nRun holdfast -h for help.\n", err)
		return wrong
	}
	switch j.command {
	case "seal":
		err = j.seal(ctx, stdin, stdout, stderr)
	case "open":
		err = j.open(ctx, stdin, stdout)
	case "inspect":
		err = inspect(stdin, stdout)
	}
	if err != nil {
		fmt.Fprintf(stderr, "holdfast %s: %v\n", j.command, err)
		if s := advice(err); s != "" {
			fmt.Fprintln(stderr, s)
		}
		return failed
	}
	return done
}
