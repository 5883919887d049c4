package tlsconfig_test

import (
	"context"
	"crypto/fips140"
	"crypto/tls"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// auditOf audits targets against the recommended policy.
func auditOf(t testing.TB, targets ...tlsconfig.Target) *tlsconfig.Report {
	t.Helper()
	r, err := tlsconfig.Audit(t.Context(), tlsconfig.Policy{}, targets...)
	require.NoError(t, err)
	return r
}

// violations returns the texts of those in a report.
func violations(r *tlsconfig.Report) (list []string) {
	for _, f := range r.Findings {
		if f.Severity == tlsconfig.SeverityViolation {
			list = append(list, f.What)
		}
	}
	return list
}

// auditPolicies returns the profiles that this process can keep.
func auditPolicies() map[string]tlsconfig.Policy {
	all := map[string]tlsconfig.Policy{}
	for _, name := range []string{"recommended-2026", "mozilla-modern-6.0", "mozilla-intermediate-6.0", "pq-required-2026", "internal-mtls-2026", "nist-800-52r2"} {
		if name != "nist-800-52r2" || fips140.Enabled() {
			all[name], _ = tlsconfig.Named(name)
		}
	}
	return all
}

func TestAuditOwn(t *testing.T) {
	s := newServed(t)
	for name, p := range auditPolicies() {
		t.Run(name, func(t *testing.T) {
			server := s.newServer(t, &tlsconfig.ServerOptions{Policy: p, Clients: s.clients()})
			client := s.newClient(t, &tlsconfig.ClientOptions{Policy: p, Identity: tlsconfig.Static(s.client)})
			targets := []tlsconfig.Target{
				tlsconfig.ServerConfig("mutual", server.Config()),
				tlsconfig.ClientConfig("by name", client.Snapshot(servedHost)),
				tlsconfig.ClientConfig("by address", client.Snapshot("127.0.0.1")),
			}
			if name != "internal-mtls-2026" {
				targets = append(targets, tlsconfig.ServerConfig("open", s.newServer(t, &tlsconfig.ServerOptions{Policy: p}).Config()))
			}
			r, err := tlsconfig.Audit(t.Context(), p, targets...)
			require.NoError(t, err)
			require.Empty(t, r.Findings, "%s", r)
			require.NoError(t, r.Err())
			require.Equal(t, name, r.Policy)
			for _, facts := range r.Facts {
				require.Contains(t, facts.Versions, "TLS 1.3")
				require.NotEmpty(t, facts.Groups)
				require.Equal(t, p.Name() == "pq-required-2026", !strings.Contains(strings.Join(facts.Groups, " "), "P-256 "), facts.Groups)
			}
			require.Equal(t, "required", r.Facts[0].Clients)
			require.Equal(t, []string{"TLS 1.3", "TLS 1.3 after Clone"}, r.Facts[0].Resumes)
			require.Equal(t, []string{"h2", "http/1.1"}, r.Facts[0].Protocols)
			require.Len(t, r.Facts[1].Refuses, 3)
			require.Len(t, r.Facts[1].Takes, 1)
		})
	}
}

// What one policy allows another may forbid: the audit sees each difference in what is served.
func TestAuditAgainstStricter(t *testing.T) {
	s := newServed(t)
	for name, p := range auditPolicies() {
		if name != "pq-required-2026" && name != "internal-mtls-2026" {
			continue
		}
		r, err := tlsconfig.Audit(t.Context(), p,
			tlsconfig.ServerConfig("server", s.newServer(t, nil).Config()), tlsconfig.ClientConfig("client", s.newClient(t, nil).Snapshot(servedHost)))
		require.NoError(t, err)
		require.ErrorIs(t, r.Err(), tlsconfig.ErrViolation)
		for _, target := range []string{"server", "client"} {
			var traps []int
			for _, f := range r.Findings {
				if f.Target == target && f.Severity == tlsconfig.SeverityViolation {
					traps = append(traps, f.Trap)
				}
			}
			want := []int{0, 14} // no certificates of clients, TLS 1.2
			if name == "pq-required-2026" {
				want = []int{14, 16}
			}
			require.Equal(t, want, traps, "%s", r)
		}
	}
}

func TestAuditRefuses(t *testing.T) {
	for name, targets := range map[string][]tlsconfig.Target{
		"none":          nil,
		"zero":          {{}},
		"nil server":    {tlsconfig.ServerConfig("x", nil)},
		"nil client":    {tlsconfig.ClientConfig("x", nil)},
		"nil http":      {tlsconfig.HTTPServer("x", nil)},
		"nil transport": {tlsconfig.ClientConfig("fine", &tls.Config{}), tlsconfig.HTTPTransport("x", nil)},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := tlsconfig.Audit(t.Context(), tlsconfig.Policy{}, targets...)
			require.ErrorIs(t, err, tlsconfig.ErrInvalid)
			require.Nil(t, r)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := tlsconfig.Audit(ctx, tlsconfig.Policy{}, tlsconfig.ServerConfig("x", &tls.Config{Certificates: []tls.Certificate{newServed(t).server}}))
	require.ErrorIs(t, err, context.Canceled)
	require.Nil(t, r)
}

// A policy that the process can't keep is a violation, whatever the config does.
func TestAuditWithoutFIPS(t *testing.T) {
	if fips140.Enabled() {
		t.Skip("FIPS mode is on")
	}
	r, err := tlsconfig.Audit(t.Context(), tlsconfig.NIST80052r2(), tlsconfig.ServerConfig("x", newServed(t).newServer(t, nil).Config()))
	require.NoError(t, err)
	for _, r := range []*tlsconfig.Report{r, tlsconfig.AuditProcess(tlsconfig.NIST80052r2())} {
		require.ErrorIs(t, r.Err(), tlsconfig.ErrViolation)
		require.Contains(t, strings.Join(violations(r), "\n"), "this process can't keep the policy")
	}
}

func TestAuditOfNothing(t *testing.T) {
	r := auditOf(t, tlsconfig.ServerConfig("no certificate", &tls.Config{}), tlsconfig.HTTPServer("no config", &http.Server{ReadTimeout: time.Second}),
		tlsconfig.HTTPServer("config of nothing", &http.Server{ReadTimeout: time.Second, TLSConfig: &tls.Config{}}))
	require.Len(t, violations(r), 3, "%s", r)
	for _, facts := range r.Facts {
		require.NotEmpty(t, facts.NotSeen)
	}
}

// A server that has certificates for names alone is asked for the name of the target.
func TestAuditByName(t *testing.T) {
	s := newServed(t)
	server, err := tlsconfig.NewServer(t.Context(), tlsconfig.BySNI(nil, map[string]tlsconfig.Identity{servedHost: tlsconfig.Static(s.server)}), nil)
	require.NoError(t, err)
	defer server.Close()
	require.NoError(t, auditOf(t, tlsconfig.ServerConfig(servedHost, server.Config())).Err())
	require.Error(t, auditOf(t, tlsconfig.ServerConfig("elsewhere.example", server.Config())).Err())
	require.Equal(t, "refused", auditOf(t, tlsconfig.ServerConfig(servedHost, server.Config())).Facts[0].UnknownName)
}

// Groups of TLS 1.2 are looked at on their own: a config may depend on the version.
func TestAuditGroupsByVersion(t *testing.T) {
	s := newServed(t)
	r := auditOf(t, s.serverWith(func(c *tls.Config) {
		c.CurvePreferences = []tls.CurveID{tls.X25519MLKEM768, tls.CurveP256}
		old := c.Clone()
		old.CurvePreferences = []tls.CurveID{tls.CurveP521}
		c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			if slices.Contains(h.SupportedVersions, tls.VersionTLS13) {
				return nil, nil
			}
			return old, nil
		}
	}))
	require.Equal(t, []string{"X25519MLKEM768", "P-256", "P-521"}, r.Facts[0].Groups)
	require.Contains(t, violations(r), "it agrees to groups beyond the policy: P-521")
}
