package tlsconfig_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/stretchr/testify/require"
)

// policyWhole is a policy without a base.
const policyWhole = `{"name": "whole", "min_version": "1.2", "suites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"], "groups": ["X25519", "P-256"], "keys": ["Ed25519", "RSA"]}`

func TestParsePolicy(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     policyJSON
	}{
		{
			"whole", policyWhole,
			policyJSON{"whole", "1.2", []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}, []string{"X25519", "P-256"}, []string{"Ed25519", "RSA"}, 2048, 0, false, false, false, 1440},
		},
		{
			"every field", `{"name": "a.B_c+d-9", "min_version": "1.3", "groups": ["P-521"], "keys": ["ECDSA-P521", "RSA"], "rsa_bits": 8192, "certificate_days": 36500, "require_clients": true, "private_roots": true, "fips140": true, "ticket_minutes": 1}`,
			policyJSON{"a.B_c+d-9", "1.3", nil, []string{"P-521"}, []string{"ECDSA-P521", "RSA"}, 8192, 36500, true, true, true, 1},
		},
		{
			"base and one field", `{"name": "acme", "base": "mozilla-intermediate-6.0", "certificate_days": 47}`,
			policyJSON{"acme", "1.2", policySixSuites, []string{"X25519MLKEM768", "X25519", "P-256", "P-384"}, []string{"ECDSA-P256", "ECDSA-P384", "RSA"}, 2048, 47, false, false, false, 1440},
		},
		{
			"order of fields and lists does not count", "\n{\"keys\": [\"RSA\", \"ECDSA-P256\"], \"groups\": [\"P-256\", \"X25519\"], \"min_version\": \"1.3\", \"base\": \"mozilla-intermediate-6.0\", \"name\": \"x\"}\n",
			policyJSON{"x", "1.3", nil, []string{"X25519", "P-256"}, []string{"ECDSA-P256", "RSA"}, 2048, 366, false, false, false, 1440},
		},
		{
			"weaker than the base, by its own name", `{"name": "x", "base": "internal-mtls-2026", "min_version": "1.2", "suites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"], "private_roots": false, "require_clients": false, "certificate_days": 0, "keys": ["RSA"], "groups": ["P-521"]}`,
			policyJSON{"x", "1.2", []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}, []string{"P-521"}, []string{"RSA"}, 2048, 0, false, false, false, 1440},
		},
		{
			"a profile by name and base", `{"name": "mozilla-modern-6.0", "base": "mozilla-modern-6.0"}`,
			policyShown(t, tlsconfig.MozillaModern()),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := tlsconfig.ParsePolicy([]byte(c.in))
			require.NoError(t, err)
			require.Equal(t, c.want, policyShown(t, p))
			require.Equal(t, c.want.Name, p.Name())
			whole, err := json.Marshal(p)
			require.NoError(t, err)
			again, err := tlsconfig.ParsePolicy(whole)
			require.NoError(t, err)
			require.Equal(t, p, again, "round trip")
			var field struct{ Policy tlsconfig.Policy }
			require.NoError(t, json.Unmarshal([]byte(`{"policy": `+c.in+`}`), &field))
			require.Equal(t, p, field.Policy)
		})
	}
}

func TestProfilesRoundTrip(t *testing.T) {
	for name, profile := range policyProfiles {
		b, err := json.Marshal(profile())
		require.NoError(t, err)
		p, err := tlsconfig.ParsePolicy(b)
		require.NoError(t, err, name)
		require.Equal(t, profile(), p)
	}
}

