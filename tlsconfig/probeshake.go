package tlsconfig

import (
	"context"
	"crypto/fips140"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// greeting is a handshake with an endpoint that verifies nothing, and what was seen in it.
type greeting struct {
	state   tls.ConnectionState // when the server had said all; its Version is 0 if it never did
	asked   bool                // for a certificate
	refusal error               // nil if both ends were content, as far as this one knows
}

// greet makes a handshake by crypto/tls, and calls use with the connection if it succeeds. The error is that the endpoint does not answer: a refusal is none.
func (q *probing) greet(ctx context.Context, config *tls.Config, use func(conn *tls.Conn, asked bool) error) (g greeting, err error) {
	//tlsvet:ignore trap1 a probe looks at bad certificates, and sends no secret
	config.InsecureSkipVerify = true // bad certificates are what a probe must see; nothing is said to the server but HEAD /
	if config.MinVersion == 0 {
		config.MinVersion = tls.VersionTLS10 //tlsvet:ignore trap14 a probe asks for what is bad
	}
	if config.ServerName == "" {
		config.ServerName = q.host // crypto/tls sends no address
	}
	if config.CipherSuites == nil {
		config.CipherSuites = oldSuites()
	}
	err = q.patiently(ctx, func() error {
		g = greeting{}
		own := config.Clone()
		own.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			g.asked = true
			return &tls.Certificate{}, nil
		}
		own.VerifyConnection = func(cs tls.ConnectionState) error {
			g.state = cs
			return nil
		}
		conn, done, err := q.within(ctx)
		if err != nil {
			return err
		}
		client := tls.Client(conn, own)
		if err := client.HandshakeContext(conn.ctx); err != nil {
			done()
			g.refusal = err
			if answered(err) {
				return nil
			}
			return q.stillHere(ctx, err)
		}
		defer done()
		if use != nil {
			stop := context.AfterFunc(conn.ctx, func() { _ = conn.Close() }) // ends reads and writes
			defer stop()
			g.refusal = use(client, g.asked)
		}
		return nil
	})
	if err == nil && config.ServerName == q.host {
		q.shown(g.state.PeerCertificates)
	}
	return g, err
}

// stillHere takes an error for a refusal if it is that the endpoint hangs up, and it still answers others.
func (q *probing) stillHere(ctx context.Context, err error) error {
	var network net.Error
	if errors.As(err, &network) && network.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return q.stillThere(ctx)
}

// lookHandshakes looks at what only whole handshakes show: whether clients are asked, protocols, and what an unknown name gets.
func (q *probing) lookHandshakes(ctx context.Context) {
	if fips140.Enabled() {
		q.note(&q.notSeen, "what only handshakes with versions, suites and groups show that FIPS 140-3 mode forbids: this process makes none")
	}
	var wait sync.WaitGroup
	wait.Go(func() { q.lookClients(ctx) })
	wait.Go(func() { q.lookUnknown(ctx) })
	protocols := slices.Concat(q.endpoint.Protocols, []string{"h2", "http/1.1"})
	slices.Sort(protocols)
	for _, protocol := range slices.Compact(protocols) {
		wait.Go(func() {
			g, err := q.greet(ctx, &tls.Config{NextProtos: []string{protocol}}, nil)
			switch {
			case err != nil:
				q.unseen("a protocol", err)
			case g.state.NegotiatedProtocol == protocol:
				q.mu.Lock()
				q.protocols = append(q.protocols, protocol)
				q.mu.Unlock()
			}
		})
	}
	wait.Wait()
	slices.Sort(q.protocols)
}

// lookClients looks whether clients are asked for certificates.
func (q *probing) lookClients(ctx context.Context) {
	g, err := q.greet(ctx, &tls.Config{}, parting)
	switch {
	case err != nil:
		q.unseen("certificate, and whether clients are asked for one", err)
	case g.state.Version == 0:
		q.note(&q.notSeen, "certificate, and whether clients are asked for one: crypto/tls makes no handshake with it: %q", plain(g.refusal))
	case !g.asked && g.refusal != nil && isAlert(g.refusal):
		q.note(&q.notSeen, "whether clients are asked for certificates: it refuses one that was not asked: %q", plain(g.refusal))
	case !g.asked:
		q.clients = "not asked"
	case g.refusal == nil:
		q.clients = "optional"
	case isAlert(g.refusal):
		q.clients = "required"
	default:
		q.note(&q.notSeen, "whether clients must show the certificate that they are asked for: %q", plain(bare(g.refusal)))
	}
}

// patience is how long a server that asked for a certificate has to refuse a client that shows none, before the client ends the connection.
const patience = time.Second

