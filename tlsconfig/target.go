package tlsconfig

import (
	"crypto/tls"
	"net/http"
)

// Target is something to audit. ServerConfig, ClientConfig, HTTPServer and HTTPTransport make them; its zero value is none.
type Target struct {
	name      string
	kind      string
	config    *tls.Config
	server    *http.Server
	transport *http.Transport
}

// The kinds of targets.
const (
	kindServer        = "server"
	kindClient        = "client"
	kindHTTPServer    = "http server"
	kindHTTPTransport = "http transport"
	kindProcess       = "process"
	kindEndpoint      = "endpoint"
)

// ServerConfig is the config of a server. name stands in the report; a server whose certificates are chosen by name is asked for this one, if it is a DNS name.
func ServerConfig(name string, c *tls.Config) Target {
	return Target{name: name, kind: kindServer, config: c}
}

// ClientConfig is the config of a client. name stands in the report.
func ClientConfig(name string, c *tls.Config) Target {
	return Target{name: name, kind: kindClient, config: c}
}

// HTTPServer is a server for HTTP: its TLSConfig, as ServerConfig says, its timeouts, and how it answers a request for another host than the connection's. Its Handler is called for two requests, HEAD / without a body. Of one for
// [Server.Serve], which has no TLSConfig, the config is that of the Server once it is served. Don't call Audit while ServeTLS or Serve begin, since they change fields.
func HTTPServer(name string, s *http.Server) Target {
	return Target{name: name, kind: kindHTTPServer, server: s}
}

// HTTPTransport is a transport for HTTP: its TLSClientConfig, as ClientConfig says, its timeouts, and whether it speaks HTTP/2. The audit clones it, which sets up its HTTP/2 as its first request does: set its fields before.
func HTTPTransport(name string, t *http.Transport) Target {
	return Target{name: name, kind: kindHTTPTransport, transport: t}
}

// check refuses a target of nothing.
func (t Target) check() error {
	if t.config == nil && t.server == nil && t.transport == nil {
		return invalid("target %.100q is nil", t.name)
	}
	return nil
}
