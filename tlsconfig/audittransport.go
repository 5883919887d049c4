package tlsconfig

import (
	"context"
	"crypto/tls"
	"net/http"
	"slices"
)

// auditHTTPTransport judges an http.Transport.
func (e *examined) auditHTTPTransport(ctx context.Context, t *http.Transport) {
	own := t.Clone()
	e.judgeTransport(own)
	config := own.TLSClientConfig
	if config == nil {
		config = &tls.Config{}
	}
	if !slices.Contains(config.NextProtos, "h2") {
		e.find(30, SeverityWarning, "set ForceAttemptHTTP2, or use Client.Transport", "it does not speak HTTP/2: net/http switches that off where TLSClientConfig or a dialer is set")
	}
	e.auditClient(ctx, config)
}

// judgeTransport judges what surrounds the config of a transport.
func (e *examined) judgeTransport(t *http.Transport) {
	if t.TLSHandshakeTimeout == 0 {
		e.find(31, SeverityWarning, "set TLSHandshakeTimeout; Client.Transport does", "TLSHandshakeTimeout is zero: a server that says nothing holds a request for ever")
	}
	//lint:ignore SA1019 set all the same by some
	if t.DialTLSContext != nil || t.DialTLS != nil {
		e.find(36, SeverityWarning, "leave it nil and use Client.Transport", "DialTLSContext or DialTLS is set: TLSClientConfig counts for proxied requests only, and its dialer for all others")
		e.unseen("what DialTLSContext or DialTLS does: this is about TLSClientConfig")
	}
}
