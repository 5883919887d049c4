package tlsconfig

import (
	"crypto/fips140"
	"crypto/tls"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// judgePolicy draws rules, whole ones, without JSON in between.
func judgePolicy(t *rapid.T) Policy {
	draw := func(name string, all policySet) policySet {
		return policySet(rapid.Uint16Range(1, uint16(all)).Draw(t, name))
	}
	r := &rules{
		name: "drawn", minVersion: tls.VersionTLS12,
		suites: draw("suites", suitesAll), groups: draw("groups", groupsFIPS|groupX25519), keys: draw("keys", 31),
		rsaBits: minRSABits, ticketMinutes: 60,
	}
	if rapid.Bool().Draw(t, "1.3 only") {
		r.minVersion, r.suites = tls.VersionTLS13, 0
	}
	return Policy{r}
}

// judgeRawHello draws a hello of everything that a client could say, sense or not.
func judgeRawHello(t *rapid.T) rawHello {
	suites := append([]uint16{
		tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, 0x0a0a, tls.TLS_FALLBACK_SCSV,
	}, profileSixSuites...)
	h := rawHello{
		versions: rapid.SliceOfNDistinct(rapid.SampledFrom([]uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13, 0x0305}), 0, 4, rapid.ID).Draw(t, "versions"),
		suites:   rapid.SliceOfNDistinct(rapid.SampledFrom(suites), 1, 6, rapid.ID).Draw(t, "suites"),
		groups:   rapid.SliceOfNDistinct(rapid.SampledFrom(profileAllGroups), 0, 4, rapid.ID).Draw(t, "groups"),
		points:   rapid.SampledFrom([][]byte{nil, {0}, {1}, {2, 0}}).Draw(t, "points"),
	}
	if len(h.versions) == 0 {
		h.legacy = rapid.SampledFrom([]uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13}).Draw(t, "legacy")
		if h.legacy == tls.VersionTLS13 { // crypto/tls then does not see a fallback, and no ClientHelloInfo tells
			h.suites = slices.DeleteFunc(h.suites, func(s uint16) bool { return s == tls.TLS_FALLBACK_SCSV })
		}
	}
	return h
}

// What judgeHello says is what a server of crypto/tls does.
func TestJudgeHelloIsWhatCryptoTLSDoes(t *testing.T) {
	verdicts := map[Reason]int{}
	for range 20 { // until each verdict was drawn
		rapid.Check(t, func(t *rapid.T) {
			p := judgePolicy(t)
			agrees, info := judgeRawHello(t).ask(t, configured(p))
			reason := p.judgeHello(info)
			verdicts[reason]++
			require.Equal(t, agrees, reason == Allowed, "%s: %s", reason, p)
		})
		if verdicts[Allowed]*verdicts[ReasonVersion]*verdicts[ReasonSuite]*verdicts[ReasonGroup] > 0 {
			return
		}
	}
	t.Fatal("the test is too narrow: ", verdicts)
}

func TestJudgeHelloNamesTheReason(t *testing.T) {
	aes13, p256 := []uint16{tls.TLS_AES_128_GCM_SHA256}, []tls.CurveID{tls.CurveP256}
	aes12 := []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	for _, c := range []struct {
		name   string
		policy Policy
		hello  rawHello
		want   Reason
	}{
		{"modern and TLS 1.3", MozillaModern(), rawHello{versions: []uint16{tls.VersionTLS13}, suites: aes13, groups: p256}, Allowed},
		{"modern and TLS 1.2", MozillaModern(), rawHello{suites: aes12, groups: p256}, ReasonVersion},
		{"intermediate and TLS 1.2", MozillaIntermediate(), rawHello{suites: aes12, groups: p256}, Allowed},
		{"zero and TLS 1.2", Policy{}, rawHello{suites: aes12, groups: p256}, Allowed},
		{"intermediate and TLS 1.1", MozillaIntermediate(), rawHello{legacy: tls.VersionTLS11, suites: aes12, groups: p256}, ReasonVersion},
		{"a later version", MozillaIntermediate(), rawHello{versions: []uint16{0x0305}, suites: aes13, groups: p256}, ReasonVersion},
		{"TLS 1.3 from the legacy field", MozillaModern(), rawHello{legacy: tls.VersionTLS13, suites: aes13, groups: p256}, ReasonVersion},
		{"fallback", MozillaIntermediate(), rawHello{suites: append(aes12, tls.TLS_FALLBACK_SCSV), groups: p256}, ReasonVersion},
		{"CBC", MozillaIntermediate(), rawHello{suites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}, groups: p256}, ReasonSuite},
		{"TLS 1.2 suites with TLS 1.3", MozillaIntermediate(), rawHello{versions: []uint16{tls.VersionTLS13}, suites: aes12, groups: p256}, ReasonSuite},
		{"classical group under pq", PostQuantumRequired(), rawHello{versions: []uint16{tls.VersionTLS13}, suites: aes13, groups: p256}, ReasonGroup},
		{"hybrid under pq", PostQuantumRequired(), rawHello{versions: []uint16{tls.VersionTLS13}, suites: aes13, groups: []tls.CurveID{tls.SecP256r1MLKEM768}}, Allowed},
		{"hybrid with TLS 1.2", Recommended(), rawHello{suites: aes12, groups: []tls.CurveID{tls.X25519MLKEM768}}, ReasonGroup},
		{"P-521", Recommended(), rawHello{versions: []uint16{tls.VersionTLS13}, suites: aes13, groups: []tls.CurveID{tls.CurveP521}}, ReasonGroup},
		{"no group", Recommended(), rawHello{suites: aes12}, ReasonGroup},
		{"compressed points", Recommended(), rawHello{suites: aes12, groups: p256, points: []byte{1}}, ReasonGroup},
	} {
		t.Run(c.name, func(t *testing.T) {
			agrees, info := c.hello.ask(t, configured(c.policy))
			require.Equal(t, c.want, c.policy.judgeHello(info))
			require.Equal(t, c.want == Allowed, agrees)
		})
	}
}

