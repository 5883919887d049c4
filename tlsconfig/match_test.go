package tlsconfig_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// matchRequire checks what a rule makes of a certificate.
func matchRequire(t *testing.T, allowed bool, m tlsconfig.Match, leaf *x509.Certificate) {
	t.Helper()
	require.NoError(t, tlsconfig.MatchCheck(m))
	err := tlsconfig.MatchAllows(m, leaf)
	if allowed {
		require.NoError(t, err)
		return
	}
	require.ErrorIs(t, err, tlsconfig.ErrRefused)
	require.Equal(t, tlsconfig.ReasonIdentity, tlsconfig.ReasonOf(err))
}

func TestMatchDNS(t *testing.T) {
	tests := []struct {
		name    string
		rule    string
		names   []string // of the certificate
		allowed bool
	}{
		{"the same", "api.example.com", []string{"api.example.com"}, true},
		{"one of several", "api.example.com", []string{"web.example.com", "api.example.com"}, true},
		{"case of the certificate", "api.example.com", []string{"API.Example.COM"}, true},
		{"case of the rule", "API.Example.COM", []string{"api.example.com"}, true},
		{"an A-label", "xn--bcher-kva.example", []string{"XN--bcher-kva.example"}, true},
		{"a single label", "postgres", []string{"postgres"}, true},
		{"an underscore", "_svc.example.com", []string{"_svc.example.com"}, true},
		{"another name", "api.example.com", []string{"web.example.com"}, false},
		{"no name", "api.example.com", nil, false},
		{"a name below", "example.com", []string{"api.example.com"}, false},
		{"a name above", "api.example.com", []string{"example.com"}, false},
		{"it starts with the name", "api.example.com", []string{"api.example.com.evil.test"}, false},
		{"it ends with the name", "example.com", []string{"evilexample.com"}, false},
		{"a dot at the end", "api.example.com", []string{"api.example.com."}, false},
		{"a dot at the start", "api.example.com", []string{".api.example.com"}, false},
		{"a NUL after it", "api.example.com", []string{"api.example.com\x00.evil.test"}, false},
		{"a space after it", "api.example.com", []string{"api.example.com "}, false},
		{"a letter like K", "kiosk.example", []string{"\u212aios\u212a.example"}, false},
		{"a digit like l", "al.example", []string{"a1.example"}, false},
		{"another alphabet", "xn--bcher-kva.example", []string{"b\u00fccher.example"}, false},
		{"a wildcard in the certificate", "api.example.com", []string{"*.example.com"}, false},
		{"a star in the certificate", "api.example.com", []string{"*"}, false},
		{"a part of a label in the certificate", "api.example.com", []string{"a*.example.com"}, false},

		{"one label for the star", "*.example.com", []string{"api.example.com"}, true},
		{"case under the star", "*.example.com", []string{"API.EXAMPLE.com"}, true},
		{"the same wildcard", "*.example.com", []string{"*.example.com"}, true},
		{"two labels for the star", "*.example.com", []string{"a.b.example.com"}, false},
		{"no label for the star", "*.example.com", []string{"example.com"}, false},
		{"an empty label for the star", "*.example.com", []string{".example.com"}, false},
		{"another wildcard", "*.example.com", []string{"*.b.example.com"}, false},
		{"a wildcard above", "*.example.com", []string{"*.com"}, false},
		{"a label that is none", "*.example.com", []string{"a b.example.com"}, false},
		{"a star as a part of the label", "*.example.com", []string{"a*.example.com"}, false},
		{"it ends with the parent", "*.example.com", []string{"a.evilexample.com"}, false},
		{"a number for the star", "*.example.com", []string{"10.example.com"}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			matchRequire(t, test.allowed, tlsconfig.DNS(test.rule), &x509.Certificate{DNSNames: test.names})
		})
	}

	t.Run("the common name never counts", func(t *testing.T) {
		ca := tlsconfigtest.NewCA(t, nil)
		for _, rule := range []tlsconfig.Match{tlsconfig.DNS("api.example.com"), tlsconfig.SPIFFE("spiffe://example.com/api"), tlsconfig.IP(netip.MustParsePrefix("192.0.2.1/32"))} {
			for _, name := range []string{"api.example.com", "spiffe://example.com/api", "192.0.2.1"} {
				matchRequire(t, false, rule, ca.Issue(&tlsconfigtest.Leaf{CommonName: name}).Leaf)
			}
		}
	})
	t.Run("names of other kinds don't count", func(t *testing.T) {
		ca := tlsconfigtest.NewCA(t, nil)
		leaf := ca.Issue(&tlsconfigtest.Leaf{URI: []string{"https://api.example.com"}}).Leaf
		matchRequire(t, false, tlsconfig.DNS("api.example.com"), leaf)
		leaf = ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"192.0.2.1"}}).Leaf
		matchRequire(t, false, tlsconfig.IP(netip.MustParsePrefix("192.0.2.1/32")), leaf)
	})
}

