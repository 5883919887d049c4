package tlsconfig_test

import (
	"context"
	"crypto/fips140"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// endpoint is one at addr, with a certificate of the CA.
func (s *served) endpoint(addr string) tlsconfig.Endpoint {
	return tlsconfig.Endpoint{Address: addr, ServerName: servedHost, Roots: s.roots()}
}

// probeOf probes an endpoint that answers all.
func probeOf(t testing.TB, p tlsconfig.Policy, e tlsconfig.Endpoint) (*tlsconfig.Report, tlsconfig.Facts) {
	t.Helper()
	r, err := tlsconfig.Probe(t.Context(), p, e)
	require.NoError(t, err)
	require.Len(t, r.Facts, 1)
	require.Equal(t, "endpoint", r.Facts[0].Kind)
	require.Positive(t, r.Facts[0].Connections)
	return r, r.Facts[0]
}

// modern is a config within the recommended policy, of TLS 1.3.
func (s *served) modern() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{s.server}, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.CurveP256}}
}

// withHSTS is a handler that sets Strict-Transport-Security.
func withHSTS(value string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Strict-Transport-Security", value) })
}

// quietHTTP serves plain configs on loopback, without the log of every probe.
func quietHTTP(t testing.TB, config *tls.Config, h http.Handler) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: h, TLSConfig: config, ErrorLog: log.New(io.Discard, "", 0)}
	var wait sync.WaitGroup
	wait.Go(func() { _ = server.ServeTLS(l, "", "") })
	t.Cleanup(func() {
		server.Close()
		wait.Wait()
	})
	return l.Addr().String()
}

// trapsOf are the traps of a report that show from outside.
func trapsOf(r *tlsconfig.Report) (list []int) {
	for _, f := range r.Findings {
		if slices.Contains([]int{0, 11, 14, 16, 21, 22, 28, 38, 42, 44, 45}, f.Trap) && !slices.Contains(list, f.Trap) {
			list = append(list, f.Trap)
		}
	}
	slices.Sort(list)
	return list
}

// agree says that an audit and a probe have seen the same.
func agree(t *testing.T, audit, probe *tlsconfig.Report) {
	t.Helper()
	a, p := audit.Facts[0], probe.Facts[0]
	require.ElementsMatch(t, a.Versions, p.Versions)
	require.ElementsMatch(t, a.Suites, p.Suites)
	require.ElementsMatch(t, a.Groups, p.Groups)
	require.Equal(t, a.Protocols, p.Protocols)
	require.Equal(t, a.Clients, p.Clients)
	require.Equal(t, a.UnknownName, p.UnknownName)
	require.Equal(t, a.Names, p.Names)
	require.Equal(t, a.NotAfter, p.NotAfter)
	require.Equal(t, trapsOf(audit), trapsOf(probe), "%s\n%s", audit, probe)
}

// Audit and Probe see the same server in every profile.
func TestProbeAgreesWithAudit(t *testing.T) {
	s := newServed(t)
	for name, p := range auditPolicies() {
		t.Run(name, func(t *testing.T) {
			for _, clients := range []*tlsconfig.Clients{nil, s.clients()} {
				if clients == nil && name == "internal-mtls-2026" {
					continue
				}
				server := s.newServer(t, &tlsconfig.ServerOptions{Policy: p, Clients: clients})
				audit, err := tlsconfig.Audit(t.Context(), p, tlsconfig.ServerConfig(servedHost, server.Config()))
				require.NoError(t, err)
				probe, facts := probeOf(t, p, s.endpoint(serveHTTP(t, server, &http.Server{Handler: withHSTS("max-age=63072000; includeSubDomains"), ErrorLog: log.New(io.Discard, "", 0)})))
				agree(t, audit, probe)
				require.Empty(t, probe.Findings, "%s", probe)
				require.Equal(t, "verified", facts.Trust)
				want := []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
				if fips140.Enabled() {
					want = want[:2]
				}
				require.Equal(t, want, facts.Suites13)
				if clients == nil {
					require.Equal(t, []string{"TLS 1.3"}, facts.Resumes)
					require.Equal(t, "max-age=63072000; includeSubDomains", facts.HSTS)
					require.Equal(t, fips140.Enabled(), len(facts.NotSeen) > 0, facts.NotSeen)
				}
			}
		})
	}
}

