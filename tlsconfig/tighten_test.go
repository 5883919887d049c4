package tlsconfig_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// policyDrawn draws a policy through its JSON form.
func policyDrawn(t *rapid.T, label string) tlsconfig.Policy {
	some := func(of ...string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(of), 1, len(of), rapid.ID).Draw(t, label)
	}
	all := map[string]any{
		"name":             rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, label),
		"min_version":      "1.3",
		"groups":           some("X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024", "X25519", "P-256", "P-384", "P-521"),
		"keys":             some("ECDSA-P256", "ECDSA-P384", "ECDSA-P521", "Ed25519", "RSA"),
		"rsa_bits":         rapid.SampledFrom([]int{2048, 3072, 4096}).Draw(t, label),
		"certificate_days": rapid.SampledFrom([]int{0, 1, 7, 90}).Draw(t, label),
		"require_clients":  rapid.Bool().Draw(t, label),
		"private_roots":    rapid.Bool().Draw(t, label),
		"fips140":          rapid.Bool().Draw(t, label),
		"ticket_minutes":   rapid.SampledFrom([]int{1, 60, 1440}).Draw(t, label),
	}
	if rapid.IntRange(0, 3).Draw(t, label) > 0 {
		all["min_version"], all["suites"] = "1.2", some(policySixSuites...)
	}
	b, err := json.Marshal(all)
	require.NoError(t, err)
	p, err := tlsconfig.ParsePolicy(b)
	require.NoError(t, err)
	return p
}

// policyMet tightens; nil stands for nothing in common, and stays so.
func policyMet(p, q *tlsconfig.Policy) *tlsconfig.Policy {
	if p == nil || q == nil {
		return nil
	}
	met, err := p.Tighten(*q)
	if err != nil {
		return nil
	}
	return &met
}

func policyDemands(t require.TestingT, p *tlsconfig.Policy) policyJSON {
	if p == nil {
		return policyJSON{}
	}
	shown := policyShown(t, *p)
	shown.Name = ""
	return shown
}

func TestTightenIsALatticeMeet(t *testing.T) {
	nothing, something := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p, q, r := policyDrawn(t, "p"), policyDrawn(t, "q"), policyDrawn(t, "r")
		pq := policyMet(&p, &q)
		if pq == nil {
			nothing++
		} else {
			something++
		}

		require.Equal(t, policyDemands(t, &p), policyDemands(t, policyMet(&p, &p)), "idempotent")
		require.Equal(t, policyDemands(t, pq), policyDemands(t, policyMet(&q, &p)), "commutative")
		require.Equal(t, policyDemands(t, policyMet(pq, &r)), policyDemands(t, policyMet(&p, policyMet(&q, &r))), "associative")
		require.Equal(t, policyDemands(t, pq), policyDemands(t, policyMet(pq, &q)), "tightening twice changes nothing")
		if pq != nil {
			qp := policyMet(&q, &p)
			require.Equal(t, pq.Name(), qp.Name())
			policyNotWeaker(t, policyShown(t, *pq), policyShown(t, p))
			policyNotWeaker(t, policyShown(t, *pq), policyShown(t, q))
			policyNoStricterThanNeeded(t, policyShown(t, *pq), policyShown(t, p), policyShown(t, q))
			whole, err := json.Marshal(*pq)
			require.NoError(t, err)
			again, err := tlsconfig.ParsePolicy(whole)
			require.NoError(t, err)
			require.Equal(t, *pq, again)
		}
	})
	require.NotZero(t, nothing)
	require.NotZero(t, something)
}

