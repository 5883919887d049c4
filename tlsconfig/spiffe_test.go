package tlsconfig_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// spiffeIDs are texts and whether they are the ID of a workload, by the SPIFFE-ID standard, section 2, and the X509-SVID standard, section 5.2.
var spiffeIDs = []struct {
	name, text string
	valid      bool
}{
	{"a workload", "spiffe://example.org/payments/api", true},
	{"one segment", "spiffe://example.org/a", true},
	{"all letters of a path", "spiffe://example.org/azAZ09.-_", true},
	{"all letters of a trust domain", "spiffe://az09.-_/a", true},
	{"an IPv4 address as trust domain", "spiffe://192.0.2.1/a", true},
	{"dots in a segment", "spiffe://example.org/...", true},
	{"a dot before a segment", "spiffe://example.org/.a", true},
	{"the longest trust domain", "spiffe://" + strings.Repeat("a", 255) + "/a", true},
	{"the longest", "spiffe://a/" + strings.Repeat("b", 2048-11), true},
	{"empty", "", false},
	{"no scheme", "example.org/a", false},
	{"scheme alone", "spiffe://", false},
	{"another scheme", "https://example.org/a", false},
	{"upper-case scheme", "SPIFFE://example.org/a", false},
	{"one slash", "spiffe:/example.org/a", false},
	{"three slashes", "spiffe:///a", false},
	{"trust domain alone", "spiffe://example.org", false},
	{"trust domain and a slash", "spiffe://example.org/", false},
	{"upper-case trust domain", "spiffe://Example.org/a", false},
	{"port", "spiffe://example.org:443/a", false},
	{"empty port", "spiffe://example.org:/a", false},
	{"user", "spiffe://user@example.org/a", false},
	{"empty user", "spiffe://@example.org/a", false},
	{"IPv6 trust domain", "spiffe://[2001:db8::1]/a", false},
	{"escape in the trust domain", "spiffe://ex%61mple.org/a", false},
	{"other alphabet in the trust domain", "spiffe://b\u00fccher.example/a", false},
	{"star for the trust domain", "spiffe://*/a", false},
	{"too long a trust domain", "spiffe://" + strings.Repeat("a", 256) + "/a", false},
	{"too long", "spiffe://a/" + strings.Repeat("b", 2048-10), false},
	{"slash at the end", "spiffe://example.org/a/", false},
	{"empty segment", "spiffe://example.org/a//b", false},
	{"empty first segment", "spiffe://example.org//a", false},
	{"dot segment", "spiffe://example.org/a/./b", false},
	{"dot dot segment", "spiffe://example.org/a/../b", false},
	{"dot dot at the end", "spiffe://example.org/a/..", false},
	{"escape", "spiffe://example.org/%61", false},
	{"escaped slash", "spiffe://example.org/a%2fb", false},
	{"query", "spiffe://example.org/a?b", false},
	{"empty query", "spiffe://example.org/a?", false},
	{"fragment", "spiffe://example.org/a#b", false},
	{"empty fragment", "spiffe://example.org/a#", false},
	{"star", "spiffe://example.org/*", false},
	{"plus", "spiffe://example.org/a+b", false},
	{"tilde", "spiffe://example.org/~a", false},
	{"colon", "spiffe://example.org/a:b", false},
	{"space", "spiffe://example.org/a b", false},
	{"space after it", "spiffe://example.org/a ", false},
	{"line end", "spiffe://example.org/a\n", false},
	{"NUL", "spiffe://example.org/a\x00", false},
	{"backslash", "spiffe://example.org\\a", false},
	{"other alphabet", "spiffe://example.org/\u00fc", false},
	{"not UTF-8", "spiffe://example.org/\xff", false},
}

// spiffeLeaf returns a certificate with these URIs, however odd, beside a DNS name.
func spiffeLeaf(t testing.TB, uris ...string) *x509.Certificate {
	t.Helper()
	names := []asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte("a.example")}}
	for _, uri := range uris {
		names = append(names, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(uri)})
	}
	value, err := asn1.Marshal(names)
	require.NoError(t, err)
	return &x509.Certificate{Extensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value}}}
}

func TestSPIFFEID(t *testing.T) {
	for _, test := range spiffeIDs {
		t.Run(test.name, func(t *testing.T) {
			id, domain, err := tlsconfig.MatchParseSPIFFE(test.text)
			if test.valid {
				require.NoError(t, err)
				require.Equal(t, test.text, id)
				require.True(t, strings.HasPrefix(test.text, "spiffe://"+domain+"/"))
				matchRequire(t, true, tlsconfig.SPIFFE(test.text), spiffeLeaf(t, test.text))
				matchRequire(t, true, tlsconfig.SPIFFE("spiffe://"+domain+"/*"), spiffeLeaf(t, test.text))
				return
			}
			require.Error(t, err)
			_, err = tlsconfig.MatchSPIFFE(spiffeLeaf(t, test.text))
			require.Error(t, err, "in a certificate")
			matchRequire(t, false, tlsconfig.SPIFFE("spiffe://example.org/*", "spiffe://example.org/a"), spiffeLeaf(t, test.text))
		})
	}
}

