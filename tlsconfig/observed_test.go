package tlsconfig_test

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// TestReportOnly: a stricter policy refuses nothing and tells what it would have refused, as it does when it is enforced.
func TestReportOnly(t *testing.T) {
	s := newServed(t)
	s.client = s.ca.Issue(&tlsconfigtest.Leaf{DNS: []string{"client.example"}, Client: true, Key: tlsconfigtest.KeyP256})
	classical := []tls.CurveID{tls.X25519, tls.CurveP256}
	for name, c := range map[string]struct {
		report tlsconfig.Policy
		edit   func(*tls.Config)
		want   tlsconfig.Reason
	}{
		"all well":       {tlsconfig.PostQuantumRequired(), func(*tls.Config) {}, tlsconfig.Allowed},
		"no hybrid":      {tlsconfig.PostQuantumRequired(), func(c *tls.Config) { c.CurvePreferences = classical }, tlsconfig.ReasonGroup},
		"TLS 1.2":        {tlsconfig.PostQuantumRequired(), func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, tlsconfig.ReasonVersion},
		"no certificate": {tlsconfig.InternalMTLS(), func(c *tls.Config) { c.Certificates = nil }, tlsconfig.ReasonNoCertificate},
	} {
		t.Run(name, func(t *testing.T) {
			config := s.plain()
			c.edit(config)
			seen := &events{}
			clients := s.clients()
			clients.Optional = true
			server := s.newServer(t, &tlsconfig.ServerOptions{Clients: clients, ReportOnly: &c.report, Observer: seen})
			addr := echo(t, server.Config())
			for range 3 { // one in full, the others resumed where they can be
				mustHear(t, addr, config)
			}
			require.Len(t, seen.of(tlsconfig.KindHandshake), 3)
			require.Empty(t, seen.of(tlsconfig.KindRefused))
			would := seen.of(tlsconfig.KindWouldRefuse)
			if c.want == tlsconfig.Allowed {
				require.Empty(t, would)
			} else {
				require.Len(t, would, 3)
				require.Equal(t, c.want, would[0].Reason)
			}
			clients.Optional = false
			if c.report.Name() != tlsconfig.InternalMTLS().Name() {
				clients.Optional = true
			}
			enforced := s.newServer(t, &tlsconfig.ServerOptions{Clients: clients, Policy: c.report})
			_, err := hear(echo(t, enforced.Config()), config)
			require.Equal(t, c.want != tlsconfig.Allowed, err != nil, err)
		})
	}
}

// TestReportOnlyAtClient judges what was negotiated.
func TestReportOnlyAtClient(t *testing.T) {
	s := newServed(t)
	report := tlsconfig.PostQuantumRequired()
	for _, c := range []struct {
		server *tls.Config
		want   tlsconfig.Reason
	}{
		{&tls.Config{}, tlsconfig.Allowed},
		{&tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP256}}, tlsconfig.ReasonGroup},
		{&tls.Config{MaxVersion: tls.VersionTLS12}, tlsconfig.ReasonVersion},
	} {
		c.server.Certificates = []tls.Certificate{s.server}
		seen := &events{}
		client := s.newClient(t, &tlsconfig.ClientOptions{ReportOnly: &report, Observer: seen})
		mustHear(t, echo(t, c.server), client.Snapshot(servedHost))
		require.Len(t, seen.of(tlsconfig.KindHandshake), 1)
		would := seen.of(tlsconfig.KindWouldRefuse)
		if c.want == tlsconfig.Allowed {
			require.Empty(t, would)
			continue
		}
		require.Len(t, would, 1)
		require.Equal(t, c.want, would[0].Reason)
	}
}

// TestRefusedWithoutServe: where a library serves the config, the Observer still hears that a client did not come in.
func TestRefusedWithoutServe(t *testing.T) {
	s := newServed(t)
	seen := &events{}
	addr := echo(t, s.newServer(t, &tlsconfig.ServerOptions{Clients: s.clients(), Observer: seen}).Config())
	config := s.plain()
	config.Certificates = nil
	_, err := hear(addr, config)
	require.Error(t, err)
	require.Eventually(t, func() bool { return len(seen.of(tlsconfig.KindRefused)) == 1 }, 10*time.Second, time.Millisecond)
	require.Empty(t, seen.of(tlsconfig.KindHandshake))
	mustHear(t, addr, s.plain())
	require.Len(t, seen.of(tlsconfig.KindHandshake), 1)
	require.Len(t, seen.of(tlsconfig.KindRefused), 1)
}

// TestConfigWithoutItsCallback: a config of ours that lost the callback that makes it live lets nobody in.
func TestConfigWithoutItsCallback(t *testing.T) {
	s := newServed(t)
	config := s.newServer(t, nil).Config()
	config.GetConfigForClient = nil
	_, err := hear(echo(t, config), s.plain())
	require.Error(t, err)
}

// TestProtocols: HTTP/2 is offered through the callback too, and others as asked.
func TestProtocols(t *testing.T) {
	s := newServed(t)
	for _, c := range []struct {
		server, client []string
		want           string
	}{
		{nil, []string{"h2", "http/1.1"}, "h2"},
		{nil, []string{"http/1.1"}, "http/1.1"},
		{nil, nil, ""},
		{[]string{"mqtt"}, []string{"mqtt"}, "mqtt"},
		{[]string{}, []string{"h2"}, ""},
	} {
		config := s.plain()
		config.NextProtos = c.client
		cs := mustHear(t, echo(t, s.newServer(t, &tlsconfig.ServerOptions{Protocols: c.server}).Config()), config)
		require.Equal(t, c.want, cs.NegotiatedProtocol)
	}
}
