package tlsconfig

import (
	"crypto/fips140"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// policyHandshake makes a handshake of two ends under p, of which the client has max as its highest version.
func policyHandshake(t *testing.T, p Policy, max uint16) (tls.ConnectionState, error) {
	roots := x509.NewCertPool()
	for _, c := range rawCertificates() {
		roots.AddCert(c.Leaf)
	}
	config := &tls.Config{ServerName: "server.example", RootCAs: roots}
	p.configure(config)
	config.MaxVersion = max
	raw, peer := net.Pipe()
	server := tls.Server(peer, configured(p))
	done := make(chan error, 1)
	go func() {
		err := server.Handshake()
		peer.Close()
		done <- err
	}()
	client := tls.Client(raw, config)
	err := client.Handshake()
	raw.Close()
	<-done
	return client.ConnectionState(), err
}

// FIPS 140-3 mode is fixed when a process starts, so the test looks at itself in the other mode too.
func TestNISTNeedsFIPSMode(t *testing.T) {
	p := NIST80052r2()
	if fips140.Enabled() {
		require.NoError(t, p.check())
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			cs, err := policyHandshake(t, p, version)
			require.NoError(t, err)
			require.Equal(t, version, cs.Version)
			require.Equal(t, Allowed, p.judgeState(&cs))
		}
		return
	}
	require.ErrorIs(t, p.check(), ErrInvalid)
	tightened, err := Recommended().Tighten(p)
	require.NoError(t, err)
	require.ErrorIs(t, tightened.check(), ErrInvalid)
	require.ErrorIs(t, SetFloor(p, "platform team"), ErrInvalid, "a floor that nothing can keep")

	self, err := os.Executable()
	require.NoError(t, err)
	for _, mode := range []string{"on", "only"} {
		again := exec.Command(self, "-test.run=^TestNISTNeedsFIPSMode$", "-test.v")
		again.Env = append(os.Environ(), "GODEBUG=fips140="+mode)
		out, err := again.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "--- PASS: TestNISTNeedsFIPSMode")
	}
}

func TestCheckWantsAGroupInFIPSMode(t *testing.T) {
	p, err := ParsePolicy([]byte(`{"name": "x25519", "base": "mozilla-modern-6.0", "groups": ["X25519"]}`))
	require.NoError(t, err)
	if fips140.Enabled() {
		require.ErrorIs(t, p.check(), ErrInvalid)
	} else {
		require.NoError(t, p.check())
	}
	for _, s := range profileSets {
		if p, _ := Named(s.name); !p.rules().fips {
			require.NoError(t, p.check(), s.name)
		}
	}
}

func TestDemandsOfProfiles(t *testing.T) {
	for _, s := range profileSets {
		p, _ := Named(s.name)
		internal := s.name == "internal-mtls-2026"
		require.Equal(t, internal, p.needsClients(), s.name)
		require.Equal(t, internal, p.privateRoots(), s.name)
		require.Equal(t, 24*time.Hour, p.ticketLife(), s.name)
	}
	short, err := ParsePolicy([]byte(`{"name": "short", "base": "recommended-2026", "ticket_minutes": 5, "require_clients": true, "private_roots": true}`))
	require.NoError(t, err)
	require.Equal(t, 5*time.Minute, short.ticketLife())
	require.True(t, short.needsClients())
	require.True(t, short.privateRoots())
}

func TestCanonicalBytes(t *testing.T) {
	renamed, err := ParsePolicy([]byte(`{"name": "ours", "base": "recommended-2026"}`))
	require.NoError(t, err)
	require.Equal(t, Recommended().canonical(), renamed.canonical())
	require.Equal(t, Recommended().canonical(), Policy{}.canonical())
	seen := map[string]string{}
	for _, s := range profileSets {
		p, _ := Named(s.name)
		require.Empty(t, seen[string(p.canonical())])
		seen[string(p.canonical())] = s.name
	}
	for _, field := range []string{
		`"min_version": "1.3"`, `"suites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]`, `"groups": ["P-256"]`, `"keys": ["RSA"]`, `"rsa_bits": 3072`,
		`"certificate_days": 1`, `"require_clients": true`, `"private_roots": true`, `"fips140": true`, `"ticket_minutes": 1`,
	} {
		p, err := ParsePolicy([]byte(`{"name": "x", "base": "recommended-2026", ` + field + `}`))
		require.NoError(t, err)
		require.Empty(t, seen[string(p.canonical())], field)
		seen[string(p.canonical())] = field
	}
	// Nodes of a fleet derive ticket keys from these bytes: a change stops resumption between two releases.
	require.Equal(t, `tlsconfig policy 1
{"min_version":"1.3","groups":["X25519MLKEM768","X25519","P-256","P-384"],"keys":["ECDSA-P256","ECDSA-P384"],"rsa_bits":2048,"certificate_days":90,"require_clients":false,"private_roots":false,"fips140":false,"ticket_minutes":1440}`,
		string(MozillaModern().canonical()))
}
