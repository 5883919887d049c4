package tlsconfig

import (
	"crypto/fips140"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// profileSets are the sets of each profile, written down from the publications and not taken from the code.
var profileSets = []struct {
	name   string
	is12   bool
	suites []uint16
	groups []tls.CurveID
}{
	{
		"mozilla-modern-6.0", false, nil,
		[]tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384},
	},
	{
		"mozilla-intermediate-6.0", true, profileSixSuites,
		[]tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384},
	},
	{
		"recommended-2026", true, profileSixSuites,
		[]tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024},
	},
	{
		"pq-required-2026", false, nil,
		[]tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024},
	},
	{
		"internal-mtls-2026", false, nil,
		[]tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024},
	},
	{
		"nist-800-52r2", true,
		[]uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		},
		[]tls.CurveID{tls.CurveP256, tls.CurveP384, tls.CurveP521, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024, tls.X25519MLKEM768},
	},
}

var profileSixSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// profileHybrids are the groups that TLS 1.2 has not.
var profileHybrids = []tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024}

// profileAllGroups are the groups of crypto/tls, and two that it has not: X448 and a GREASE value.
var profileAllGroups = []tls.CurveID{
	tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024,
	tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521, 30, 0x2a2a,
}

// profileTakenByFIPS says what FIPS 140-3 mode takes away.
func profileTakenByFIPS(suite uint16, group tls.CurveID) bool {
	return fips140.Enabled() && (group == tls.X25519 || suite == tls.TLS_CHACHA20_POLY1305_SHA256 ||
		suite == tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 || suite == tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256)
}

// A server under each profile is asked for every version, TLS 1.2 suite and group of crypto/tls, one at a time.
func TestProfileServersAcceptExactlyTheirSets(t *testing.T) {
	for _, want := range profileSets {
		t.Run(want.name, func(t *testing.T) {
			p, ok := Named(want.name)
			require.True(t, ok)
			config := configured(p)
			everything := func(version uint16) rawHello {
				return rawHello{versions: []uint16{version}, suites: append([]uint16{tls.TLS_AES_128_GCM_SHA256}, profileSixSuites...), groups: profileAllGroups}
			}

			for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13, 0x0305} {
				agrees, _ := everything(v).ask(t, config)
				require.Equal(t, v == tls.VersionTLS13 || v == tls.VersionTLS12 && want.is12, agrees, tls.VersionName(v))
			}
			for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
				h := everything(tls.VersionTLS12)
				h.suites = []uint16{s.ID}
				agrees, _ := h.ask(t, config)
				require.Equal(t, slices.Contains(want.suites, s.ID) && !profileTakenByFIPS(s.ID, 0), agrees, s.Name)
			}
			for _, g := range profileAllGroups {
				h := everything(tls.VersionTLS13)
				h.groups = []tls.CurveID{g}
				agrees, _ := h.ask(t, config)
				require.Equal(t, slices.Contains(want.groups, g) && !profileTakenByFIPS(0, g), agrees, "TLS 1.3 with %v", g)

				h = everything(tls.VersionTLS12)
				h.groups = []tls.CurveID{g}
				agrees, _ = h.ask(t, config)
				require.Equal(t, want.is12 && slices.Contains(want.groups, g) && !slices.Contains(profileHybrids, g) && !profileTakenByFIPS(0, g), agrees, "TLS 1.2 with %v", g)
			}
		})
	}
}

// A client under each profile says what it would take.
func TestProfileClientsOfferExactlyTheirSets(t *testing.T) {
	for _, want := range profileSets {
		t.Run(want.name, func(t *testing.T) {
			p, _ := Named(want.name)
			info := policyClientHello(t, p)
			versions := []uint16{tls.VersionTLS13}
			suites := []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256}
			if want.is12 {
				versions = append(versions, tls.VersionTLS12)
			}
			suites = append(suites, want.suites...)
			groups := slices.Clone(want.groups)
			suites = slices.DeleteFunc(suites, func(s uint16) bool { return profileTakenByFIPS(s, 0) })
			groups = slices.DeleteFunc(groups, func(g tls.CurveID) bool { return profileTakenByFIPS(0, g) })
			require.ElementsMatch(t, versions, info.SupportedVersions)
			require.ElementsMatch(t, suites, info.CipherSuites)
			require.ElementsMatch(t, groups, info.SupportedCurves)
		})
	}
}

// policyClientHello returns the hello of a client under p.
func policyClientHello(t *testing.T, p Policy) *tls.ClientHelloInfo {
	config := &tls.Config{ServerName: "server.example"}
	p.configure(config)
	client, server := net.Pipe()
	var wait sync.WaitGroup
	wait.Go(func() {
		_ = tls.Client(client, config).Handshake() // the server below never answers
		client.Close()
	})
	var info *tls.ClientHelloInfo
	err := tls.Server(server, &tls.Config{GetConfigForClient: func(i *tls.ClientHelloInfo) (*tls.Config, error) {
		info = i
		return nil, io.EOF
	}}).Handshake()
	require.ErrorIs(t, err, io.EOF)
	server.Close()
	wait.Wait()
	return info
}

// The list of suites is that of crypto/tls without what is weak.
func TestPolicySuitesAreThoseOfCryptoTLS(t *testing.T) {
	var want []uint16
	for _, s := range tls.CipherSuites() {
		if slices.Equal(s.SupportedVersions, []uint16{tls.VersionTLS12}) { // AEAD came with TLS 1.2: CBC suites are of earlier ones too
			want = append(want, s.ID)
		}
	}
	require.ElementsMatch(t, want, idsOf[uint16](policySuites, suitesAll))
	for _, s := range policySuites {
		require.Equal(t, tls.CipherSuiteName(s.id), s.name)
	}
	require.Len(t, policySuites, 6)
	require.Len(t, policyGroups, 7)
	require.Len(t, policyKeys, 5)
}

func TestConfigureSetsEverythingItDecides(t *testing.T) {
	for _, s := range profileSets {
		p, _ := Named(s.name)
		c := &tls.Config{Renegotiation: tls.RenegotiateFreelyAsClient, CipherSuites: []uint16{}}
		p.configure(c)
		require.Equal(t, tls.RenegotiateNever, c.Renegotiation)
		require.Equal(t, uint16(tls.VersionTLS13), c.MaxVersion)
		require.Equal(t, s.is12, c.CipherSuites != nil, "an empty list that is not nil kills TLS 1.2, and a needless one HTTP/2")
		require.NotEmpty(t, c.CurvePreferences)
		c.CurvePreferences[0] = 0
		again := &tls.Config{}
		p.configure(again)
		require.NotContains(t, again.CurvePreferences, tls.CurveID(0), "a config must not reach back into the policy")
	}
}