// parting waits for what the server makes of a client: nil if it ends the connection in peace when the client does, has something to say, or did not ask for a certificate.
func parting(conn *tls.Conn, asked bool) error {
	if !asked {
		return nil
	}
	before := time.Now().Add(questionTime)
	if conn.ConnectionState().Version == tls.VersionTLS13 {
		_ = conn.SetReadDeadline(time.Now().Add(patience)) // an alert that comes after our own might be lost with a reset
		_, err := conn.Read(make([]byte, 1))
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil || !isTimeout(err) {
			return err
		}
	}
	_ = conn.SetReadDeadline(before)
	_ = conn.CloseWrite()
	_, err := io.CopyN(io.Discard, conn, maxChatter)
	return peaceful(err)
}

// lookUnknown looks what who asks for a name that nobody has gets.
func (q *probing) lookUnknown(ctx context.Context) {
	g, err := q.greet(ctx, &tls.Config{ServerName: strangeHost}, nil)
	switch {
	case err != nil:
		q.unseen("what an unknown name gets", err)
	case g.state.Version != 0:
		q.unknown = "served"
	case isAlert(g.refusal):
		q.unknown = "refused"
	default:
		q.note(&q.notSeen, "what an unknown name gets: %q", plain(bare(g.refusal)))
	}
}

// lookChains looks for a certificate with another kind of key, if there are suites of TLS 1.2 for both.
func (q *probing) lookChains(ctx context.Context) {
	for _, prefix := range []string{"TLS_ECDHE_ECDSA_", "TLS_ECDHE_RSA_"} {
		suites := withPrefix(q.suites[tls.VersionTLS12], prefix)
		suites = slices.DeleteFunc(suites, func(id uint16) bool { return !slices.Contains(oldSuites(), id) })
		if len(suites) == 0 {
			continue
		}
		if _, err := q.greet(ctx, &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: suites}, nil); err != nil {
			q.unseen("a certificate", err)
		}
	}
}

// ticketWaiter is a session cache that ends what reads when it has a session.
type ticketWaiter struct {
	oneSession
	conn net.Conn
}

func (c *ticketWaiter) Put(name string, session *tls.ClientSessionState) {
	c.oneSession.Put(name, session)
	if session != nil && c.conn != nil {
		_ = c.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// lookSessions looks whether sessions of a version are resumed.
func (q *probing) lookSessions(ctx context.Context, version uint16) {
	if version < tls.VersionTLS10 {
		return // crypto/tls has it not
	}
	cache := &ticketWaiter{}
	config := &tls.Config{MinVersion: version, MaxVersion: version, ClientSessionCache: cache}
	first, err := q.greet(ctx, config, func(conn *tls.Conn, _ bool) error {
		if version < tls.VersionTLS13 {
			return nil
		}
		cache.conn = conn.NetConn()
		_ = conn.SetReadDeadline(time.Now().Add(patience)) // a ticket comes at once, or never
		_, err := io.CopyN(io.Discard, conn, maxChatter)
		if _, ok := cache.Get(""); ok {
			return nil
		}
		return peaceful(err)
	})
	what := "whether sessions of " + tls.VersionName(version) + " are resumed"
	switch {
	case err != nil:
		q.unseen(what, err)
		return
	case first.refusal != nil && !isTimeout(first.refusal):
		q.note(&q.notSeen, "%s: %q", what, plain(bare(first.refusal)))
		return
	}
	if _, ok := cache.Get(""); !ok {
		return
	}
	cache.conn = nil
	second, err := q.greet(ctx, config, nil)
	if err != nil {
		q.unseen(what, err)
	} else if second.state.DidResume {
		q.mu.Lock()
		q.resumes = append(q.resumes, version)
		q.mu.Unlock()
	}
}

// lookHSTS asks for HEAD / by HTTP/1.1.
func (q *probing) lookHSTS(ctx context.Context) {
	g, err := q.greet(ctx, &tls.Config{NextProtos: []string{"http/1.1"}}, func(conn *tls.Conn, _ bool) error {
		resp, err := head(ctx, conn, q.authority(), "holdfast-probe")
		if err == nil {
			value := resp.Header.Get("Strict-Transport-Security")
			q.hsts = &value
		}
		return err
	})
	if err == nil {
		err = g.refusal
	}
	if err != nil {
		q.note(&q.notSeen, "Strict-Transport-Security: %q", plain(bare(err)))
	}
}

// authority returns what a request names as its host.
func (q *probing) authority() string {
	if _, port, err := net.SplitHostPort(q.endpoint.Address); err == nil && port != "443" || q.name == "" {
		return net.JoinHostPort(q.host, port)
	}
	return q.host
}

// verify says whether clients with the roots of the endpoint take a chain.
func (q *probing) verify(chain []*x509.Certificate) error {
	cs := &tls.ConnectionState{PeerCertificates: chain}
	return verifyAgain(cs, x509.VerifyOptions{Roots: q.roots, DNSName: q.host})
}
