// Package seeded has mistakes as programs make them. Each line that a report must name ends in the number of its trap.
package seeded

import (
	"crypto/rand"
	ctls "crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"time"
)

type options struct {
	insecure bool
	base     *ctls.Config
}

type option func(*options)

func withInsecure() option { return func(o *options) { o.insecure = true } }

func fromOptions(opts ...option) *ctls.Config {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return &ctls.Config{MinVersion: ctls.VersionTLS13, InsecureSkipVerify: o.insecure} // seed:1
}

func literal() *ctls.Config {
	return &ctls.Config{
		InsecureSkipVerify: true, // seed:1
	}
}

func variable() *ctls.Config {
	skip := true
	return &ctls.Config{InsecureSkipVerify: skip} // seed:1
}

func cloned(base *ctls.Config) *ctls.Config {
	c := base.Clone()
	c.InsecureSkipVerify = true // seed:1
	return c
}

func optionFunc() func(*ctls.Config) {
	return func(c *ctls.Config) { c.InsecureSkipVerify = true } // seed:1
}

func flags() *ctls.Config {
	c := new(ctls.Config)
	flag.BoolVar(&c.InsecureSkipVerify, "k", false, "skip") // seed:1
	return c
}

func environment() *ctls.Config {
	return &ctls.Config{InsecureSkipVerify: os.Getenv("SKIP") == "1"} // seed:1
}

func byParameter() *ctls.Config { return parameter(true) }

func parameter(skip bool) *ctls.Config {
	c := ctls.Config{}
	c.InsecureSkipVerify = skip // seed:1
	return &c
}

type dialer struct{ config *ctls.Config }

func (d *dialer) relax() { d.config.InsecureSkipVerify = true } // seed:1

func named(pool *x509.CertPool) *ctls.Config {
	return &ctls.Config{
		InsecureSkipVerify: true, // seed:2
		VerifyConnection: func(cs ctls.ConnectionState) error {
			_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: pool, DNSName: cs.ServerName})
			return err
		},
	}
}

func checkName(cs ctls.ConnectionState) error {
	return cs.PeerCertificates[0].VerifyHostname(cs.ServerName)
}

func namedByFunction() *ctls.Config {
	c := &ctls.Config{RootCAs: x509.NewCertPool()}
	c.InsecureSkipVerify = true // seed:2
	c.VerifyConnection = checkName
	return c
}

type authorizer struct{ allowed map[string]bool }

func (a *authorizer) peer(raw [][]byte, _ [][]*x509.Certificate) error {
	cert, err := x509.ParseCertificate(raw[0])
	if err != nil {
		return err
	}
	if !a.allowed[cert.Subject.CommonName] { // seed:47
		return errors.New("no")
	}
	return nil
}

func (a *authorizer) server(cas *x509.CertPool) *ctls.Config {
	return &ctls.Config{
		ClientAuth: ctls.RequireAndVerifyClientCert, ClientCAs: cas,
		VerifyPeerCertificate: a.peer, // seed:3
	}
}

func clientPinned(pool *x509.CertPool) *ctls.Config {
	c := &ctls.Config{RootCAs: pool, ClientSessionCache: ctls.NewLRUClientSessionCache(0)}
	c.VerifyPeerCertificate = func([][]byte, [][]*x509.Certificate) error { return nil } // seed:3
	return c
}

func optionalRequest(cert ctls.Certificate, cas *x509.CertPool) *ctls.Config {
	auth := ctls.RequestClientCert
	return &ctls.Config{Certificates: []ctls.Certificate{cert}, ClientCAs: cas, ClientAuth: auth} // seed:10
}

func anyCert() *ctls.Config {
	c := &ctls.Config{MinVersion: ctls.VersionTLS12}
	c.ClientAuth = ctls.RequireAnyClientCert // seed:10
	return c
}

func noCAs(cert ctls.Certificate) *ctls.Config {
	return &ctls.Config{
		Certificates: []ctls.Certificate{cert},
		ClientAuth:   ctls.RequireAndVerifyClientCert, // seed:8
	}
}

