package tlsvet

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"golang.org/x/tools/go/analysis"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// maxPolicyFile is the most of a policy file that is read, in bytes: one more than a policy may have.
const maxPolicyFile = 64<<10 + 1

// Options say what the analyzers look for. The zero value is [tlsconfig.Recommended], without notes, and without tests.
type Options struct {
	// Policy is what the configs in the source must keep.
	Policy tlsconfig.Policy
	// Info reports what is only worth knowing, too: traps 17 and 21.
	Info bool
	// Tests looks into files that end in _test.go, too. They may do on purpose what a program must not.
	Tests bool
}

// SetPolicy sets the policy to a profile by its name, or to what a file holds in the form of [tlsconfig.ParsePolicy].
func (o *Options) SetPolicy(nameOrFile string) error {
	if p, ok := tlsconfig.Named(nameOrFile); ok {
		o.Policy = p
		return nil
	}
	f, err := os.Open(nameOrFile)
	if err != nil {
		return fmt.Errorf("tlsvet: there is no such profile, and no such file: %w", err)
	}
	defer f.Close()
	data := make([]byte, maxPolicyFile)
	n := 0
	for n < len(data) {
		m, err := f.Read(data[n:])
		n += m
		if err != nil {
			break // what was read is parsed whole: half a policy is none
		}
	}
	p, err := tlsconfig.ParsePolicy(data[:n])
	if err != nil {
		return fmt.Errorf("tlsvet: %w", err)
	}
	o.Policy = p
	return nil
}

// Analyzers returns the analyzers. They read o when they run, and it must not change from then on: several run at a time. Nil means the zero value.
func Analyzers(o *Options) []*analysis.Analyzer {
	if o == nil {
		o = &Options{}
	}
	var all []*analysis.Analyzer
	for _, family := range []struct {
		name, doc string
		run       func(*pass)
	}{
		{"tlsverify", "find clients that don't verify servers, and names that are compared in wrong ways", (*pass).verify},
		{"tlsclients", "find servers that don't verify clients, or verify them against the wrong CAs", (*pass).clients},
		{"tlsversions", "find versions, cipher suites and groups that the policy does not allow, and GODEBUG settings that weaken TLS", (*pass).versions},
		{"tlstickets", "find session tickets that outlive what they stand for", (*pass).tickets},
		{"tlssecrets", "find configs that write down keys, renegotiate, or replace the random source or the clock", (*pass).secrets},
		{"tlshttp", "find HTTP servers and transports without limits of time or without HTTP/2, and handshakes that hold up others", (*pass).http},
		{"tlsplaintext", "find connections and listeners without TLS, or that fall back to none", (*pass).plaintext},
	} {
		all = append(all, &analysis.Analyzer{
			Name: family.name, Doc: family.doc, URL: "https://pkg.go.dev/github.com/holdfast-go/holdfast/tlsconfig/tlsvet",
			Requires: []*analysis.Analyzer{collector},
			Run: func(p *analysis.Pass) (any, error) {
				if path := p.Pkg.Path(); path == "crypto/tls" || path == "crypto/x509" {
					return nil, nil // they do what others must not
				}
				d, err := demandsOf(o.Policy)
				if err != nil {
					return nil, err
				}
				family.run(newPass(p, o, d))
				return nil, nil
			},
		})
	}
	return all
}

// demands is what a policy demands of source, by the names that crypto/tls has.
type demands struct {
	Version string   `json:"min_version"`
	Suites  []string `json:"suites"`
	Groups  []string `json:"groups"`
	Clients bool     `json:"require_clients"`
	Private bool     `json:"private_roots"`
}

func demandsOf(p tlsconfig.Policy) (*demands, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	var d demands
	return &d, json.Unmarshal(data, &d)
}

// allowsSuite says whether a TLS 1.2 suite of this name is allowed.
func (d *demands) allowsSuite(name string) bool { return slices.Contains(d.Suites, name) }
