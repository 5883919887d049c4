package tlsconfig_test

import (
	"encoding/json"
	"testing"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/stretchr/testify/require"
)

// policyJSON is a policy as its JSON form shows it.
type policyJSON struct {
	Name            string   `json:"name"`
	MinVersion      string   `json:"min_version"`
	Suites          []string `json:"suites"`
	Groups          []string `json:"groups"`
	Keys            []string `json:"keys"`
	RSABits         int      `json:"rsa_bits"`
	CertificateDays int      `json:"certificate_days"`
	RequireClients  bool     `json:"require_clients"`
	PrivateRoots    bool     `json:"private_roots"`
	FIPS140         bool     `json:"fips140"`
	TicketMinutes   int      `json:"ticket_minutes"`
}

func policyShown(t require.TestingT, p tlsconfig.Policy) policyJSON {
	b, err := json.Marshal(p)
	require.NoError(t, err)
	var shown policyJSON
	require.NoError(t, json.Unmarshal(b, &shown))
	return shown
}

var (
	policySixSuites = []string{
		"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
		"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
	}
	policyFourSuites = policySixSuites[:4]
	policyProfiles   = map[string]func() tlsconfig.Policy{
		"recommended-2026":         tlsconfig.Recommended,
		"mozilla-modern-6.0":       tlsconfig.MozillaModern,
		"mozilla-intermediate-6.0": tlsconfig.MozillaIntermediate,
		"pq-required-2026":         tlsconfig.PostQuantumRequired,
		"internal-mtls-2026":       tlsconfig.InternalMTLS,
		"nist-800-52r2":            tlsconfig.NIST80052r2,
	}
)

// The sets are written down from the publications: nothing more, nothing missing.
func TestProfilesAreWhatTheyAreNamedAfter(t *testing.T) {
	day := 24 * 60
	for _, want := range []policyJSON{
		{
			"mozilla-modern-6.0", "1.3", nil,
			[]string{"X25519MLKEM768", "X25519", "P-256", "P-384"},
			[]string{"ECDSA-P256", "ECDSA-P384"},
			2048, 90, false, false, false, day,
		},
		{
			"mozilla-intermediate-6.0", "1.2", policySixSuites,
			[]string{"X25519MLKEM768", "X25519", "P-256", "P-384"},
			[]string{"ECDSA-P256", "ECDSA-P384", "RSA"},
			2048, 366, false, false, false, day,
		},
		{
			"recommended-2026", "1.2", policySixSuites,
			[]string{"X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024", "X25519", "P-256", "P-384"},
			[]string{"ECDSA-P256", "ECDSA-P384", "RSA"},
			2048, 0, false, false, false, day,
		},
		{
			"pq-required-2026", "1.3", nil,
			[]string{"X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"},
			[]string{"ECDSA-P256", "ECDSA-P384", "RSA"},
			2048, 0, false, false, false, day,
		},
		{
			"internal-mtls-2026", "1.3", nil,
			[]string{"X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024", "X25519", "P-256", "P-384"},
			[]string{"ECDSA-P256", "ECDSA-P384", "RSA"},
			2048, 7, true, true, false, day,
		},
		{
			"nist-800-52r2", "1.2", policyFourSuites,
			[]string{"X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024", "P-256", "P-384", "P-521"},
			[]string{"ECDSA-P256", "ECDSA-P384", "ECDSA-P521", "Ed25519", "RSA"},
			2048, 0, false, false, true, day,
		},
	} {
		t.Run(want.Name, func(t *testing.T) {
			named, ok := tlsconfig.Named(want.Name)
			require.True(t, ok)
			require.Equal(t, want, policyShown(t, named))
			require.Equal(t, want, policyShown(t, policyProfiles[want.Name]()))
			require.Equal(t, want.Name, named.Name())
		})
	}
}

func TestNamedKnowsNoOthers(t *testing.T) {
	for _, name := range []string{"", "mozilla-modern", "mozilla-modern-5.7", "Mozilla-Modern-6.0", "recommended"} {
		p, ok := tlsconfig.Named(name)
		require.False(t, ok, name)
		require.Equal(t, tlsconfig.Policy{}, p)
	}
}

func TestZeroPolicyIsRecommended(t *testing.T) {
	var zero tlsconfig.Policy
	require.Equal(t, policyShown(t, tlsconfig.Recommended()), policyShown(t, zero))
	require.Equal(t, tlsconfig.Recommended().String(), zero.String())
	require.NotEqual(t, zero, tlsconfig.Recommended(), "a policy that was asked for is told from none: the floor tightens the one and refuses the other")
}

// A floor of the second lets a service choose the first.
func TestProfilesThatAreStricterThanOthers(t *testing.T) {
	for _, pair := range [][2]string{
		{"mozilla-modern-6.0", "mozilla-intermediate-6.0"},
		{"mozilla-modern-6.0", "recommended-2026"},
		{"mozilla-intermediate-6.0", "recommended-2026"},
		{"pq-required-2026", "recommended-2026"},
		{"internal-mtls-2026", "recommended-2026"},
	} {
		strict, loose := policyProfiles[pair[0]](), policyProfiles[pair[1]]()
		got, err := loose.Tighten(strict)
		require.NoError(t, err)
		require.Equal(t, policyShown(t, strict), policyShown(t, got), "%v", pair)
	}
}

func TestPolicyStringSaysEverything(t *testing.T) {
	p, err := tlsconfig.ParsePolicy([]byte(`{"name": "all", "base": "internal-mtls-2026", "fips140": true, "ticket_minutes": 30, "rsa_bits": 3072, "keys": ["RSA"], "groups": ["P-256"]}`))
	require.NoError(t, err)
	require.Equal(t, "all: TLS 1.3; groups P-256; keys RSA; RSA from 3072 bits; own certificates up to 7 days; tickets up to 30 minutes; clients must show certificates; private roots only; FIPS 140-3 mode only", p.String())
	for name, profile := range policyProfiles {
		require.NotContains(t, profile().String(), "\n")
		require.Contains(t, profile().String(), name+": ")
	}
	require.Contains(t, tlsconfig.NIST80052r2().String(), "TLS 1.2 with TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, ")
}
