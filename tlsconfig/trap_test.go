package tlsconfig_test

import (
	"crypto/fips140"
	"crypto/tls"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// trapped checks that each target has a finding of the trap with the severity.
func trapped(t *testing.T, trap int, severity tlsconfig.Severity, targets ...tlsconfig.Target) {
	t.Helper()
	trappedBy(t, tlsconfig.Policy{}, trap, severity, targets...)
}

func trappedBy(t *testing.T, p tlsconfig.Policy, trap int, severity tlsconfig.Severity, targets ...tlsconfig.Target) {
	t.Helper()
	for _, target := range targets {
		r, err := tlsconfig.Audit(t.Context(), p, target)
		require.NoError(t, err)
		var worst tlsconfig.Severity
		for _, f := range r.Findings { // the worst first
			if f.Trap == trap && worst == "" {
				worst = f.Severity
				require.NotEmpty(t, f.What)
				require.NotEmpty(t, f.Fix)
			}
		}
		require.Equal(t, severity, worst, "%s", r)
	}
}

// untrapped checks that no target has a finding of the trap.
func untrapped(t *testing.T, trap int, targets ...tlsconfig.Target) {
	t.Helper()
	for _, target := range targets {
		r := auditOf(t, target)
		for _, f := range r.Findings {
			require.NotEqual(t, trap, f.Trap, "%s", r)
		}
	}
}

// serverWith is a config of a server with a change.
func (s *served) serverWith(change func(*tls.Config)) tlsconfig.Target {
	c := &tls.Config{Certificates: []tls.Certificate{s.server}}
	change(c)
	return tlsconfig.ServerConfig("server", c)
}

// clientWith is a config of a client with a change.
func (s *served) clientWith(change func(*tls.Config)) tlsconfig.Target {
	c := &tls.Config{RootCAs: s.ca.Pool()}
	change(c)
	return tlsconfig.ClientConfig("client", c)
}

// mutual makes a config of a server verify the clients of the CA.
func (s *served) mutual(c *tls.Config) {
	c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, s.ca.Pool()
}

// bothWith are a server and a client with a change.
func (s *served) bothWith(change func(*tls.Config)) []tlsconfig.Target {
	return []tlsconfig.Target{s.serverWith(change), s.clientWith(change)}
}

func TestTrap14OldVersions(t *testing.T) {
	s := newServed(t)
	if !fips140.Enabled() { // which has none of them
		for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
			trapped(t, 14, tlsconfig.SeverityViolation, s.bothWith(func(c *tls.Config) { c.MinVersion = v })...)
		}
	}
	trappedBy(t, tlsconfig.MozillaModern(), 14, tlsconfig.SeverityViolation, s.bothWith(func(*tls.Config) {})...)
	ownFree(t, 14)
}

func TestTrap16NoPostQuantum(t *testing.T) {
	s := newServed(t)
	classical := func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP256, tls.CurveP384} }
	trapped(t, 16, tlsconfig.SeverityWarning, s.bothWith(classical)...)
	trappedBy(t, tlsconfig.PostQuantumRequired(), 16, tlsconfig.SeverityViolation, s.bothWith(classical)...)
	trappedBy(t, tlsconfig.PostQuantumRequired(), 16, tlsconfig.SeverityViolation, s.bothWith(func(*tls.Config) {})...) // classical ones beside hybrids
	ownFree(t, 16)
}

func TestTrap17Order(t *testing.T) {
	s := newServed(t)
	trapped(t, 17, tlsconfig.SeverityInfo, s.bothWith(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP256, tls.X25519MLKEM768} })...)
	trapped(t, 17, tlsconfig.SeverityInfo, s.bothWith(func(c *tls.Config) {
		c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	})...)
	ownFree(t, 17)
}

func TestTrap18SuitesOfTLS13(t *testing.T) {
	s := newServed(t)
	trapped(t, 18, tlsconfig.SeverityWarning, s.bothWith(func(c *tls.Config) {
		c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384}
	})...)
	ownFree(t, 18)
}

func TestTrap19EmptySuites(t *testing.T) {
	s := newServed(t)
	trapped(t, 19, tlsconfig.SeverityViolation, s.bothWith(func(c *tls.Config) { c.CipherSuites = []uint16{} })...)
	ownFree(t, 19)
	untrapped(t, 19, s.serverWith(func(c *tls.Config) { c.CipherSuites, c.MinVersion = []uint16{}, tls.VersionTLS13 }))
}

func TestTrap21DefaultSuites(t *testing.T) {
	s := newServed(t)
	if !fips140.Enabled() {
		trapped(t, 21, tlsconfig.SeverityViolation, s.bothWith(func(*tls.Config) {})...)
	}
	ownFree(t, 21)
}

func TestTrap22InsecureSuites(t *testing.T) {
	s := newServed(t)
	for _, id := range []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256} {
		trapped(t, 22, tlsconfig.SeverityViolation, s.bothWith(func(c *tls.Config) {
			c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, id}
		})...)
	}
	r := auditOf(t, s.serverWith(func(c *tls.Config) { c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256} }))
	require.Contains(t, r.Facts[0].Suites, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "it is seen in handshakes too")
	ownFree(t, 22)
}

func TestTrap24KeyLog(t *testing.T) {
	s := newServed(t)
	trapped(t, 24, tlsconfig.SeverityViolation, s.bothWith(func(c *tls.Config) { c.KeyLogWriter = io.Discard })...)
	ownFree(t, 24)
}

// noRand is a source of random bytes that has none.
type noRand struct{}

func (noRand) Read(p []byte) (int, error) { return len(p), nil }

func TestTrap25RandAndTime(t *testing.T) {
	s := newServed(t)
	trapped(t, 25, tlsconfig.SeverityViolation, s.bothWith(func(c *tls.Config) { c.Time = time.Now })...)
	if !fips140.Enforced() { // which lets nobody bring their own
		trapped(t, 25, tlsconfig.SeverityViolation, s.bothWith(func(c *tls.Config) { c.Rand = noRand{} })...)
	}
	ownFree(t, 25)
}

func TestTrap58EncryptedHello(t *testing.T) {
	s := newServed(t)
	list := []byte{0, 4, 0xfe, 0x0d, 0, 0} // one config without contents: a client can't use it, and says so
	trapped(t, 58, tlsconfig.SeverityViolation,
		s.serverWith(func(c *tls.Config) { c.EncryptedClientHelloKeys = []tls.EncryptedClientHelloKey{} }),
		s.serverWith(func(c *tls.Config) {
			c.GetEncryptedClientHelloKeys = func(*tls.ClientHelloInfo) ([]tls.EncryptedClientHelloKey, error) { return nil, nil }
		}),
		s.clientWith(func(c *tls.Config) { c.EncryptedClientHelloConfigList = list }))
	ownFree(t, 58)
	untrapped(t, 58, s.clientWith(func(c *tls.Config) { c.EncryptedClientHelloConfigList, c.MinVersion = list, tls.VersionTLS13 }))
}
