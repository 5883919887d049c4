package tlsconfig_test

import (
	"crypto/tls"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// ownServer is one of ours, which lets in the clients of the CA.
func (s *served) ownServer(t *testing.T) tlsconfig.Target {
	return tlsconfig.ServerConfig("own server", s.newServer(t, &tlsconfig.ServerOptions{Clients: s.clients()}).Config())
}

// ownClient is one of ours.
func (s *served) ownClient(t *testing.T) tlsconfig.Target {
	return tlsconfig.ClientConfig("own client", s.newClient(t, &tlsconfig.ClientOptions{Identity: tlsconfig.Static(s.client)}).Snapshot(servedHost))
}

// ownHTTP is an http.Server that one of ours serves.
func (s *served) ownHTTP(t *testing.T) tlsconfig.Target {
	h := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=63072000")
	})}
	addr := serveHTTP(t, s.newServer(t, nil), h)
	conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: s.ca.Pool(), ServerName: servedHost})
	require.NoError(t, err)
	require.NoError(t, conn.Close()) // it is set up by then
	return tlsconfig.HTTPServer("own http", h)
}

// ownTransport is what one of ours makes.
func (s *served) ownTransport(t *testing.T) tlsconfig.Target {
	rt, err := s.newClient(t, nil).Transport(nil)
	require.NoError(t, err)
	return tlsconfig.HTTPTransport("own transport", tlsconfig.TransportOf(rt))
}

// ownAudit is the audit of all that is ours, made once for all the tests that look at it.
var ownAudit struct {
	once   sync.Once
	report *tlsconfig.Report
}

// ownFree checks that nothing of ours has a finding of the trap.
func ownFree(t *testing.T, trap int) {
	t.Helper()
	ownAudit.once.Do(func() {
		s := newServed(t)
		ownAudit.report = auditOf(t, s.ownServer(t), s.ownClient(t), s.ownHTTP(t), s.ownTransport(t))
	})
	require.NotNil(t, ownAudit.report, "the audit failed in another test")
	require.Len(t, ownAudit.report.Facts, 4)
	require.NotContains(t, traps(ownAudit.report), trap, "%s", ownAudit.report)
}
