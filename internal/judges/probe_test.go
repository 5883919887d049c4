package judges_test

import (
	"crypto/tls"
	"encoding/xml"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// discard is a log that nobody reads.
var discard = log.New(io.Discard, "", 0)

// TestProbeSeesWhatSslscanSees: the same versions, suites and groups of servers of four makers.
func TestProbeSeesWhatSslscanSees(t *testing.T) {
	require.Len(t, foreigners, 12)
	for _, f := range foreigners {
		t.Run(strings.ReplaceAll(f.name, " ", "-"), func(t *testing.T) {
			scanner := find(t, "sslscan")
			if f.alone && os.Getenv(onlyLoopback) == "" {
				inOwnNetwork(t)
				return
			}
			l := newEndpointLab(t)
			address := f.start(t, l)
			report, err := tlsconfig.Probe(t.Context(), tlsconfig.Policy{}, tlsconfig.Endpoint{Address: address, ServerName: "localhost", Roots: tlsconfig.RootPEM(l.ca.PEM())})
			require.NoError(t, err, "%s", report)
			facts := report.Facts[0]
			t.Logf("%d connections\n%s", facts.Connections, report)
			require.Equal(t, "verified", facts.Trust)

			seen := sslscanOf(t, scanner, address)
			require.ElementsMatch(t, seen.versions, facts.Versions)
			require.ElementsMatch(t, seen.suites, facts.Suites)
			require.ElementsMatch(t, seen.suites13, facts.Suites13)
			known := slices.DeleteFunc(slices.Clone(facts.Groups), func(name string) bool { return strings.Contains(name, "MLKEM") })
			require.ElementsMatch(t, seen.groups, known)
		})
	}
}

// scanned is what sslscan says of a server, in the names of a report.
type scanned struct{ versions, suites, suites13, groups []string }

func sslscanOf(t *testing.T, scanner, address string) scanned {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.xml")
	out, err := run(t, "", scanner, "--xml="+file, "--sni-name=localhost", address)
	require.NoError(t, err, out)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var report struct {
		Test struct {
			Protocols []struct {
				Type    string `xml:"type,attr"`
				Version string `xml:"version,attr"`
				Enabled bool   `xml:"enabled,attr"`
			} `xml:"protocol"`
			Suites []sslscanTerm `xml:"cipher"`
			Groups []struct {
				Name string `xml:"name,attr"`
			} `xml:"group"`
		} `xml:"ssltest"`
	}
	require.NoError(t, xml.Unmarshal(data, &report))
	names := ianaNames(t)
	var s scanned
	add := func(list *[]string, name string) {
		if !slices.Contains(*list, name) {
			*list = append(*list, name)
		}
	}
	for _, p := range report.Test.Protocols {
		if p.Enabled {
			add(&s.versions, map[string]string{"ssl2": "SSLv2", "ssl3": "SSLv3", "tls1.0": "TLS 1.0", "tls1.1": "TLS 1.1", "tls1.2": "TLS 1.2", "tls1.3": "TLS 1.3"}[p.Type+p.Version])
		}
	}
	for _, suite := range report.Test.Suites {
		name := names[suite.id(t)]
		require.NotEmpty(t, name, suite)
		if suite.Version == "TLSv1.3" {
			add(&s.suites13, name)
		} else {
			add(&s.suites, name)
		}
	}
	for _, g := range report.Test.Groups {
		name := g.Name
		if ours, ok := map[string]string{
			"x25519": "X25519", "x448": "X448", "secp256r1 (NIST P-256)": "P-256", "secp384r1 (NIST P-384)": "P-384", "secp521r1 (NIST P-521)": "P-521",
		}[name]; ok {
			name = ours
		}
		add(&s.groups, name)
	}
	return s
}

// ianaNames returns the names of suites as OpenSSL and crypto/tls list them, by number, and those of some that neither lists.
func ianaNames(t *testing.T) map[uint16]string {
	t.Helper()
	out, err := run(t, "", find(t, "openssl"), "ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0")
	require.NoError(t, err, out)
	names := map[uint16]string{
		0x0016: "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA", 0xc008: "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA",
		0x1304: "TLS_AES_128_CCM_SHA256", 0x1305: "TLS_AES_128_CCM_8_SHA256",
	}
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		names[s.ID] = s.Name
	}
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) > 2 && strings.HasPrefix(fields[0], "0x") {
			names[sslscanTerm{ID: "0x" + strings.ReplaceAll(strings.ReplaceAll(fields[0], "0x", ""), ",", "")}.id(t)] = fields[2]
		}
	}
	return names
}
