package tlsconfig

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
)

// Transport returns a RoundTripper that speaks HTTP/2 and HTTP/1.1, under the Client's policy, roots and identity: those of the moment at which each connection is made, also through a proxy. base gives the other settings, and nil means those of
// http.DefaultTransport; it is not changed. It must not have TLS settings of its own, a DialTLSContext or a DialTLS: they would go round the Client. Plain http:// requests are refused.
func (c *Client) Transport(base *http.Transport) (http.RoundTripper, error) {
	if base == nil {
		base = http.DefaultTransport.(*http.Transport)
	}
	switch {
	//lint:ignore SA1019 set all the same by some
	case base.DialTLSContext != nil || base.DialTLS != nil:
		return nil, invalid("the base Transport has a DialTLSContext or DialTLS of its own")
	case base.TLSClientConfig != nil && !harmless(base.TLSClientConfig):
		return nil, invalid("the base Transport has a TLSClientConfig of its own")
	}
	own := base.Clone()
	own.TLSNextProto = nil // bound to the base's connections
	return &transport{client: c, base: own}, nil
}

// harmless tells whether a TLSClientConfig is what net/http makes by itself, as it does when it prepares a Transport for HTTP/2.
func harmless(c *tls.Config) bool {
	own := c.Clone()
	own.NextProtos = nil
	return reflect.DeepEqual(own, &tls.Config{})
}

// transport has a http.Transport for each generation of its Client.
type transport struct {
	client *Client
	base   *http.Transport

	mu      sync.Mutex
	current *lived
}

// lived is the http.Transport of a generation.
type lived struct {
	*http.Transport
	generation *clientGeneration
	open       atomic.Int64 // connections
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL == nil || r.URL.Scheme != "https" {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, invalid("a request must be for https")
	}
	trace := &httptrace.ClientTrace{TLSHandshakeDone: func(cs tls.ConnectionState, err error) {
		if err != nil {
			t.client.failed(err)
		} else {
			t.client.agreed(&cs, true)
		}
	}}
	return t.now().RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
}

// CloseIdleConnections closes the idle connections, as http.Client.CloseIdleConnections asks.
func (t *transport) CloseIdleConnections() { t.now().CloseIdleConnections() }

// now returns the http.Transport of the present generation.
func (t *transport) now() *lived {
	t.mu.Lock()
	defer t.mu.Unlock()
	generation := t.client.now.Load()
	if t.current != nil && t.current.generation == generation {
		return t.current
	}
	next := &lived{Transport: t.base.Clone(), generation: generation}
	next.TLSClientConfig = generation.config.Clone() // net/http sets the name of each connection
	next.TLSClientConfig.VerifyConnection = func(cs tls.ConnectionState) error { return t.client.verify(generation, cs, true) }
	next.ForceAttemptHTTP2 = true
	if next.TLSHandshakeTimeout == 0 {
		next.TLSHandshakeTimeout = handshakeTimeout
	}
	next.DialContext = t.dial(next)
	t.current = next
	go t.drain(next) // at the next change, whether or not anybody calls then
	return next
}

// dial returns the base's DialContext with connections that are counted and tracked.
func (t *transport) dial(l *lived) func(context.Context, string, string) (net.Conn, error) {
	dial := t.base.DialContext
	//lint:ignore SA1019 set all the same by some
	old := t.base.Dial
	switch {
	case dial != nil:
	case old != nil:
		dial = func(_ context.Context, network, addr string) (net.Conn, error) { return old(network, addr) }
	default:
		dial = (&net.Dialer{Timeout: 30 * time.Second}).DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		raw, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		l.open.Add(1)
		if t.ended(l) {
			go t.drain(l) // the one that began with the end may be done
		}
		return t.client.track(raw, l.generation, func() { l.open.Add(-1) }), nil
	}
}

// drain closes the connections of a generation as they get idle, once it or the Client has ended.
func (t *transport) drain(l *lived) {
	for {
		changed := t.client.swaps.wait()
		if t.ended(l) {
			break
		}
		<-changed
	}
	const longest = time.Second
	for wait := time.Millisecond; ; wait = min(2*wait, longest) {
		if t.client.over.Load() || !t.client.drain.Keep {
			l.CloseIdleConnections() // net/http closes those of HTTP/2 only where nothing goes on at this moment
		}
		if l.open.Load() == 0 {
			return
		}
		time.Sleep(wait)
	}
}

// ended tells whether a generation is over.
func (t *transport) ended(l *lived) bool {
	return t.client.over.Load() || t.client.now.Load() != l.generation
}
