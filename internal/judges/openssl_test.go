package judges_test

import (
	"crypto/tls"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// judgeByOpenSSL has `openssl s_client` fetch the page with all suites and groups that it knows, again without what the server takes, until it is refused. It knows no hybrids before version 3.5.
func judgeByOpenSSL(t *testing.T, s *server) {
	client := find(t, "openssl")
	got := offer{}
	for _, v := range []struct {
		version      uint16
		flag, suites string
		groups       []string
	}{
		{tls.VersionTLS10, "-tls1", "-cipher", opensslCurves},
		{tls.VersionTLS11, "-tls1_1", "-cipher", opensslCurves},
		{tls.VersionTLS12, "-tls1_2", "-cipher", opensslCurves},
		{tls.VersionTLS13, "-tls1_3", "-ciphersuites", append([]string{"ffdhe2048", "ffdhe3072"}, opensslCurves...)},
	} {
		suites, groups := opensslSuites(t, client, v.flag), v.groups
		level := ""
		if v.suites == "-cipher" {
			level = ":@SECLEVEL=0" // or it would not offer what is weak
		}
		try := func() (suite, group string, agreed bool) {
			return s.fetch(t, client, v.flag, v.suites, strings.Join(suites, ":")+level, "-groups", strings.Join(groups, ":"))
		}
		for len(suites) > 0 {
			suite, _, agreed := try()
			if !agreed {
				break
			}
			require.Contains(t, suites, suite)
			got.add(v.version, opensslID(t, client, suite), 0)
			suites = without(suites, suite)
		}
		if s.groupsOfKey(v.version) {
			continue
		}
		suites = opensslSuites(t, client, v.flag)
		for len(groups) > 0 {
			_, group, agreed := try()
			if !agreed {
				break
			}
			require.Contains(t, groups, group)
			got.add(v.version, 0, opensslGroups[group])
			groups = without(groups, group)
		}
	}
	want := s.offer(s.key).classical()
	for version, t := range want {
		if s.groupsOfKey(version) {
			want[version] = terms{suites: t.suites}
		}
	}
	require.Equal(t, want, got)

	// What the Observer was told of all judges is what there is, too.
	whole, seen := s.offer(s.key), s.seen.handshakes()
	require.Equal(t, len(want) > 0, len(seen) > 0)
	for _, event := range seen {
		require.Contains(t, whole[event.Version].suites, event.Suite)
		require.Contains(t, whole[event.Version].groups, event.Group)
	}

	if s.clients {
		nobody := *s
		nobody.cert, nobody.pem = "", ""
		_, _, agreed := nobody.fetch(t, client, "-tls1_3")
		require.False(t, agreed, "a client without a certificate gets the page")
	}
}

// opensslCurves are the groups that s_client can be told to offer.
var opensslCurves = []string{"X25519", "prime256v1", "secp384r1", "secp521r1", "X448", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1", "secp256k1", "secp224r1"}

// opensslGroups are the numbers of the first of them. The others have one that no profile has.
var opensslGroups = map[string]tls.CurveID{"X25519": tls.X25519, "prime256v1": tls.CurveP256, "secp384r1": tls.CurveP384, "secp521r1": tls.CurveP521}

// groupsOfKey says whether the groups that a client offers are also those of ECDSA certificates that it takes (RFC 8422 section 5.1), so that none can be left out.
func (s *server) groupsOfKey(version uint16) bool {
	return version < tls.VersionTLS13 && s.key == tlsconfigtest.KeyP256
}

// fetch has s_client fetch the page, and returns what it was fetched with.
func (s *server) fetch(t *testing.T, client string, args ...string) (suite, group string, agreed bool) {
	t.Helper()
	args = append([]string{"s_client", "-connect", s.address(), "-servername", "localhost", "-CAfile", s.ca, "-verify_return_error", "-verify_hostname", "localhost", "-brief", "-ign_eof"}, args...)
	if s.cert != "" {
		args = append(args, "-cert", s.cert, "-key", s.pem)
	}
	out, err := run(t, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", client, args...)
	if strings.Contains(out, page) {
		require.NoError(t, err, out)
		require.Contains(t, out, "Verification: OK")
		return find1(t, out, `Ciphersuite: (\S+)`), find1(t, out, `(?:Server|Peer) Temp Key: (?:ECDH, )?([^,]+),`), true
	}
	require.Error(t, err, out)
	require.Contains(t, out, "SSL alert number", "want a refusal by the server")
	return "", "", false
}

// opensslSuites returns the suites that s_client has for a version.
func opensslSuites(t *testing.T, client, version string) []string {
	t.Helper()
	if version == "-tls1_3" {
		return []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"}
	}
	out, err := run(t, "", client, "ciphers", "-s", version, "ALL:COMPLEMENTOFALL:@SECLEVEL=0")
	require.NoError(t, err, out)
	return strings.Split(strings.TrimSpace(out), ":")
}

// opensslID returns the number of a suite.
func opensslID(t *testing.T, client, suite string) uint16 {
	t.Helper()
	out, err := run(t, "", client, "ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0")
	require.NoError(t, err, out)
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); slices.Contains(fields, suite) {
			hex := strings.ReplaceAll(strings.ReplaceAll(fields[0], "0x", ""), ",", "")
			id, err := strconv.ParseUint(hex, 16, 16)
			require.NoError(t, err)
			return uint16(id)
		}
	}
	t.Fatalf("no number for %s", suite)
	return 0
}

// find1 returns the group of the first match.
func find1(t *testing.T, text, pattern string) string {
	t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(text)
	require.Len(t, match, 2, "%s in %s", pattern, text)
	return match[1]
}
