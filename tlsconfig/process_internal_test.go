package tlsconfig

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// examine returns what a part of an audit finds.
func examine(p Policy, part func(e *examined)) []Finding {
	e := &examined{auditor: &auditor{policy: p, rules: p.rules().effective(), report: &Report{}}}
	part(e)
	return e.report.Findings
}

// has says whether a finding of a trap with a severity is among them.
func has(findings []Finding, trap int, severity Severity) bool {
	for _, f := range findings {
		if f.Trap == trap && f.Severity == severity {
			return true
		}
	}
	return false
}

func TestGodebugSettings(t *testing.T) {
	for name, c := range map[string]struct {
		environment, built string
		trap               int
		severity           Severity
	}{
		"old versions":         {"tls10server=1", "", 14, SeverityViolation},
		"of the build":         {"", "tls10server=1", 14, SeverityViolation},
		"3DES":                 {"http2debug=1,tls3des=1", "", 22, SeverityViolation},
		"RSA key exchange":     {"tlsrsakex=1", "", 22, SeverityViolation},
		"SHA-1":                {"tlssha1=1", "", 42, SeverityViolation},
		"keying material":      {"tlsunsafeekm=1", "", 52, SeverityViolation},
		"master secret":        {"fips140ems=0", "", 52, SeverityViolation},
		"small RSA keys":       {"rsa1024min=0", "", 42, SeverityViolation},
		"large RSA keys":       {"tlsmaxrsasize=16384", "", 42, SeverityWarning},
		"no hybrids":           {"tlsmlkem=0", "", 16, SeverityWarning},
		"no NIST hybrids":      {"tlssecpmlkem=0", "", 16, SeverityWarning},
		"x509":                 {"x509negativeserial=1", "", 42, SeverityWarning},
		"for some":             {"tls3des=1#1234", "", 22, SeverityViolation},
		"the last counts":      {"tls3des=0,tls3des=1", "", 22, SeverityViolation},
		"fallback roots":       {"x509usefallbackroots=1", "", 49, SeverityWarning},
		"an older Go by build": {"", "tlsmlkem=0", 15, SeverityWarning},
	} {
		t.Run(name, func(t *testing.T) {
			found := examine(Policy{}, func(e *examined) { e.judgeGodebug(c.environment, c.built) })
			require.True(t, has(found, c.trap, c.severity), "%v", found)
		})
	}
	for _, harmless := range [][2]string{
		{"", ""},
		{"tls3des=1,tls3des=0", ""},
		{"tls10server=0", "tls10server=1"}, // the environment counts
		{"tlsmaxrsasize=4096,fips140=on,http2debug=2,,=,tlsmlkem", ""},
	} {
		require.Empty(t, examine(Policy{}, func(e *examined) { e.judgeGodebug(harmless[0], harmless[1]) }), harmless)
	}
	require.True(t, has(examine(PostQuantumRequired(), func(e *examined) { e.judgeGodebug("tlsmlkem=0", "") }), 16, SeverityViolation))
}

func TestTrap15OldGoLine(t *testing.T) {
	found := examine(Policy{}, func(e *examined) { e.judgeGodebug("", "tlsmlkem=0,tlssecpmlkem=0") })
	require.True(t, has(found, 15, SeverityWarning))
	require.Empty(t, examine(Policy{}, func(e *examined) { e.judgeGodebug("", "") }))
}

func TestTrap52ExportWithoutEMS(t *testing.T) {
	t.Setenv("GODEBUG", os.Getenv("GODEBUG")+",tlsunsafeekm=1")
	require.True(t, has(AuditProcess(Policy{}).Findings, 52, SeverityViolation))
	t.Setenv("GODEBUG", os.Getenv("GODEBUG")+",tlsunsafeekm=0")
	require.False(t, has(AuditProcess(Policy{}).Findings, 52, SeverityViolation))
}

