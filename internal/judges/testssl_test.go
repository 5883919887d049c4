package judges_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// testsslExceptions are findings that are not of the server, and why.
var testsslExceptions = map[string]string{
	"cert_revocation": "the throw-away CA has no address for revocation lists",
	"engine_problem":  "the scanner's own OpenSSL has no GOST ciphers",
}

// TestTestssl has testssl.sh look for weaknesses. Nothing may be worse than LOW. What is LOW is the life of session tickets (crypto/tls always says 7 days, though tickets of a Server end sooner), and that localhost has no CAA record.
func TestTestssl(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	scanner := find(t, "testssl")
	for _, p := range profiles {
		name := p.policy.Name()
		if name != tlsconfig.Recommended().Name() && name != tlsconfig.MozillaModern().Name() {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, p, p.keys[0])
			found := s.testssl(t, scanner)

			offered := map[string]string{"SSLv2": "not offered", "SSLv3": "not offered", "TLS1": "not offered", "TLS1_1": "not offered", "TLS1_2": "not offered", "TLS1_3": "offered with final", "cert_chain_of_trust": "passed."}
			if len(p.suites) > 0 {
				offered["TLS1_2"] = "offered"
			}
			require.Subset(t, found, offered, "the scan shows what is there")
		})
	}
}

// testssl returns what it found, by id.
func (s *server) testssl(t *testing.T, scanner string) map[string]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.json")
	out, err := run(t, "", scanner, "--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none", "--ip", "127.0.0.1", "--add-ca", s.ca, "--jsonfile", file,
		"-p", "-S", "-P", "-s", "-f", "-U", "localhost:"+s.port) // versions, certificate, preferences, suites, forward secrecy, vulnerabilities
	data, readErr := os.ReadFile(file)
	require.NoError(t, readErr, "%v: %s", err, out) // how it exits says nothing
	var findings []struct{ ID, Severity, Finding string }
	require.NoError(t, json.Unmarshal(data, &findings))
	require.Greater(t, len(findings), 60, "the scan is not complete: %s", out)
	found := map[string]string{}
	for _, f := range findings {
		found[f.ID] = f.Finding
		if testsslExceptions[f.ID] == "" && !slices.Contains([]string{"OK", "INFO", "LOW"}, f.Severity) {
			t.Errorf("%s %s: %s", f.Severity, f.ID, f.Finding)
		}
	}
	return found
}
