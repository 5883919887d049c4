package tlsconfig

import (
	"crypto/fips140"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
)

// AuditProcess judges what the process decides for every TLS connection in it: settings of GODEBUG, in the environment and in the build, the mode of FIPS 140-3 against the policy, known vulnerabilities of the Go toolchain, and what was made of
// http.DefaultTransport and http.DefaultClient. It makes no handshake and changes nothing. Call it at the start of the program, before others set http.DefaultTransport to work.
func AuditProcess(p Policy) *Report {
	own := process{toolchain: runtime.Version(), environment: os.Getenv("GODEBUG"), uses: godebugUses(), transport: http.DefaultTransport, client: http.DefaultClient}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "DefaultGODEBUG" {
				own.built = setting.Value
			}
		}
	}
	return own.audit(p)
}

// process is what is judged of one.
type process struct {
	toolchain   string
	environment string            // GODEBUG in the environment
	built       string            // and in the build
	uses        map[string]uint64 // of its settings
	transport   http.RoundTripper // http.DefaultTransport
	client      *http.Client      // http.DefaultClient
}

func (own process) audit(p Policy) *Report {
	r := &Report{Policy: p.Name(), Findings: []Finding{}}
	e := &examined{
		auditor: &auditor{policy: p, rules: p.rules().effective(), report: r},
		facts:   Facts{Target: kindProcess, Kind: kindProcess, Toolchain: own.toolchain, FIPS: fipsState()},
	}
	e.judgeMode()
	e.judgeGodebug(own.environment, own.built)
	e.judgeUses(own.uses)
	e.judgeToolchain(own.toolchain)
	e.judgeDefaults(own.transport, own.client)
	r.Facts = append(r.Facts, e.facts)
	r.sort()
	return r
}

// judgeMode looks whether the process can keep the policy.
func (e *examined) judgeMode() {
	if err := e.policy.check(); err != nil {
		e.find(0, SeverityViolation, "start the program as the policy demands", "this process can't keep the policy: %s", plain(err))
	}
}

// fipsState says in which mode the process is.
func fipsState() string {
	switch {
	case !fips140.Enabled():
		return "off"
	case fips140.Enforced():
		return "only, module " + fips140.Version()
	}
	return "on, module " + fips140.Version()
}

// judgeDefaults judges what whoever names no transport or client of its own uses.
func (e *examined) judgeDefaults(standard http.RoundTripper, client *http.Client) {
	e.judgeDefault("http.DefaultTransport", standard)
	if client.Transport != nil && client.Transport != standard {
		e.judgeDefault("http.DefaultClient.Transport", client.Transport)
	}
}

func (e *examined) judgeDefault(name string, rt http.RoundTripper) {
	t, ok := rt.(*http.Transport)
	if !ok {
		e.find(0, SeverityInfo, "know what it does", "%s was replaced by a %s", name, brief(fmt.Sprintf("%T", rt)))
		return
	}
	//lint:ignore SA1019 set all the same by some
	if t.DialTLSContext != nil || t.DialTLS != nil {
		e.find(36, SeverityWarning, "use a client of your own instead", "%s has a DialTLSContext or DialTLS, and TLSClientConfig does not count", name)
	}
	if t.TLSHandshakeTimeout == 0 {
		e.find(31, SeverityWarning, "set it, or use a client of your own", "%s has no TLSHandshakeTimeout", name)
	}
	if t.TLSClientConfig == nil { // not cloned as a whole: that would set up its HTTP/2
		return
	}
	c := t.TLSClientConfig.Clone()
	own := &examined{auditor: &auditor{policy: e.policy, rules: e.rules, report: &Report{}}, facts: e.facts}
	own.judgeConfig(sharedRules, c)
	own.judgeConfig(clientRules, c)
	for _, f := range own.report.Findings {
		e.find(f.Trap, f.Severity, f.Fix, "%s: %s", name, f.What)
	}
	if c.MinVersion != 0 && c.MinVersion < tls.VersionTLS12 {
		e.find(14, SeverityViolation, "leave MinVersion at 0", "%s: MinVersion is %s", name, tls.VersionName(c.MinVersion))
	}
}
