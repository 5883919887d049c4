package tlsconfig_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// httpWith is an http.Server with a change.
func (s *served) httpWith(change func(*http.Server)) tlsconfig.Target {
	h := &http.Server{
		ReadHeaderTimeout: time.Second, IdleTimeout: time.Second,
		Handler:   http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{s.server}},
	}
	change(h)
	return tlsconfig.HTTPServer("http", h)
}

func TestAuditOwnHTTP(t *testing.T) {
	s := newServed(t)
	r := auditOf(t, s.ownHTTP(t), s.ownTransport(t))
	require.Empty(t, r.Findings, "%s", r)
	require.Equal(t, []string{"h2", "http/1.1"}, r.Facts[0].Protocols)
	require.ElementsMatch(t, []string{"h2", "http/1.1"}, r.Facts[1].Protocols)
}

func TestTrap13Misdirected(t *testing.T) {
	s := newServed(t)
	trapped(t, 13, tlsconfig.SeverityWarning, s.httpWith(func(*http.Server) {}))
	trapped(t, 13, tlsconfig.SeverityViolation, s.httpWith(func(h *http.Server) { // what it demands may depend on the name
		h.TLSConfig.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, nil }
	}))
	var hosts []string
	right := s.httpWith(func(h *http.Server) {
		h.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hosts = append(hosts, r.Method+" "+r.Host)
			if r.Host != r.TLS.ServerName {
				w.WriteHeader(http.StatusMisdirectedRequest)
			}
		})
	})
	ownFree(t, 13)
	untrapped(t, 13, right)
	require.Equal(t, []string{"HEAD stranger.invalid", "HEAD " + servedHost}, hosts)
}

func TestTrap20NoSuiteForHTTP2(t *testing.T) {
	s := newServed(t)
	only256 := func(h *http.Server) {
		h.TLSConfig.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}
	}
	trapped(t, 20, tlsconfig.SeverityViolation, s.httpWith(only256))
	ownFree(t, 20)
	require.NotContains(t, auditOf(t, s.httpWith(only256)).String(), "deadline", "nobody waits for what is not served")
	untrapped(t, 20, s.httpWith(func(h *http.Server) { only256(h); h.TLSConfig.MinVersion = tls.VersionTLS13 }),
		s.httpWith(func(h *http.Server) {
			only256(h)
			h.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
		}))
}

func TestTrap30NoHTTP2(t *testing.T) {
	s := newServed(t)
	trapped(t, 30, tlsconfig.SeverityWarning,
		tlsconfig.HTTPTransport("config", &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.ca.Pool()}}),
		tlsconfig.HTTPTransport("dialer", &http.Transport{DialContext: (&net.Dialer{}).DialContext}))
	ownFree(t, 30)
	untrapped(t, 30, tlsconfig.HTTPTransport("plain", &http.Transport{}),
		tlsconfig.HTTPTransport("forced", &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.ca.Pool()}, ForceAttemptHTTP2: true}))
}

func TestTrap31NoHandshakeTimeout(t *testing.T) {
	trapped(t, 31, tlsconfig.SeverityWarning, tlsconfig.HTTPTransport("x", &http.Transport{}))
	ownFree(t, 31)
	untrapped(t, 31, tlsconfig.HTTPTransport("x", &http.Transport{TLSHandshakeTimeout: time.Second}))
}

func TestTrap32NoTimeouts(t *testing.T) {
	s := newServed(t)
	trapped(t, 32, tlsconfig.SeverityViolation, s.httpWith(func(h *http.Server) { h.ReadHeaderTimeout = 0 }))
	trapped(t, 32, tlsconfig.SeverityWarning, s.httpWith(func(h *http.Server) { h.IdleTimeout = 0 }))
	ownFree(t, 32)
	untrapped(t, 32, s.httpWith(func(*http.Server) {}), s.httpWith(func(h *http.Server) {
		h.ReadHeaderTimeout, h.IdleTimeout, h.ReadTimeout = 0, 0, time.Second
	}))
}

func TestTrap36DialTLS(t *testing.T) {
	dial := func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }
	own := tlsconfig.HTTPTransport("x", &http.Transport{DialTLSContext: dial})
	trapped(t, 36, tlsconfig.SeverityWarning, own)
	require.Contains(t, strings.Join(auditOf(t, own).Facts[0].NotSeen, "\n"), "DialTLSContext")
	ownFree(t, 36)
}

func TestTrap62StrictTransport(t *testing.T) {
	s := newServed(t)
	trapped(t, 62, tlsconfig.SeverityInfo, s.httpWith(func(*http.Server) {}))
	ownFree(t, 62)
}

// A handler that panics or hangs up is no finding: the audit says that it did not see how it answers.
func TestAuditBrokenHandler(t *testing.T) {
	s := newServed(t)
	r := auditOf(t, s.httpWith(func(h *http.Server) {
		h.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	}))
	require.Contains(t, strings.Join(r.Facts[0].NotSeen, "\n"), "how it answers requests")
}
