// Command tlsprobe judges TLS servers on a network by a policy, and signs the policy files that servers and clients take by tlsconfig.SignedPolicy.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// command does what the words after the name of the program say, and returns what the process ends with.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "sign" {
		return sign(args[1:], stdout, stderr)
	}
	return probe(ctx, args, stdout, stderr)
}
