package tlsconfig

import "net/http"

// TransportOf returns the http.Transport that a RoundTripper of a Client uses now.
func TransportOf(rt http.RoundTripper) *http.Transport { return rt.(*transport).now().Transport }
