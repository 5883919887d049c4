package tlsconfig

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// ErrUnanswered says that an endpoint did not answer, or not all that it was asked: what a report says of it is not all there is.
var ErrUnanswered = errors.New("unanswered")

// Endpoint is a server on a network, for Probe.
type Endpoint struct {
	// Address is "host:port". It stands in the report.
	Address string
	// ServerName is the DNS name or IP address that the certificate is to be for, and the name that is asked for. Empty for the host of Address.
	ServerName string
	// Roots are those that the certificate is verified by. Nil for SystemRoots; under a policy of private roots the certificate is not verified then, which the report says.
	Roots Roots
	// Protocols are application protocols (ALPN) to ask for, besides h2 and http/1.1: at most 16, of 1 to 255 bytes.
	Protocols []string
	// Dial makes a connection, until ctx ends. It is called from several goroutines. Nil for a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Bounds of a probe.
const (
	sideBySide    = 8               // endpoints at a time
	perEndpoint   = 8               // connections at a time to each
	endpointTime  = time.Minute     // for all of an endpoint: the limit for one that is slow, where most take less than a second
	questionTime  = 5 * time.Second // for a connection and its answer
	maxAnswered   = 500             // connections to an endpoint
	maxUnanswered = 8               // questions, after which an endpoint is not asked further
	maxProtocols  = 16              // of an endpoint that are asked for
)

// Probe judges servers on a network by what they do, as Audit judges configs: versions from SSL 3.0 on, cipher suites, groups, certificates and who trusts them, resumption, application protocols, how clients are asked for certificates, and
// Strict-Transport-Security of those that speak HTTP/1.1. It offers what crypto/tls has not. The policy counts as it is: in which FIPS 140-3 mode this process is changes nothing but what handshakes can be made, which the report says.
//
// Sets are found by elimination: a server is offered all, then again without what it took, until it refuses. That takes some 40 connections for a server of TLS 1.2 and 1.3, and as many round trips one after another, and more where it agrees to more; at most 500 connections, of which 8 are open at a time. At most
// 8 endpoints are looked at side by side. A question has 5 seconds and is asked up to 3 times, an endpoint has a minute, and after 8 questions without an answer it is left alone. A server that hangs up without a word, or
// says that something is wrong with itself, has refused only if it does so three times and agrees in between to what it has agreed to before. What the policy judges and was not seen is ErrUnanswered. Of several addresses of a name one is looked at; behind it may
// be several servers, and what one of them has alone may be missed, and so may a second certificate in TLS 1.3 that clients like crypto/tls don't get. No data is sent but a HEAD / to who agrees to http/1.1, and no certificate is shown.
//
// A report with all that was seen comes with the error if that is ErrUnanswered: endpoints that can't be reached, did not answer all, or were not done when ctx ended. ErrInvalid comes alone, before anything is sent.
func Probe(ctx context.Context, p Policy, endpoints ...Endpoint) (*Report, error) {
	if len(endpoints) == 0 {
		return nil, invalid("there is no endpoint to probe")
	}
	all := make([]*probing, len(endpoints))
	for i, e := range endpoints {
		var err error
		if all[i], err = newProbing(p, e); err != nil {
			return nil, err
		}
	}
	var wait sync.WaitGroup
	slots := make(chan struct{}, sideBySide)
	for _, e := range all {
		slots <- struct{}{} // comes back in time: an endpoint has a limit, and ctx ends each
		wait.Go(func() {
			defer func() { <-slots }()
			within, cancel := context.WithTimeout(ctx, endpointTime)
			defer cancel()
			e.look(within)
		})
	}
	wait.Wait()
	a := &auditor{policy: p, rules: p.rules().within(p.rules().fips), report: &Report{Policy: p.Name(), Findings: []Finding{}}}
	var unanswered []error
	for _, e := range all {
		x := &examined{auditor: a, facts: Facts{Target: e.target(), Kind: kindEndpoint}}
		x.judgeEndpoint(e)
		a.report.Facts = append(a.report.Facts, x.facts)
		if e.failed != nil {
			unanswered = append(unanswered, fmt.Errorf("tlsconfig: %w: %q: %w", ErrUnanswered, x.facts.Target, e.failed))
		}
	}
	a.report.sort()
	return a.report, errors.Join(unanswered...)
}

// newProbing refuses an endpoint that can't be asked.
func newProbing(p Policy, e Endpoint) (*probing, error) {
	host, port, err := net.SplitHostPort(e.Address)
	if err != nil || host == "" || port == "" || len(e.Address) > maxAuditText {
		return nil, invalid("an endpoint has the address %.100q, want host:port", e.Address)
	}
	if e.ServerName != "" {
		host = e.ServerName
	}
	q := &probing{endpoint: e, host: host, mutual: p.needsClients(), slots: make(chan struct{}, perEndpoint), suites: map[uint16][]uint16{}}
	if addr, err := netip.ParseAddr(host); err == nil {
		q.host = addr.WithZone("").String() // certificates have none
	} else {
		if q.host, err = canonicalDNS(host); err != nil {
			return nil, invalid("endpoint %.100q: server name %.100q: %w", e.Address, host, err)
		}
		q.name = q.host
	}
	if len(e.Protocols) > maxProtocols || slices.ContainsFunc(e.Protocols, func(name string) bool { return name == "" || len(name) > 255 }) {
		return nil, invalid("endpoint %.100q: want at most %d protocols of 1 to 255 bytes", e.Address, maxProtocols)
	}
	if e.Roots == nil && p.privateRoots() {
		return q, nil
	}
	roots := e.Roots
	if roots == nil {
		roots = SystemRoots()
	}
	if q.roots, err = roots.Pool(); err != nil {
		return nil, invalid("endpoint %.100q: %w", e.Address, err)
	}
	if q.roots == nil || q.roots.Equal(x509.NewCertPool()) {
		return nil, invalid("endpoint %.100q: there are no roots", e.Address)
	}
	return q, nil
}

// target returns what an endpoint is called in the report.
func (q *probing) target() string {
	if q.endpoint.ServerName == "" {
		return q.endpoint.Address
	}
	return q.endpoint.Address + " as " + q.host
}