// policyNotWeaker compares what JSON shows, without the code's own idea of weaker.
func policyNotWeaker(t require.TestingT, a, b policyJSON) {
	require.GreaterOrEqual(t, a.MinVersion, b.MinVersion)
	require.Subset(t, b.Groups, a.Groups)
	require.Subset(t, b.Keys, a.Keys)
	if a.MinVersion == "1.2" {
		require.Subset(t, b.Suites, a.Suites)
	}
	require.GreaterOrEqual(t, a.RSABits, b.RSABits)
	require.LessOrEqual(t, a.TicketMinutes, b.TicketMinutes)
	if b.CertificateDays > 0 {
		require.Positive(t, a.CertificateDays)
		require.LessOrEqual(t, a.CertificateDays, b.CertificateDays)
	}
	require.True(t, a.RequireClients || !b.RequireClients)
	require.True(t, a.PrivateRoots || !b.PrivateRoots)
	require.True(t, a.FIPS140 || !b.FIPS140)
}

// policyNoStricterThanNeeded says that a has all that b and c share.
func policyNoStricterThanNeeded(t require.TestingT, a, b, c policyJSON) {
	shared := func(x, y []string) int {
		n := 0
		for _, s := range x {
			if slices.Contains(y, s) {
				n++
			}
		}
		return n
	}
	require.Len(t, a.Groups, shared(b.Groups, c.Groups))
	require.Len(t, a.Keys, shared(b.Keys, c.Keys))
	require.Len(t, a.Suites, shared(b.Suites, c.Suites))
	require.Equal(t, max(b.RSABits, c.RSABits), a.RSABits)
	require.Equal(t, min(b.TicketMinutes, c.TicketMinutes), a.TicketMinutes)
	require.Contains(t, []int{b.CertificateDays, c.CertificateDays}, a.CertificateDays)
	require.Equal(t, b.RequireClients || c.RequireClients, a.RequireClients)
	require.Equal(t, b.PrivateRoots || c.PrivateRoots, a.PrivateRoots)
	require.Equal(t, b.FIPS140 || c.FIPS140, a.FIPS140)
}

func TestTightenNamesAndErrors(t *testing.T) {
	parse := func(json string) tlsconfig.Policy {
		p, err := tlsconfig.ParsePolicy([]byte(json))
		require.NoError(t, err)
		return p
	}
	modern, pq := tlsconfig.MozillaModern(), tlsconfig.PostQuantumRequired()
	both, err := modern.Tighten(pq)
	require.NoError(t, err)
	require.Equal(t, "mozilla-modern-6.0+pq-required-2026", both.Name())
	again, err := pq.Tighten(both)
	require.NoError(t, err)
	require.Equal(t, both, again, "the stricter of two is the result, name and all")

	x25519 := parse(`{"name": "x25519", "base": "mozilla-modern-6.0", "groups": ["X25519"]}`)
	_, err = x25519.Tighten(pq)
	require.ErrorIs(t, err, tlsconfig.ErrInvalid)
	rsa := parse(`{"name": "rsa", "base": "mozilla-intermediate-6.0", "keys": ["RSA"]}`)
	_, err = rsa.Tighten(modern)
	require.ErrorIs(t, err, tlsconfig.ErrInvalid)

	aes128 := parse(`{"name": "aes128", "base": "recommended-2026", "suites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]}`)
	aes256 := parse(`{"name": "aes256", "base": "recommended-2026", "suites": ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"]}`)
	met, err := aes128.Tighten(aes256)
	require.NoError(t, err)
	require.Equal(t, "1.3", policyShown(t, met).MinVersion, "TLS 1.3 is in both")

	long := make([]byte, 128)
	for i := range long {
		long[i] = 'n'
	}
	p := parse(`{"name": "` + string(long) + `", "base": "recommended-2026", "certificate_days": 5}`)
	met, err = p.Tighten(pq)
	require.NoError(t, err)
	require.Equal(t, "tightened", met.Name())
}

// The zero policy tightens as the one that it stands for.
func TestTightenOfZero(t *testing.T) {
	got, err := tlsconfig.Policy{}.Tighten(tlsconfig.Policy{})
	require.NoError(t, err)
	require.Equal(t, tlsconfig.Recommended(), got)
}