// The runtime counts what settings have done, whoever has set them.
func TestGodebugUses(t *testing.T) {
	found := examine(Policy{}, func(e *examined) { e.judgeUses(map[string]uint64{"tls10server": 3}) })
	require.True(t, has(found, 14, SeverityViolation))
	before := godebugUses()["x509negativeserial"]
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, key.Public(), key)
	require.NoError(t, err)
	i := findSerial(t, der)
	der[i] = 0x81 // makes it negative
	_, err = x509.ParseCertificate(der)
	require.Error(t, err)
	t.Setenv("GODEBUG", os.Getenv("GODEBUG")+",x509negativeserial=1")
	_, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	require.Equal(t, before+1, godebugUses()["x509negativeserial"])
}

// findSerial returns where the one byte of the serial number 1 is: after the version.
func findSerial(t *testing.T, der []byte) int {
	for i := range der[:30] {
		if string(der[i:i+8]) == "\xa0\x03\x02\x01\x02\x02\x01\x01" {
			return i + 7
		}
	}
	t.Fatal("no serial number")
	return 0
}

func TestTrap60Toolchain(t *testing.T) {
	for built, known := range map[string]bool{
		"go1.26.0": true, "go1.26.5": true, "go1.26rc1": true, "go1.27rc2": true,
		"go1.26.6": false, "go1.26.8": false, "go1.27.0": false, "go1.28.0": false, "devel go1.27-abcdef": false, "go1.26.8-custom": false, "": false,
	} {
		require.Equal(t, known, has(examine(Policy{}, func(e *examined) { e.judgeToolchain(built) }), 60, SeverityViolation), built)
	}
	require.Equal(t, runtime.Version(), AuditProcess(Policy{}).Facts[0].Toolchain)
}

// All that is bad in a process is found at once.
func TestProcessAudit(t *testing.T) {
	bad := process{
		toolchain: "go1.26.1", environment: "tls10server=1", built: "tls3des=1", uses: map[string]uint64{"tlsunsafeekm": 1},
		transport: &http.Transport{TLSHandshakeTimeout: 1, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, client: &http.Client{},
	}
	report := bad.audit(Policy{})
	for _, trap := range []int{1, 14, 22, 52, 60} {
		require.True(t, has(report.Findings, trap, SeverityViolation), "%d in %s", trap, report)
	}
	require.Equal(t, []string{"tls10server=1", "tls3des=1"}, report.Facts[0].Godebug)
	require.Empty(t, process{toolchain: "go1.26.8", transport: &http.Transport{TLSHandshakeTimeout: 1}, client: &http.Client{}}.audit(Policy{}).Findings)
}

func TestDefaultTransport(t *testing.T) {
	dial := func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }
	for name, c := range map[string]struct {
		transport http.RoundTripper
		client    http.RoundTripper
		trap      int
		severity  Severity
	}{
		"skips":               {&http.Transport{TLSHandshakeTimeout: 1, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, nil, 1, SeverityViolation},
		"old versions":        {&http.Transport{TLSHandshakeTimeout: 1, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS10}}, nil, 14, SeverityViolation},
		"dials":               {&http.Transport{TLSHandshakeTimeout: 1, DialTLSContext: dial}, nil, 36, SeverityWarning},
		"waits":               {&http.Transport{}, nil, 31, SeverityWarning},
		"another":             {http.NewFileTransport(http.Dir("")), nil, 0, SeverityInfo},
		"of the client":       {&http.Transport{TLSHandshakeTimeout: 1}, &http.Transport{TLSHandshakeTimeout: 1, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, 1, SeverityViolation},
		"of the client alone": {&http.Transport{TLSHandshakeTimeout: 1}, http.NewFileTransport(http.Dir("")), 0, SeverityInfo},
	} {
		t.Run(name, func(t *testing.T) {
			found := examine(Policy{}, func(e *examined) { e.judgeDefaults(c.transport, &http.Client{Transport: c.client}) })
			require.Len(t, found, 1, "%v", found)
			require.True(t, has(found, c.trap, c.severity), "%v", found)
		})
	}
	fresh := &http.Transport{TLSHandshakeTimeout: 1, ForceAttemptHTTP2: true}
	require.Empty(t, examine(Policy{}, func(e *examined) { e.judgeDefaults(fresh, &http.Client{}) }))
	require.Nil(t, fresh.TLSClientConfig, "it is not set up by being looked at")
	require.Nil(t, fresh.TLSNextProto)
}