func TestMatchIP(t *testing.T) {
	tests := []struct {
		name    string
		rule    string
		ip      net.IP
		allowed bool
	}{
		{"the address", "192.0.2.7/32", net.IP{192, 0, 2, 7}, true},
		{"in the prefix", "192.0.2.0/24", net.IP{192, 0, 2, 7}, true},
		{"bits that don't count", "192.0.2.99/24", net.IP{192, 0, 2, 7}, true},
		{"beside the prefix", "192.0.2.0/24", net.IP{192, 0, 3, 0}, false},
		{"IPv6", "2001:db8::/32", net.ParseIP("2001:db8::1"), true},
		{"beside IPv6", "2001:db8::/32", net.ParseIP("2001:db9::1"), false},
		{"the certificate has IPv4 as IPv6", "192.0.2.0/24", net.ParseIP("::ffff:192.0.2.7"), true},
		{"the rule has IPv4 as IPv6", "::ffff:192.0.2.0/120", net.IP{192, 0, 2, 7}, true},
		{"beside IPv4 as IPv6", "::ffff:192.0.2.0/120", net.IP{192, 0, 3, 7}, false},
		{"IPv4 is not in IPv6", "::/0", net.IP{192, 0, 2, 7}, false},
		{"IPv6 is not in IPv4", "0.0.0.0/0", net.ParseIP("2001:db8::1"), false},
		{"all of IPv4", "0.0.0.0/0", net.IP{192, 0, 2, 7}, true},
		{"no address", "192.0.2.0/24", nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			matchRequire(t, test.allowed, tlsconfig.IP(netip.MustParsePrefix(test.rule)), &x509.Certificate{IPAddresses: []net.IP{test.ip}})
		})
	}
}

func TestMatchSPKI(t *testing.T) {
	ca := tlsconfigtest.NewCA(t, nil)
	leaf, other := ca.Issue(nil).Leaf, ca.Issue(nil).Leaf
	pin := matchPin(leaf)
	matchRequire(t, true, tlsconfig.SPKI(pin), leaf)
	matchRequire(t, true, tlsconfig.SPKI(matchPin(other), pin), leaf)
	matchRequire(t, false, tlsconfig.SPKI(pin), other)
	matchRequire(t, false, tlsconfig.SPKI(matchPin(ca.Certificate())), leaf) // pins are of leafs
}

func TestMatchCombined(t *testing.T) {
	leaf := &x509.Certificate{DNSNames: []string{"a.example"}, IPAddresses: []net.IP{{192, 0, 2, 1}}}
	yes, no := tlsconfig.DNS("a.example"), tlsconfig.DNS("b.example")
	ip := tlsconfig.IP(netip.MustParsePrefix("192.0.2.0/24"))
	tests := []struct {
		name    string
		rule    tlsconfig.Match
		allowed bool
	}{
		{"any identity", tlsconfig.AnyIdentity(), true},
		{"all of them", tlsconfig.All(yes, ip), true},
		{"all, the first does not", tlsconfig.All(no, ip), false},
		{"all, the last does not", tlsconfig.All(ip, no), false},
		{"any, the first", tlsconfig.Any(yes, no), true},
		{"any, the last", tlsconfig.Any(no, yes), true},
		{"any, none", tlsconfig.Any(no, no), false},
		{"nested", tlsconfig.All(ip, tlsconfig.Any(no, tlsconfig.All(yes))), true},
		{"nested, none", tlsconfig.Any(tlsconfig.All(yes, no), tlsconfig.All(no, ip)), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { matchRequire(t, test.allowed, test.rule, leaf) })
	}
	t.Run("copied in", func(t *testing.T) {
		rules := []tlsconfig.Match{no}
		rule := tlsconfig.Any(rules...)
		rules[0] = tlsconfig.AnyIdentity()
		matchRequire(t, false, rule, leaf)
	})
}