// So they do where a config is bad.
func TestProbeAgreesWithAuditOfBad(t *testing.T) {
	if fips140.Enabled() {
		t.Skip("FIPS mode serves nothing of this")
	}
	s := newServed(t)
	rsa := s.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"*.example"}, Server: true, Key: tlsconfigtest.KeyRSA2048})
	for name, config := range map[string]*tls.Config{
		"all of crypto/tls": {Certificates: []tls.Certificate{rsa}, MinVersion: tls.VersionTLS10, CipherSuites: allSuites()},
		"both keys":         {Certificates: []tls.Certificate{s.server, s.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{servedHost}, Server: true, Key: tlsconfigtest.KeyRSA2048})}},
		"ECDSA":             {Certificates: []tls.Certificate{s.server}, MaxVersion: tls.VersionTLS12, CurvePreferences: []tls.CurveID{tls.CurveP521, tls.CurveP256}},
		"optional":          {Certificates: []tls.Certificate{s.server}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: s.ca.Pool()},
		"required of 1.2":   {Certificates: []tls.Certificate{s.server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: s.ca.Pool(), MaxVersion: tls.VersionTLS12},
		"required":          {Certificates: []tls.Certificate{s.server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: s.ca.Pool(), MinVersion: tls.VersionTLS13},
	} {
		t.Run(name, func(t *testing.T) {
			config.NextProtos = []string{"h2", "http/1.1"} // as package http sets it
			audit := auditOf(t, tlsconfig.ServerConfig(servedHost, config.Clone()))
			probe, _ := probeOf(t, tlsconfig.Policy{}, s.endpoint(quietHTTP(t, config, withHSTS("max-age=1"))))
			agree(t, audit, insideOnly(t, probe))
		})
	}
}

// insideOnly adds to a probe what an audit alone finds: in the config itself, and as a client that is let in.
func insideOnly(t *testing.T, r *tlsconfig.Report) *tlsconfig.Report {
	switch facts := r.Facts[0]; facts.Clients {
	case "optional":
		r.Findings = append(r.Findings, tlsconfig.Finding{Trap: 11})
	case "required":
		require.Contains(t, strings.Join(facts.NotSeen, "\n"), "are resumed")
		if slices.Contains(facts.Versions, "TLS 1.2") {
			r.Findings = append(r.Findings, tlsconfig.Finding{Trap: 28})
		}
	}
	return r
}

// allSuites are all that crypto/tls has.
func allSuites() (ids []uint16) {
	for _, s := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		ids = append(ids, s.ID)
	}
	return ids
}

func TestProbeTrust(t *testing.T) {
	s := newServed(t)
	addr := quietHTTP(t, s.modern(), withHSTS("max-age=1"))
	other := s.endpoint(addr)
	other.Roots = tlsconfig.RootPEM(tlsconfigtest.NewCA(t, nil).PEM())
	wrong := s.endpoint(addr)
	wrong.ServerName = "wrong.example"
	byAddress := s.endpoint(addr)
	byAddress.ServerName = ""
	for name, c := range map[string]struct {
		endpoint tlsconfig.Endpoint
		trust    string
		finds    []string
	}{
		"good":         {s.endpoint(addr), "verified", nil},
		"by address":   {byAddress, "verified", nil},
		"another CA":   {other, "not verified", []string{"unknown authority"}},
		"another name": {wrong, "not verified", []string{"not wrong.example"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, facts := probeOf(t, tlsconfig.Policy{}, c.endpoint)
			require.Equal(t, c.trust, facts.Trust)
			found := violations(r)
			require.Len(t, found, len(c.finds), "%s", r)
			for i, want := range c.finds {
				require.Contains(t, found[i], want)
			}
		})
	}
	e := s.endpoint(addr)
	e.Roots = nil
	_, facts := probeOf(t, tlsconfig.InternalMTLS(), e)
	require.Equal(t, "not verified", facts.Trust)
	require.Contains(t, facts.NotSeen[len(facts.NotSeen)-1], "private roots")
}

