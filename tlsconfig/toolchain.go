package tlsconfig

import "go/version"

// leastToolchains are the first releases of each Go version that has known vulnerabilities of crypto/tls, crypto/x509 or net/http before them: from the Go vulnerability database as of November 2026, with the newest report.
var leastToolchains = []struct{ release, report string }{
	{"go1.26.6", "GO-2026-6090, GO-2026-6089 and GO-2026-5026"},
	{"go1.27rc3", "GO-2026-6090, GO-2026-6089 and GO-2026-5026"},
}

// judgeToolchain judges the version of Go that has built the program. It says nothing of one that it doesn't know.
func (e *examined) judgeToolchain(built string) {
	for _, least := range leastToolchains {
		if version.Lang(built) == version.Lang(least.release) && version.Compare(built, least.release) < 0 {
			e.find(60, SeverityViolation, "build with "+least.release+" or later, and run govulncheck", "%s has known vulnerabilities in its TLS and HTTP packages: %s", built, least.report)
		}
	}
}
