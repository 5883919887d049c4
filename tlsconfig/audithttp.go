package tlsconfig

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
)

// auditHTTPServer judges an http.Server.
func (e *examined) auditHTTPServer(ctx context.Context, h *http.Server, name string) {
	if h.ReadHeaderTimeout == 0 && h.ReadTimeout == 0 {
		e.find(32, SeverityViolation, "set ReadHeaderTimeout; Server.Serve does", "ReadHeaderTimeout and ReadTimeout are zero: a client that says nothing holds a connection for ever, before its handshake and after it")
	}
	if h.IdleTimeout == 0 && h.ReadTimeout == 0 {
		e.find(32, SeverityWarning, "set IdleTimeout; Server.Serve does", "IdleTimeout and ReadTimeout are zero: a client holds an idle connection for ever")
	}
	config := h.TLSConfig
	if check, ok := h.Handler.(*hostCheck); ok {
		config = check.server.Config()
	}
	if config == nil {
		e.find(0, SeverityViolation, "serve it with Server.Serve, or set TLSConfig; before Serve audit Server.Config", "TLSConfig is nil: it serves plain HTTP, or what crypto/tls has by itself")
		e.unseen("all that the server does")
		return
	}
	own := likeness(h, config.Clone())
	defer own.Close()
	chosen := len(config.Certificates) > 0 || config.GetCertificate != nil || config.GetConfigForClient != nil // else it would look for files
	if err := own.ServeTLS(noListener{}, "", ""); chosen && !errors.Is(err, net.ErrClosed) {                   // it sets up HTTP/2, which changes the config
		e.find(20, SeverityViolation, "list TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or its ECDSA twin, set MinVersion to tls.VersionTLS13, or switch HTTP/2 off", "net/http does not serve it: %q", brief(err.Error()))
	}
	s := e.auditServer(ctx, own.TLSConfig.Clone(), name)
	if s.chain != nil && len(s.versions) > 0 && ctx.Err() == nil {
		s.askHosts(ctx, h)
	}
}

// likeness returns a server that does as h does, with a config of its own.
func likeness(h *http.Server, config *tls.Config) *http.Server {
	own := &http.Server{
		Handler: h.Handler, TLSConfig: config, Protocols: h.Protocols, ReadHeaderTimeout: shakeTimeout, MaxHeaderBytes: h.MaxHeaderBytes,
		BaseContext: h.BaseContext, ConnContext: h.ConnContext, ErrorLog: log.New(io.Discard, "", 0),
	}
	if _, h2 := h.TLSNextProto["h2"]; h.TLSNextProto != nil && !h2 {
		own.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){} // HTTP/2 is switched off so
	}
	return own
}

// askHosts looks how the server answers requests for the host of the connection and for another.
func (s *serving) askHosts(ctx context.Context, h *http.Server) {
	client, config, ok := s.friend()
	if !ok {
		return
	}
	client.NextProtos = []string{"http/1.1"}
	for _, other := range []bool{true, false} {
		host := client.ServerName
		if other {
			host = strangeHost
		}
		resp, err := request(ctx, likeness(h, config), client, host)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.unseen("how it answers requests: %q", plain(err))
			return
		case other && resp.StatusCode != http.StatusMisdirectedRequest:
			severity := SeverityWarning
			if s.byName || s.config.GetConfigForClient != nil {
				severity = SeverityViolation
			}
			s.find(13, severity, "answer requests whose Host or :authority is not the name of the connection with 421; Server.Serve does",
				"a request for another host than the connection's is answered with %d, not 421: rules that depend on the name of the connection can be gone round", resp.StatusCode)
		case !other && resp.Header.Get("Strict-Transport-Security") == "":
			s.find(62, SeverityInfo, "for browsers set Strict-Transport-Security to max-age=63072000", "an answer has no Strict-Transport-Security")
		}
	}
}
