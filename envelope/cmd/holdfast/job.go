package main

import (
	"errors"
	"flag"
	"io"
	"slices"
	"strings"
)

// job is what the arguments ask for.
type job struct {
	command        string // "seal", "open" or "inspect"
	key            string // a URI
	store          string // a path
	deployment     string
	tenant         string
	place          string
	passphraseFile string
	init           bool
}

// parse returns the job that args ask for. Its errors repeat no argument that may be a secret.
func parse(args []string) (*job, error) {
	if len(args) == 0 {
		return nil, errors.New("say what to do: seal, open or inspect")
	}
	j := &job{command: args[0]}
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, j.command) {
		return nil, flag.ErrHelp
	}
	if !slices.Contains([]string{"seal", "open", "inspect"}, j.command) {
		return nil, errors.New("the first argument is seal, open or inspect")
	}
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run prints the error
	required := map[string]*string{"key": &j.key, "store": &j.store, "deployment": &j.deployment, "tenant": &j.tenant, "place": &j.place}
	names := []string{"key", "store", "deployment", "tenant", "place"}
	if j.command == "inspect" {
		names = nil
	} else {
		flags.StringVar(&j.passphraseFile, "passphrase-file", "", "")
	}
	for _, name := range names {
		flags.StringVar(required[name], name, "", "")
	}
	if j.command == "seal" {
		flags.BoolVar(&j.init, "init", false, "")
	}
	switch err := flags.Parse(args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		return nil, err
	case err != nil: // it repeats the argument
		return nil, errors.New("there is a flag that " + j.command + " does not have, or one without its value: see holdfast -h")
	}
	if flags.NArg() > 0 {
		return nil, errors.New(j.command + " reads standard input, and takes no argument but flags")
	}
	missing := slices.DeleteFunc(names, func(name string) bool { return *required[name] != "" })
	if len(missing) > 0 {
		return nil, errors.New("these flags are missing: -" + strings.Join(missing, ", -"))
	}
	return j, nil
}