func TestMatchSPIFFE(t *testing.T) {
	const api = "spiffe://example.org/payments/api"
	tests := []struct {
		name    string
		rule    tlsconfig.Match
		uris    []string
		allowed bool
	}{
		{"the ID", tlsconfig.SPIFFE(api), []string{api}, true},
		{"one of several", tlsconfig.SPIFFE("spiffe://example.org/web", api), []string{api}, true},
		{"its trust domain", tlsconfig.SPIFFE("spiffe://example.org/*"), []string{api}, true},
		{"another path", tlsconfig.SPIFFE(api), []string{"spiffe://example.org/payments/web"}, false},
		{"a path below", tlsconfig.SPIFFE(api), []string{api + "/v2"}, false},
		{"a path above", tlsconfig.SPIFFE(api), []string{"spiffe://example.org/payments"}, false},
		{"it starts with the ID", tlsconfig.SPIFFE(api), []string{api + "-evil"}, false},
		{"case of the path", tlsconfig.SPIFFE(api), []string{"spiffe://example.org/payments/API"}, false},
		{"another trust domain", tlsconfig.SPIFFE(api), []string{"spiffe://example.com/payments/api"}, false},
		{"it starts with the trust domain", tlsconfig.SPIFFE("spiffe://example.org/*"), []string{"spiffe://example.org.evil.test/a"}, false},
		{"a trust domain below", tlsconfig.SPIFFE("spiffe://example.org/*"), []string{"spiffe://a.example.org/a"}, false},
		{"the trust domain in a path", tlsconfig.SPIFFE("spiffe://example.org/*"), []string{"spiffe://evil.test/example.org/a"}, false},
		{"no URI", tlsconfig.SPIFFE("spiffe://example.org/*"), nil, false},
		{"two URIs", tlsconfig.SPIFFE("spiffe://example.org/*"), []string{api, "https://example.org/a"}, false},
		{"the URI is second", tlsconfig.SPIFFE("spiffe://example.org/*"), []string{"https://example.org/a", api}, false},
		{"the same URI twice", tlsconfig.SPIFFE(api), []string{api, api}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { matchRequire(t, test.allowed, test.rule, spiffeLeaf(t, test.uris...)) })
	}

	ca := tlsconfigtest.NewCA(t, nil)
	t.Run("as issued", func(t *testing.T) {
		matchRequire(t, true, tlsconfig.SPIFFE(api), ca.Issue(&tlsconfigtest.Leaf{URI: []string{api}, DNS: []string{"api.example.org"}}).Leaf)
		matchRequire(t, false, tlsconfig.SPIFFE("spiffe://example.org/*"), ca.Issue(&tlsconfigtest.Leaf{URI: []string{api, "urn:x"}}).Leaf)
	})
	t.Run("a CA is no workload", func(t *testing.T) {
		leaf := spiffeLeaf(t, api)
		leaf.IsCA = true
		matchRequire(t, false, tlsconfig.SPIFFE(api), leaf)
		leaf.IsCA, leaf.KeyUsage = false, x509.KeyUsageCertSign
		matchRequire(t, false, tlsconfig.SPIFFE(api), leaf)
	})
	t.Run("names that can't be read", func(t *testing.T) {
		leaf := spiffeLeaf(t, api)
		leaf.Extensions[0].Value = append(leaf.Extensions[0].Value, 0)
		matchRequire(t, false, tlsconfig.SPIFFE(api), leaf)
	})
}

// FuzzSPIFFE compares the parser to net/url on what it takes, so that nobody reads another ID than it.
func FuzzSPIFFE(f *testing.F) {
	for _, seed := range spiffeIDs {
		f.Add(seed.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, domain, err := tlsconfig.MatchParseSPIFFE(text)
		inCertificate, errInCertificate := tlsconfig.MatchSPIFFE(spiffeLeaf(t, text))
		require.Equal(t, err == nil, errInCertificate == nil)
		if err != nil {
			return
		}
		require.Equal(t, text, id)
		require.Equal(t, text, inCertificate)
		require.LessOrEqual(t, len(text), 2048)
		u, err := url.Parse(text)
		require.NoError(t, err)
		require.Equal(t, &url.URL{Scheme: "spiffe", Host: domain, Path: strings.TrimPrefix(text, "spiffe://"+domain)}, u)
		require.Equal(t, u, u.JoinPath(), "no relative segments")
		require.NoError(t, tlsconfig.MatchCheck(tlsconfig.SPIFFE(text)))
	})
}