func TestMatchWrong(t *testing.T) {
	long := strings.Repeat("a", 64)
	tests := map[string]tlsconfig.Match{
		"nil":                     nil,
		"DNS of nothing":          tlsconfig.DNS(),
		"DNS empty":               tlsconfig.DNS(""),
		"DNS one of two":          tlsconfig.DNS("a.example", "b..example"),
		"DNS dot at the end":      tlsconfig.DNS("a.example."),
		"DNS star":                tlsconfig.DNS("*"),
		"DNS star and dot":        tlsconfig.DNS("*."),
		"DNS star in a label":     tlsconfig.DNS("a*.example"),
		"DNS star inside":         tlsconfig.DNS("a.*.example"),
		"DNS two stars":           tlsconfig.DNS("*.*.example"),
		"DNS other alphabet":      tlsconfig.DNS("b\u00fccher.example"),
		"DNS Kelvin sign":         tlsconfig.DNS("\u212a.example"),
		"DNS URL":                 tlsconfig.DNS("https://a.example"),
		"DNS port":                tlsconfig.DNS("a.example:443"),
		"DNS IPv4":                tlsconfig.DNS("192.0.2.1"),
		"DNS IPv6":                tlsconfig.DNS("2001:db8::1"),
		"DNS long label":          tlsconfig.DNS(long + ".example"),
		"DNS long":                tlsconfig.DNS(strings.Repeat("abc.", 64) + "example"),
		"DNS dash":                tlsconfig.DNS("-a.example"),
		"SPIFFE of nothing":       tlsconfig.SPIFFE(),
		"SPIFFE trust domain":     tlsconfig.SPIFFE("spiffe://example.org"),
		"SPIFFE pattern of paths": tlsconfig.SPIFFE("spiffe://example.org/a/*"),
		"SPIFFE all":              tlsconfig.SPIFFE("spiffe://*"),
		"SPIFFE all of all":       tlsconfig.SPIFFE("spiffe://*/*"),
		"SPIFFE bare":             tlsconfig.SPIFFE("example.org/a"),
		"SPIFFE no trust domain":  tlsconfig.SPIFFE("spiffe:///*"),
		"IP of nothing":           tlsconfig.IP(),
		"IP zero":                 tlsconfig.IP(netip.Prefix{}),
		"IP bits":                 tlsconfig.IP(netip.PrefixFrom(netip.MustParseAddr("192.0.2.1"), 33)),
		"IP more than IPv4":       tlsconfig.IP(netip.MustParsePrefix("::ffff:0.0.0.0/95")),
		"SPKI of nothing":         tlsconfig.SPKI(),
		"SPKI short":              tlsconfig.SPKI(base64.StdEncoding.EncodeToString(make([]byte, 31))),
		"SPKI hexadecimal":        tlsconfig.SPKI(strings.Repeat("ab", 32)),
		"SPKI no padding":         tlsconfig.SPKI(base64.RawStdEncoding.EncodeToString(make([]byte, 32))),
		"SPKI prefix":             tlsconfig.SPKI("sha256/" + base64.StdEncoding.EncodeToString(make([]byte, 32))),
		"SPKI line":               tlsconfig.SPKI(base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n"),
		"All of nothing":          tlsconfig.All(),
		"All with nil":            tlsconfig.All(tlsconfig.AnyIdentity(), nil),
		"All with a wrong one":    tlsconfig.All(tlsconfig.AnyIdentity(), tlsconfig.DNS("*")),
		"Any of nothing":          tlsconfig.Any(),
		"Any with nil":            tlsconfig.Any(nil, tlsconfig.AnyIdentity()),
		"Any with a wrong one":    tlsconfig.Any(tlsconfig.AnyIdentity(), tlsconfig.All()),
	}
	ca := tlsconfigtest.NewCA(t, nil)
	leaf := ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"a.example"}, URI: []string{"spiffe://example.org/a"}, IP: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}).Leaf
	for name, rule := range tests {
		t.Run(name, func(t *testing.T) {
			err := tlsconfig.MatchCheck(rule)
			require.ErrorIs(t, err, tlsconfig.ErrInvalid)
			require.Equal(t, 1, strings.Count(err.Error(), "tlsconfig:"))
			if rule != nil {
				require.ErrorIs(t, tlsconfig.MatchAllows(rule, leaf), tlsconfig.ErrRefused, "a wrong rule allows nobody")
				require.NotPanics(t, func() { tlsconfig.MatchDescribe(rule) })
			}
		})
	}
}