func noCAsLater() net.Listener {
	var c ctls.Config
	c.ClientAuth = ctls.VerifyClientCertIfGiven // seed:8
	l, _ := ctls.Listen("tcp", ":8443", &c)
	return l
}

func systemCAs(pem []byte) *ctls.Config {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil
	}
	return &ctls.Config{ClientCAs: pool, ClientAuth: ctls.RequireAndVerifyClientCert} // seed:9
}

func pool() *x509.CertPool {
	p, _ := x509.SystemCertPool()
	return p
}

func systemByHelper() *ctls.Config {
	c := &ctls.Config{ClientAuth: ctls.RequireAndVerifyClientCert}
	c.ClientCAs = pool() // seed:9
	return c
}

func constrained(p *x509.CertPool, ca *x509.Certificate) {
	p.AddCertWithConstraint(ca, func([]*x509.Certificate) error { return nil }) // seed:6
}

func loadCA(file string) *x509.CertPool {
	pem, _ := os.ReadFile(file)
	p := x509.NewCertPool()
	p.AppendCertsFromPEM(pem) // seed:12
	return p
}

func loadCAQuietly(pem []byte) *x509.CertPool {
	p := x509.NewCertPool()
	_ = p.AppendCertsFromPEM(pem) // seed:12
	return p
}

const oldest = ctls.VersionTLS10

func versions() []*ctls.Config {
	low := &ctls.Config{}
	low.MinVersion = oldest // seed:14
	v := uint16(ctls.VersionTLS11)
	return []*ctls.Config{
		low,
		{MinVersion: 0x0301}, // seed:14
		{MinVersion: v},      // seed:14
		{MinVersion: ctls.VersionTLS12, MaxVersion: ctls.VersionTLS11}, // seed:14
	}
}

func groups() []*ctls.Config {
	curves := []ctls.CurveID{ctls.X25519, ctls.CurveP256}
	late := &ctls.Config{}
	late.CurvePreferences = append(late.CurvePreferences, ctls.CurveP521) // seed:16
	return []*ctls.Config{
		{CurvePreferences: []ctls.CurveID{ctls.CurveP256}}, // seed:16
		{CurvePreferences: curves},                         // seed:16
		late,
	}
}

var modern = []uint16{
	ctls.TLS_AES_128_GCM_SHA256, // seed:18
	ctls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	ctls.TLS_RSA_WITH_AES_128_CBC_SHA,        // seed:22
	ctls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, // seed:22
}

func suites() []*ctls.Config {
	c := &ctls.Config{CipherSuites: modern}
	var all ctls.Config
	for _, s := range ctls.InsecureCipherSuites() { // seed:22
		all.CipherSuites = append(all.CipherSuites, s.ID)
	}
	return []*ctls.Config{c, &all, {CipherSuites: []uint16{}}} // seed:19
}

func secrets() *ctls.Config {
	w, _ := os.OpenFile("keys", os.O_WRONLY, 0o600)
	c := &ctls.Config{KeyLogWriter: w}               // seed:24
	c.Renegotiation = ctls.RenegotiateFreelyAsClient // seed:23
	return c
}

func keyLog(c *ctls.Config, w io.Writer) { c.KeyLogWriter = w } // seed:24

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

func sources() []*ctls.Config {
	return []*ctls.Config{
		{Rand: zeros{}}, // seed:25
		{Time: func() time.Time { return time.Unix(0, 0) }}, // seed:25
		{Rand: rand.Reader, Time: time.Now},
		{Renegotiation: ctls.RenegotiateOnceAsClient}, // seed:23
	}
}

func ticketKey() *ctls.Config {
	c := &ctls.Config{SessionTicketKey: [32]byte{1, 2, 3}} // seed:27
	return c
}

func names(conn net.Conn, addr string) {
	raw, _ := net.Dial("tcp", addr)
	ctls.Client(raw, &ctls.Config{ServerName: addr})                        // seed:46
	ctls.Client(conn, &ctls.Config{ServerName: "db.example.org:5432"})      // seed:46
	ctls.Client(conn, &ctls.Config{ServerName: "db.example.org."})          // seed:46
	ctls.Client(conn, &ctls.Config{ServerName: conn.RemoteAddr().String()}) // seed:46
}
