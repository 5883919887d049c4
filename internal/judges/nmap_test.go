package judges_test

import (
	"crypto/tls"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// judgeByNmap compares versions and suites, and demands its best grade for all. It tells no groups and knows no hybrids.
func judgeByNmap(t *testing.T, s *server) {
	file := filepath.Join(t.TempDir(), "report.xml")
	out, err := run(t, "", find(t, "nmap"), "-Pn", "-n", "-sT", "-p", s.port, "--script", "ssl-enum-ciphers", "-oX", file, "127.0.0.1")
	require.NoError(t, err, out)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	var report struct {
		Ports []struct {
			State struct {
				State string `xml:"state,attr"`
			} `xml:"state"`
			Script nmapTable `xml:"script"`
		} `xml:"host>ports>port"`
	}
	require.NoError(t, xml.Unmarshal(data, &report))
	require.Len(t, report.Ports, 1)
	require.Equal(t, "open", report.Ports[0].State.State)

	got := offer{}
	script := report.Ports[0].Script
	for _, protocol := range script.Tables {
		version, ok := scannerVersions[protocol.Key]
		require.True(t, ok, protocol.Key)
		for _, part := range protocol.Tables {
			require.NotEqual(t, "warnings", part.Key, out)
			for _, suite := range part.Tables {
				got.add(version, suiteID(t, suite.elem("name")), 0)
				require.Equal(t, "A", suite.elem("strength"), out)
			}
		}
	}
	require.Equal(t, s.offer(s.key).classical().withoutGroups(), got)
	if len(got) > 0 {
		require.Equal(t, "A", script.elem("least strength"))
	}
}

// nmapTable is how a script of nmap tells what it finds.
type nmapTable struct {
	Key    string      `xml:"key,attr"`
	Tables []nmapTable `xml:"table"`
	Elems  []struct {
		Key  string `xml:"key,attr"`
		Text string `xml:",chardata"`
	} `xml:"elem"`
}

func (n nmapTable) elem(key string) string {
	for _, e := range n.Elems {
		if e.Key == key {
			return e.Text
		}
	}
	return ""
}

// suiteID returns the number of a suite by its name, for which nmap has its own with TLS 1.3.
func suiteID(t *testing.T, name string) uint16 {
	t.Helper()
	name = strings.Replace(name, "TLS_AKE_WITH_", "TLS_", 1)
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if suite.Name == name {
			return suite.ID
		}
	}
	t.Fatalf("the server has a suite that crypto/tls has not: %s", name)
	return 0
}
