// Command quickstart shows what Holdfast does, or seals and opens a file of yours.
//
//	go run ./examples/quickstart      a walk through the library, in a temporary folder
//	go run ./examples/quickstart -h   how to seal and open a file
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/holdfast-go/holdfast/kms"
)

const help = `Holdfast quickstart

  quickstart                                          a walk through the library
  quickstart -in FILE -out FILE -key KEYFILE          seals a file
  quickstart -in FILE -out FILE -key KEYFILE -open    opens it again

  -in FILE            what to seal or open
  -out FILE           where to write it; must not exist yet, unless with -force
  -key KEYFILE        the key file, of mode 0600
  -new-key            make KEYFILE first; it must not exist yet; not with -open
  -context k=v,k=v    what the file belongs to; the same again to open it;
                      authenticated and stored in the clear; no commas in k and v
  -open               open instead of seal
  -force              replace OUT

The output is written beside OUT, with mode 0600, and gets that name at the end:
a failure leaves no OUT. A killed run can leave a file .OUT.partial-*: remove it.
Back KEYFILE up, apart from the data. Without it nothing opens.

Exit status: 0 done, 1 failed, 2 wrong arguments.
`

// walkSize is how many bytes the walk seals as a stream.
const walkSize = 64 << 20

func main() {
	// With SIGPIPE among them, "quickstart | head" is cleaned up too.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run is the program; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	j, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, help)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "quickstart: %v\nRun it with -h for help.\n", err)
		return 2
	case j == nil:
		err = walkThrough(ctx, stdout, walkSize)
	default:
		err = j.run(ctx, stdout, stderr)
	}
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted, and cleaned up")
	}
	if err != nil {
		fmt.Fprintf(stderr, "quickstart: %v\n", err)
		return 1
	}
	return 0
}

// parse returns the job that args ask for, nil when there are none.
func parse(args []string) (*job, error) {
	j := &job{context: kms.Context{}}
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run prints the error
	flags.StringVar(&j.in, "in", "", "")
	flags.StringVar(&j.out, "out", "", "")
	flags.StringVar(&j.key, "key", "", "")
	flags.BoolVar(&j.newKey, "new-key", false, "")
	flags.BoolVar(&j.open, "open", false, "")
	flags.BoolVar(&j.force, "force", false, "")
	flags.Func("context", "", j.addContext)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case flags.NArg() > 0:
		return nil, fmt.Errorf("%q is not a flag", flags.Arg(0))
	case flags.NFlag() == 0:
		return nil, nil
	case j.in == "" || j.out == "" || j.key == "":
		return nil, errors.New("-in, -out and -key are needed together")
	case j.open && j.newKey:
		return nil, errors.New("-new-key with -open: a new key opens nothing")
	}
	return j, nil
}

// addContext adds pairs such as "table=customers,row=7".
func (j *job) addContext(pairs string) error {
	for pair := range strings.SplitSeq(pairs, ",") {
		key, value, found := strings.Cut(pair, "=")
		if _, twice := j.context[key]; !found || key == "" || twice {
			return errors.New("give each key once, as k=v,k=v")
		}
		j.context[key] = value
	}
	return nil
}