func TestProbeHSTS(t *testing.T) {
	s := newServed(t)
	for value, bad := range map[string]bool{
		"": true, "max-age=0": true, "includeSubDomains": true, "max-age=x": true,
		"max-age=31536000": false, `includeSubDomains ; Max-Age="1" ;preload`: false,
	} {
		r, facts := probeOf(t, tlsconfig.Policy{}, s.endpoint(quietHTTP(t, s.modern(), withHSTS(value))))
		found := slices.ContainsFunc(r.Findings, func(f tlsconfig.Finding) bool { return f.Trap == 62 })
		require.Equal(t, bad, found, "%q: %s", value, r)
		require.Equal(t, value, facts.HSTS)
	}
}

// Endpoints side by side: each has its own facts, and one that is not there takes nothing from the others.
func TestProbeFleet(t *testing.T) {
	s := newServed(t)
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	gone.Close()
	var endpoints []tlsconfig.Endpoint
	for range 10 {
		endpoints = append(endpoints, s.endpoint(quietHTTP(t, s.modern(), withHSTS("max-age=1"))))
	}
	endpoints[3] = s.endpoint(gone.Addr().String())
	r, err := tlsconfig.Probe(t.Context(), tlsconfig.Policy{}, endpoints...)
	require.ErrorIs(t, err, tlsconfig.ErrUnanswered)
	require.Len(t, r.Facts, 10)
	for i, facts := range r.Facts {
		require.Contains(t, facts.Target, endpoints[i].Address)
		require.Equal(t, i == 3, len(facts.Versions) == 0)
		require.Equal(t, i == 3, len(facts.NotSeen) > 0 && !fips140.Enabled() || i == 3, facts.NotSeen)
	}
}

// An endpoint that lets few connections in at a time is seen in full, or said not to be.
func TestProbeOfLimited(t *testing.T) {
	s := newServed(t)
	addr := quietHTTP(t, &tls.Config{Certificates: []tls.Certificate{s.server}}, withHSTS("max-age=1"))
	_, whole := probeOf(t, tlsconfig.Policy{}, s.endpoint(addr))
	for name, dial := range map[string]func(n int) bool{
		"every third": func(n int) bool { return n%3 == 2 },
		"after 20":    func(n int) bool { return n >= 20 },
	} {
		t.Run(name, func(t *testing.T) {
			e := s.endpoint(addr)
			var mu sync.Mutex
			n := 0
			e.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				mu.Lock()
				defer mu.Unlock()
				if n++; dial(n) {
					return nil, errors.New("limited")
				}
				return new(net.Dialer).DialContext(ctx, network, address)
			}
			r, err := tlsconfig.Probe(t.Context(), tlsconfig.Policy{}, e)
			if err != nil {
				require.ErrorIs(t, err, tlsconfig.ErrUnanswered)
				require.NotEmpty(t, r.Facts[0].NotSeen)
				return
			}
			require.Equal(t, whole.Suites, r.Facts[0].Suites)
			require.Equal(t, whole.Groups, r.Facts[0].Groups)
			require.Equal(t, whole.Versions, r.Facts[0].Versions)
		})
	}
}

func TestProbeRefuses(t *testing.T) {
	for name, endpoints := range map[string][]tlsconfig.Endpoint{
		"none":         nil,
		"zero":         {{}},
		"no port":      {{Address: "host.example"}},
		"no host":      {{Address: ":443"}},
		"bad host":     {{Address: "a b:443"}},
		"bad name":     {{Address: "127.0.0.1:443", ServerName: "-"}},
		"bad protocol": {{Address: "127.0.0.1:443", Protocols: []string{""}}},
		"bad roots":    {{Address: "127.0.0.1:443", Roots: tlsconfig.RootPEM(nil)}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := tlsconfig.Probe(t.Context(), tlsconfig.Policy{}, endpoints...)
			require.ErrorIs(t, err, tlsconfig.ErrInvalid)
			require.Nil(t, r)
		})
	}
	s := newServed(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := tlsconfig.Probe(ctx, tlsconfig.Policy{}, s.endpoint("127.0.0.1:1"))
	require.ErrorIs(t, err, tlsconfig.ErrUnanswered)
	require.ErrorIs(t, err, context.Canceled)
	require.NotEmpty(t, r.Facts[0].Unanswered)
	require.Contains(t, r.String(), ", 1 endpoint not seen whole\n")
}