func TestParsePolicyIsStrict(t *testing.T) {
	with := func(field string) string { return `{"name": "x", "base": "recommended-2026", ` + field + `}` }
	without := func(field string) string {
		var all map[string]any
		require.NoError(t, json.Unmarshal([]byte(policyWhole), &all))
		require.Contains(t, all, field)
		delete(all, field)
		b, err := json.Marshal(all)
		require.NoError(t, err)
		return string(b)
	}
	for name, in := range map[string]string{
		"nothing":                       "",
		"not JSON":                      "name: x",
		"array":                         "[]",
		"string":                        `"recommended-2026"`,
		"null":                          "null",
		"empty object":                  "{}",
		"byte order mark":               "\ufeff" + policyWhole,
		"cut off":                       policyWhole[:len(policyWhole)-1],
		"trailing comma":                with(`"rsa_bits": 2048,`),
		"comment":                       policyWhole + " // x",
		"trailing data":                 policyWhole + policyWhole,
		"trailing bracket":              policyWhole + "}",
		"too large":                     policyWhole + strings.Repeat(" ", 64<<10),
		"unknown field":                 with(`"ciphers": []`),
		"field in capitals":             with(`"FIPS140": true`),
		"repeated field":                with(`"name": "y"`),
		"repeated field, escaped":       with(`"\u006eame": "y"`),
		"repeated with the same value":  with(`"rsa_bits": 2048, "rsa_bits": 2048`),
		"null name":                     `{"name": null, "base": "recommended-2026"}`,
		"null number":                   with(`"rsa_bits": null`),
		"null list":                     with(`"groups": null`),
		"null in a list":                with(`"groups": [null]`),
		"list for a name":               `{"name": ["x"], "base": "recommended-2026"}`,
		"string for a list":             with(`"groups": "P-256"`),
		"string for a number":           with(`"rsa_bits": "2048"`),
		"fraction":                      with(`"rsa_bits": 2048.5`),
		"number for a boolean":          with(`"fips140": 1`),
		"string for a boolean":          with(`"require_clients": "true"`),
		"huge number":                   with(`"ticket_minutes": 99999999999999999999`),
		"no name":                       `{"base": "recommended-2026"}`,
		"empty name":                    `{"name": "", "base": "recommended-2026"}`,
		"space in the name":             `{"name": "a b", "base": "recommended-2026"}`,
		"line feed in the name":         `{"name": "a\nb", "base": "recommended-2026"}`,
		"name is not UTF-8":             "{\"name\": \"a\xff\", \"base\": \"recommended-2026\"}",
		"long name":                     `{"name": "` + strings.Repeat("n", 129) + `", "base": "recommended-2026"}`,
		"name of a profile":             `{"name": "mozilla-modern-6.0", "base": "mozilla-modern-6.0", "certificate_days": 91}`,
		"name of another profile":       `{"name": "nist-800-52r2", "base": "recommended-2026"}`,
		"unknown base":                  `{"name": "x", "base": "mozilla-modern-5.7"}`,
		"empty base":                    `{"name": "x", "base": ""}`,
		"no version":                    without("min_version"),
		"no suites":                     without("suites"),
		"no groups":                     without("groups"),
		"no keys":                       without("keys"),
		"TLS 1.0":                       with(`"min_version": "1.0"`),
		"TLS 1.1":                       with(`"min_version": "1.1"`),
		"TLS 1.4":                       with(`"min_version": "1.4"`),
		"version as a number":           with(`"min_version": 1.3`),
		"TLS 1.2 over a base of 1.3":    `{"name": "x", "base": "mozilla-modern-6.0", "min_version": "1.2"}`,
		"suites over a base of 1.3":     `{"name": "x", "base": "mozilla-modern-6.0", "suites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]}`,
		"empty suites":                  with(`"suites": []`),
		"empty groups":                  with(`"groups": []`),
		"empty keys":                    with(`"keys": []`),
		"suite twice":                   with(`"suites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]`),
		"unknown suite":                 with(`"suites": ["TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"]`),
		"OpenSSL name of a suite":       with(`"suites": ["ECDHE-RSA-AES128-GCM-SHA256"]`),
		"suite of TLS 1.3":              with(`"suites": ["TLS_AES_256_GCM_SHA384"]`),
		"CBC":                           with(`"suites": ["TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"]`),
		"RSA key exchange":              with(`"suites": ["TLS_RSA_WITH_AES_128_GCM_SHA256"]`),
		"3DES":                          with(`"suites": ["TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"]`),
		"RC4":                           with(`"suites": ["TLS_ECDHE_RSA_WITH_RC4_128_SHA"]`),
		"unknown group":                 with(`"groups": ["X448"]`),
		"group in another case":         with(`"groups": ["x25519"]`),
		"group twice":                   with(`"groups": ["X25519", "X25519"]`),
		"unknown key":                   with(`"keys": ["ECDSA-P224"]`),
		"key twice":                     with(`"keys": ["RSA", "RSA"]`),
		"RSA too short":                 with(`"rsa_bits": 1024`),
		"RSA just too short":            with(`"rsa_bits": 2047`),
		"RSA longer than crypto/tls":    with(`"rsa_bits": 8193`),
		"days below zero":               with(`"certificate_days": -1`),
		"days beyond all bounds":        with(`"certificate_days": 36501`),
		"no time for tickets":           with(`"ticket_minutes": 0`),
		"tickets of more than a day":    with(`"ticket_minutes": 1441`),
		"deep nesting":                  with(`"groups": ` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000)),
		"suites of 1.2 with 1.3":        with(`"min_version": "1.3", "suites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]`),
		"long unknown name stays short": with(`"` + strings.Repeat("u", 60000) + `": 1`),
	} {
		t.Run(name, func(t *testing.T) {
			p, err := tlsconfig.ParsePolicy([]byte(in))
			require.ErrorIs(t, err, tlsconfig.ErrInvalid)
			require.Equal(t, tlsconfig.Policy{}, p)
			require.Less(t, len(err.Error()), 500, "an error does not carry the file with it")
			if name == "too large" {
				return // with spaces, which encoding/json takes away
			}
			field := struct{ Policy tlsconfig.Policy }{tlsconfig.MozillaModern()}
			require.Error(t, json.Unmarshal([]byte(`{"policy": `+in+`}`), &field))
			require.Equal(t, tlsconfig.MozillaModern(), field.Policy)
		})
	}
	_, err := tlsconfig.ParsePolicy([]byte(policyWhole))
	require.NoError(t, err, "what the cases above start from")
	_, err = tlsconfig.ParsePolicy([]byte(with(`"rsa_bits": 2048`)))
	require.NoError(t, err)
	_, err = tlsconfig.ParsePolicy([]byte(policyWhole + strings.Repeat(" ", 64<<10-len(policyWhole))))
	require.NoError(t, err, "exactly 64 KiB")
}