// matchModel is a rule and, worked out in another way, what it means: the text of a tree of sorted sets.
type matchModel struct {
	rule    tlsconfig.Match
	meaning string
}

func matchModels(depth int) *rapid.Generator[matchModel] {
	return rapid.Custom(func(t *rapid.T) matchModel {
		kinds := []string{"dns", "spiffe", "ip", "identity", "all", "any"}
		if depth == 0 {
			kinds = kinds[:4]
		}
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		list := func(values ...string) []string {
			return rapid.SliceOfN(rapid.SampledFrom(values), 1, 3).Draw(t, "values")
		}
		meaning := func(values []string) string {
			values = slices.Clone(values)
			slices.Sort(values)
			return fmt.Sprintf("<%s %q>", kind, slices.Compact(values))
		}
		switch kind {
		case "dns":
			values := list("a.b", "a", "b", "*.b")
			return matchModel{tlsconfig.DNS(values...), meaning(values)}
		case "spiffe":
			values := list("spiffe://a/b", "spiffe://a/b/a", "spiffe://a/*", "spiffe://b/a")
			return matchModel{tlsconfig.SPIFFE(values...), meaning(values)}
		case "ip":
			values := list("10.0.0.0/8", "10.0.0.0/9", "::/0", "0.0.0.0/0")
			var prefixes []netip.Prefix
			for _, value := range values {
				prefixes = append(prefixes, netip.MustParsePrefix(value))
			}
			return matchModel{tlsconfig.IP(prefixes...), meaning(values)}
		case "identity":
			return matchModel{tlsconfig.AnyIdentity(), meaning(nil)}
		}
		var rules []tlsconfig.Match
		var meanings []string
		for _, member := range rapid.SliceOfN(matchModels(depth-1), 1, 3).Draw(t, "members") {
			rules = append(rules, member.rule)
			meanings = append(meanings, member.meaning)
		}
		if kind == "all" {
			return matchModel{tlsconfig.All(rules...), meaning(meanings)}
		}
		return matchModel{tlsconfig.Any(rules...), meaning(meanings)}
	})
}

func TestMatchDescribe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := matchModels(2).Draw(t, "a"), matchModels(2).Draw(t, "b")
		require.NoError(t, tlsconfig.MatchCheck(a.rule))
		require.Equal(t, a.meaning == b.meaning, tlsconfig.MatchDescribe(a.rule) == tlsconfig.MatchDescribe(b.rule))
	})
	require.Equal(t, `all(dns("a.example","b.example"),identity())`,
		tlsconfig.MatchDescribe(tlsconfig.All(tlsconfig.AnyIdentity(), tlsconfig.DNS("B.example", "a.example", "b.EXAMPLE"))))
	require.Equal(t, `ip("10.0.0.0/8","2001:db8::/32")`,
		tlsconfig.MatchDescribe(tlsconfig.IP(netip.MustParsePrefix("2001:DB8::1/32"), netip.MustParsePrefix("::ffff:10.1.2.3/104"))))
}

// matchPin works out a pin in the way that users do.
func matchPin(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}