// A policy that demands FIPS 140-3 mode judges as a server in that mode, whatever this process is in.
func TestJudgeUnderFIPSPolicy(t *testing.T) {
	p := NIST80052r2()
	hello := func(change func(h *tls.ClientHelloInfo)) Reason {
		h := &tls.ClientHelloInfo{
			SupportedVersions: []uint16{tls.VersionTLS12}, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
			SupportedCurves: []tls.CurveID{tls.CurveP256}, Extensions: []uint16{10, 13, 23},
		}
		change(h)
		return p.judgeHello(h)
	}
	require.Equal(t, Allowed, hello(func(*tls.ClientHelloInfo) {}))
	require.Equal(t, ReasonVersion, hello(func(h *tls.ClientHelloInfo) { h.Extensions = []uint16{10, 13} }), "without the extended master secret")
	require.Equal(t, ReasonSuite, hello(func(h *tls.ClientHelloInfo) {
		h.SupportedVersions, h.Extensions, h.CipherSuites = []uint16{tls.VersionTLS13}, []uint16{10, 13, 43}, []uint16{tls.TLS_CHACHA20_POLY1305_SHA256}
	}))
	require.Equal(t, ReasonGroup, hello(func(h *tls.ClientHelloInfo) { h.SupportedCurves = []tls.CurveID{tls.X25519} }))
}

func TestJudgeState(t *testing.T) {
	aes13, aes12 := tls.TLS_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
	for _, c := range []struct {
		name   string
		policy Policy
		state  tls.ConnectionState
		want   Reason
	}{
		{"TLS 1.3", MozillaModern(), tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: aes13, CurveID: tls.CurveP256}, Allowed},
		{"TLS 1.2 under modern", MozillaModern(), tls.ConnectionState{Version: tls.VersionTLS12, CipherSuite: aes12, CurveID: tls.CurveP256}, ReasonVersion},
		{"TLS 1.2", MozillaIntermediate(), tls.ConnectionState{Version: tls.VersionTLS12, CipherSuite: aes12, CurveID: tls.CurveP256}, Allowed},
		{"zero policy", Policy{}, tls.ConnectionState{Version: tls.VersionTLS12, CipherSuite: aes12, CurveID: tls.CurveP256}, Allowed},
		{"TLS 1.1", MozillaIntermediate(), tls.ConnectionState{Version: tls.VersionTLS11, CipherSuite: tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, CurveID: tls.CurveP256}, ReasonVersion},
		{"a later version", MozillaIntermediate(), tls.ConnectionState{Version: 0x0305, CipherSuite: aes13, CurveID: tls.CurveP256}, ReasonVersion},
		{"CBC", MozillaIntermediate(), tls.ConnectionState{Version: tls.VersionTLS12, CipherSuite: tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, CurveID: tls.CurveP256}, ReasonSuite},
		{"unknown suite of TLS 1.3", MozillaModern(), tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: 0x1304, CurveID: tls.CurveP256}, ReasonSuite},
		{"ChaCha20 under nist", NIST80052r2(), tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_CHACHA20_POLY1305_SHA256, CurveID: tls.CurveP256}, ReasonSuite},
		{"P-521", MozillaModern(), tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: aes13, CurveID: tls.CurveP521}, ReasonGroup},
		{"classical under pq", PostQuantumRequired(), tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: aes13, CurveID: tls.CurveP256}, ReasonGroup},
		{"no group", Recommended(), tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: aes13}, ReasonGroup},
		{"nothing", Recommended(), tls.ConnectionState{}, ReasonVersion},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, c.policy.judgeState(&c.state))
		})
	}
	chacha := Recommended().judgeState(&tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_CHACHA20_POLY1305_SHA256, CurveID: tls.CurveP256})
	require.Equal(t, fips140.Enabled(), chacha == ReasonSuite)
}

// What two ends under one profile agree on is within it.
func TestJudgeStateOfRealHandshakes(t *testing.T) {
	for _, s := range profileSets {
		t.Run(s.name, func(t *testing.T) {
			p, _ := Named(s.name)
			for _, max := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				cs, err := policyHandshake(t, p, max)
				if max == tls.VersionTLS12 && !s.is12 {
					require.Error(t, err)
					continue
				}
				require.NoError(t, err)
				require.Equal(t, max, cs.Version)
				if s.name == "nist-800-52r2" && !fips140.Enabled() {
					continue // X25519MLKEM768 is there, ChaCha20-Poly1305 may be: that is why check refuses it
				}
				require.Equal(t, Allowed, p.judgeState(&cs))
			}
		})
	}
}
