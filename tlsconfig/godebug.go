package tlsconfig

import (
	"maps"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
)

// godebugSetting is a setting of GODEBUG that weakens TLS. See https://go.dev/doc/godebug.
type godebugSetting struct {
	weak     func(value string) bool
	trap     int
	severity Severity
	what     string
}

func is(weak string) func(string) bool { return func(value string) bool { return value == weak } }

// largerRSA says whether more than the usual 8192 bits are allowed.
func largerRSA(value string) bool {
	bits, err := strconv.Atoi(value)
	return err == nil && bits > maxRSABits
}

var godebugSettings = map[string]godebugSetting{
	"tls10server":          {is("1"), 14, SeverityViolation, "servers without a MinVersion agree to TLS 1.0"},
	"tls3des":              {is("1"), 22, SeverityViolation, "3DES is offered and agreed to by configs without CipherSuites"},
	"tlsrsakex":            {is("1"), 22, SeverityViolation, "RSA key exchange, without forward secrecy, is offered and agreed to by configs without CipherSuites"},
	"tlssha1":              {is("1"), 42, SeverityViolation, "signatures with SHA-1 are taken in TLS 1.2"},
	"tlsunsafeekm":         {is("1"), 52, SeverityViolation, "keying material is exported where two connections may have the same"},
	"fips140ems":           {is("0"), 52, SeverityViolation, "FIPS 140-3 mode takes TLS 1.2 without the extended master secret"},
	"rsa1024min":           {is("0"), 42, SeverityViolation, "RSA keys below 1024 bits are taken"},
	"tlsmaxrsasize":        {largerRSA, 42, SeverityWarning, "larger RSA keys of peers are taken: to verify them takes long"},
	"tlsmlkem":             {is("0"), 16, SeverityWarning, "post-quantum groups are neither offered nor agreed to, whatever a config says"},
	"tlssecpmlkem":         {is("0"), 16, SeverityWarning, "the post-quantum groups of the NIST curves are neither offered nor agreed to, whatever a config says"},
	"cryptocustomrand":     {is("1"), 25, SeverityWarning, "a Rand of somebody's own counts"},
	"http2client":          {is("0"), 30, SeverityWarning, "clients don't speak HTTP/2"},
	"http2server":          {is("0"), 29, SeverityWarning, "servers don't speak HTTP/2"},
	"x509negativeserial":   {is("1"), 42, SeverityWarning, "certificates with negative serial numbers are taken"},
	"x509usepolicies":      {is("0"), 42, SeverityWarning, "certificate policies are not validated"},
	"x509rsacrt":           {is("0"), 42, SeverityWarning, "precomputed values of RSA keys are not checked"},
	"x509usefallbackroots": {is("1"), 49, SeverityWarning, "the fallback roots of the program count instead of those of the system"},
}

// judgeGodebug judges the settings of the environment, and those of the build where the environment says nothing else.
func (e *examined) judgeGodebug(environment, built string) {
	values := parseGodebug(built)
	fromBuild := maps.Clone(values)
	maps.Copy(values, parseGodebug(environment))
	old := 0
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name]
		setting, known := godebugSettings[name]
		if known || name == "fips140" {
			e.facts.Godebug = append(e.facts.Godebug, name+"="+brief(value))
		}
		if !known || !setting.weak(value) {
			continue
		}
		where, fix := "the environment", "take it out of GODEBUG"
		if fromBuild[name] == value {
			where, fix = "the build", "take it out of //go:debug lines and godebug lines of go.mod, and raise the go line of go.mod"
			old++
		}
		severity := setting.severity
		if setting.trap == 16 && e.rules.groups&^groupsHybrid == 0 && name == "tlsmlkem" {
			severity = SeverityViolation // nothing is left
		}
		e.find(setting.trap, severity, fix, "GODEBUG %s=%s, of %s: %s", name, brief(value), where, setting.what)
	}
	if old > 0 {
		e.find(15, SeverityWarning, "raise the go line of go.mod of the program to that of its toolchain", "the program is built with settings of an older Go: %s", counted(old, "setting")+" that weaken TLS")
	}
}

// parseGodebug returns the settings of a GODEBUG text. The last of a name counts, as in the runtime.
func parseGodebug(text string) map[string]string {
	values := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		if name, value, ok := strings.Cut(part, "="); ok {
			value, _, _ = strings.Cut(value, "#") // #: for whom it counts, in a search for a bug
			values[name] = value
		}
	}
	return values
}

// godebugMetrics is how the runtime counts what happened because of a setting.
const (
	godebugMetrics    = "/godebug/non-default-behavior/"
	godebugMetricsEnd = ":events"
)

// godebugUses returns how often settings that weaken TLS have done so in this process.
func godebugUses() map[string]uint64 {
	var samples []metrics.Sample
	for _, d := range metrics.All() {
		name := strings.TrimSuffix(strings.TrimPrefix(d.Name, godebugMetrics), godebugMetricsEnd)
		if _, known := godebugSettings[name]; known && strings.HasPrefix(d.Name, godebugMetrics) {
			samples = append(samples, metrics.Sample{Name: d.Name})
		}
	}
	metrics.Read(samples)
	uses := map[string]uint64{}
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 && s.Value.Uint64() > 0 {
			uses[strings.TrimSuffix(strings.TrimPrefix(s.Name, godebugMetrics), godebugMetricsEnd)] = s.Value.Uint64()
		}
	}
	return uses
}

// judgeUses judges what settings have done.
func (e *examined) judgeUses(uses map[string]uint64) {
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		setting := godebugSettings[name]
		e.find(setting.trap, setting.severity, "look who needs it, and take the setting away", "GODEBUG %s has changed what happened %d times: %s", name, uses[name], setting.what)
	}
}
