package judges_test

import (
	"crypto/tls"
	"encoding/xml"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// judgeBySslscan compares versions, suites and groups. sslscan knows no hybrids.
func judgeBySslscan(t *testing.T, s *server) {
	file := filepath.Join(t.TempDir(), "report.xml")
	out, err := run(t, "", find(t, "sslscan"), "--xml="+file, "--sni-name=localhost", s.address())
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
			Groups []sslscanTerm `xml:"group"`
		} `xml:"ssltest"`
	}
	require.NoError(t, xml.Unmarshal(data, &report))
	require.Len(t, report.Test.Protocols, 6, "SSL 2.0 to TLS 1.3")

	versions := map[string]uint16{"ssl2": 0x0002, "ssl3": versionSSL30, "tls1.0": tls.VersionTLS10, "tls1.1": tls.VersionTLS11, "tls1.2": tls.VersionTLS12, "tls1.3": tls.VersionTLS13}
	got := offer{}
	for _, p := range report.Test.Protocols {
		version, ok := versions[p.Type+p.Version]
		require.True(t, ok, p)
		if p.Enabled {
			got.add(version, 0, 0)
		}
	}
	for _, suite := range report.Test.Suites {
		got.add(suite.version(t), suite.id(t), 0)
	}
	for _, group := range report.Test.Groups {
		got.add(group.version(t), 0, tls.CurveID(group.id(t)))
	}
	require.Equal(t, s.offer(s.key).classical(), got)
}

// sslscanTerm is a suite or group.
type sslscanTerm struct {
	Version string `xml:"sslversion,attr"`
	ID      string `xml:"id,attr"`
}

// scannerVersions is what scanners call versions.
var scannerVersions = map[string]uint16{"SSLv3": versionSSL30, "TLSv1.0": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}

func (s sslscanTerm) version(t *testing.T) uint16 {
	version, ok := scannerVersions[s.Version]
	require.True(t, ok, s)
	return version
}

func (s sslscanTerm) id(t *testing.T) uint16 {
	id, err := strconv.ParseUint(s.ID, 0, 16)
	require.NoError(t, err)
	return uint16(id)
}
