package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

const probeUsage = `usage: tlsprobe HOST:PORT... [-policy POLICY] [-roots FILE] [-name NAME] [-alpn LIST] [-timeout TIME] [-json]
       tlsprobe sign -h

Looks at TLS servers from outside and judges what they do by a policy. POLICY is the name of a profile, such as
mozilla-modern-6.0, or a file as tlsconfig.ParsePolicy reads it. Flags may come before and after the servers.

Ends with 0 if all is within the policy, with 1 for a violation, with 2 for a wrong call, and for a server that
can't be reached or did not answer all, where nothing worse was found.

  tlsprobe www.example.org:443 -policy mozilla-intermediate-6.0
  tlsprobe 10.0.0.5:8443 10.0.0.6:8443 -name api.internal -roots ca.pem -policy own.json -json

`

// How the program ends.
const (
	exitFine      = 0
	exitViolation = 1
	exitUnknown   = 2
)

// probeFlags are the flags of a probe.
type probeFlags struct {
	policy, roots, name, alpn string
	timeout                   time.Duration
	json                      bool
}

// probe is the command without another name. It returns what the process ends with.
func probe(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var f probeFlags
	set := flag.NewFlagSet("tlsprobe", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() {
		fmt.Fprint(stderr, probeUsage)
		set.PrintDefaults()
	}
	set.StringVar(&f.policy, "policy", tlsconfig.Recommended().Name(), "what to judge by")
	set.StringVar(&f.roots, "roots", "", "file with the CAs in PEM that certificates are verified by (default those of the system)")
	set.StringVar(&f.name, "name", "", "name that certificates are to be for, and that is asked for (default the host)")
	set.StringVar(&f.alpn, "alpn", "", "application protocols to ask for besides h2 and http/1.1, with commas between")
	set.DurationVar(&f.timeout, "timeout", 2*time.Minute, "for all servers together")
	set.BoolVar(&f.json, "json", false, "write the report as JSON")
	addresses, err := parse(set, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitFine
	case err != nil:
		return exitUnknown
	case len(addresses) == 0 || f.timeout <= 0:
		fmt.Fprintln(stderr, "tlsprobe: want HOST:PORT, and a -timeout above 0")
		set.Usage()
		return exitUnknown
	}
	code, err := f.probe(ctx, addresses, stdout)
	if err != nil {
		fmt.Fprintln(stderr, "tlsprobe:", strings.ReplaceAll(err.Error(), "\n", "\ntlsprobe: "))
	}
	return code
}

// parse returns what is no flag, wherever it stands: package flag ends at the first of them.
func parse(set *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := set.Parse(args); err != nil {
			return nil, err
		}
		left := set.Args()
		if end := len(args) - len(left); len(left) == 0 || end > 0 && args[end-1] == "--" {
			return append(rest, left...), nil
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}

// probe looks at the servers and writes the report.
func (f *probeFlags) probe(ctx context.Context, addresses []string, stdout io.Writer) (int, error) {
	policy, err := policyArgument("policy", f.policy)
	if err != nil {
		return exitUnknown, err
	}
	if policy == nil {
		return exitUnknown, errors.New("-policy: want a profile or a file")
	}
	var roots tlsconfig.Roots
	if f.roots != "" {
		roots = tlsconfig.RootFiles(f.roots)
	}
	var protocols []string
	if f.alpn != "" {
		protocols = strings.Split(f.alpn, ",")
	}
	endpoints := make([]tlsconfig.Endpoint, len(addresses))
	for i, address := range addresses {
		endpoints[i] = tlsconfig.Endpoint{Address: address, ServerName: f.name, Roots: roots, Protocols: protocols}
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	report, unanswered := tlsconfig.Probe(ctx, *policy, endpoints...)
	if report == nil {
		return exitUnknown, unanswered
	}
	if err := f.write(stdout, report); err != nil {
		return exitUnknown, err
	}
	switch {
	case report.Err() != nil:
		return exitViolation, unanswered
	case unanswered != nil:
		return exitUnknown, unanswered
	}
	return exitFine, nil
}

// write writes the report in the form that was asked for.
func (f *probeFlags) write(w io.Writer, report *tlsconfig.Report) error {
	if !f.json {
		_, err := io.WriteString(w, wrap(report.String()))
		return err
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(report)
}