// What is weak is told apart from what is unknown.
func TestParsePolicySaysWhyASuiteIsRefused(t *testing.T) {
	for suite, why := range map[string]string{
		"TLS_RSA_WITH_AES_128_GCM_SHA256":         "weak",
		"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA":    "weak",
		"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256":   "weak",
		"TLS_CHACHA20_POLY1305_SHA256":            "can't be chosen",
		"TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8":      "unknown",
		"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "",
	} {
		_, err := tlsconfig.ParsePolicy([]byte(`{"name": "x", "base": "recommended-2026", "suites": ["` + suite + `"]}`))
		if why == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, why, suite)
		}
	}
}

// Whatever is taken is bounded, whole, and read back from what it is written as.
func FuzzParsePolicy(f *testing.F) {
	for _, profile := range policyProfiles {
		b, err := json.Marshal(profile())
		require.NoError(f, err)
		f.Add(b)
	}
	f.Add([]byte(policyWhole))
	f.Add([]byte(`{"name": "acme", "base": "mozilla-intermediate-6.0", "min_version": "1.3", "certificate_days": 47}`))
	f.Add([]byte(`{"name": "x", "\u006eame": "y", "base": "recommended-2026"}`))
	f.Add([]byte(`{"name": "x", "base": "recommended-2026", "groups": [null, 1, {}]} x`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := tlsconfig.ParsePolicy(data)
		if err != nil {
			require.ErrorIs(t, err, tlsconfig.ErrInvalid)
			require.Equal(t, tlsconfig.Policy{}, p)
			return
		}
		require.True(t, json.Valid(data))
		shown := policyShown(t, p)
		require.NotEmpty(t, shown.Name)
		require.NotEmpty(t, shown.Groups)
		require.NotEmpty(t, shown.Keys)
		require.Equal(t, shown.MinVersion == "1.2", len(shown.Suites) > 0)
		require.GreaterOrEqual(t, shown.RSABits, 2048)
		require.LessOrEqual(t, shown.TicketMinutes, 1440)
		whole, err := json.Marshal(p)
		require.NoError(t, err)
		again, err := tlsconfig.ParsePolicy(whole)
		require.NoError(t, err)
		require.Equal(t, p, again)
		_, err = p.Tighten(p)
		require.NoError(t, err)
	})
}
