package tlsconfig_test

import (
	"crypto/fips140"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/stretchr/testify/require"
)

// Each deviation of a profile is there if and only if it is one.
func TestDeviationsAreHonest(t *testing.T) {
	on := fips140.Enabled()
	const (
		modern, intermediate, recommended, pq, internal, nist = "mozilla-modern-6.0", "mozilla-intermediate-6.0", "recommended-2026", "pq-required-2026", "internal-mtls-2026", "nist-800-52r2"
	)
	everyone := []string{modern, intermediate, recommended, pq, internal, nist}
	only := func(when bool, names ...string) []string {
		if when {
			return names
		}
		return nil
	}
	for what, who := range map[string][]string{
		"every suite of TLS 1.3 stays on: AES-128-GCM, AES-256-GCM and ChaCha20-Poly1305": only(!on, everyone...),
		"both AES suites of TLS 1.3 stay on":                                              only(on, everyone...),
		"the order of suites and groups is that of crypto/tls":                            everyone,
		"the signature algorithms that peers are asked for are all":                       everyone,
		"a session ticket lives for seven days":                                           everyone,
		"GODEBUG=tlsmlkem=0":                                                              everyone,
		"sign a TLS 1.2 handshake with PKCS #1 v1.5":                                      {intermediate, recommended, nist},
		"TLS 1.2 without the extended master secret is accepted":                          only(!on, intermediate, recommended, nist),
		"OCSP responses are stapled only if":                                              {modern, intermediate, recommended, nist},
		"Strict-Transport-Security":                                                       {modern, intermediate, recommended},
		"AES-CCM and finite-field Diffie-Hellman":                                         {nist},
		"the policy can't be kept in this process":                                        only(!on, nist),
		"not available: X25519":                                                           only(on, modern, internal),
		"not available: TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305":                           only(on, intermediate, recommended),
		"ChaCha20-Poly1305 is missing in TLS 1.3":                                         only(on, modern, intermediate),
	} {
		for name, profile := range policyProfiles {
			found := 0
			for _, d := range profile().Deviations() {
				require.NotEmpty(t, d.Why)
				if strings.Contains(d.What, what) {
					found++
				}
			}
			want := 0
			if slices.Contains(who, name) {
				want = 1
			}
			require.Equal(t, want, found, "%s: %s", name, what)
		}
	}
}

// What is not in a policy is no deviation of it.
func TestDeviationsFollowTheRules(t *testing.T) {
	p, err := tlsconfig.ParsePolicy([]byte(`{"name": "x", "base": "mozilla-intermediate-6.0", "keys": ["ECDSA-P256"], "groups": ["P-256"], "suites": ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"]}`))
	require.NoError(t, err)
	for _, d := range p.Deviations() {
		require.NotContains(t, d.What, "PKCS #1")
		require.NotContains(t, d.What, "tlsmlkem")
		require.NotContains(t, d.What, "not available")
		require.NotContains(t, d.What, "Strict-Transport-Security")
	}
}
