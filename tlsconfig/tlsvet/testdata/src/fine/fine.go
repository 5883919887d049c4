// Package fine has what looks like mistakes and is none. Nothing in it may be reported.
package fine

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
)

// settings has fields of the same names as tls.Config, and is none.
type settings struct {
	InsecureSkipVerify bool
	MinVersion         uint16
	ServerName         string
	KeyLogWriter       any
	CipherSuites       []uint16
	Renegotiation      int
	CommonName         string
}

var notTLS = []settings{
	{InsecureSkipVerify: true},
	{MinVersion: tls.VersionTLS10},
	{ServerName: "example.org:443"},
	{KeyLogWriter: 1},
	{CipherSuites: []uint16{}},
	{Renegotiation: 1},
}

func compare(s settings) bool { return s.CommonName == "root" }

func plain() []*tls.Config {
	const skip = false
	verify := false
	return []*tls.Config{
		{InsecureSkipVerify: false},
		{InsecureSkipVerify: skip},
		{InsecureSkipVerify: verify},
		{MinVersion: tls.VersionTLS12},
		{MinVersion: 0},
		{MaxVersion: tls.VersionTLS13},
		{MinVersion: tls.VersionTLS13, MaxVersion: 0},
		{Renegotiation: tls.RenegotiateNever},
		{KeyLogWriter: nil},
		{Rand: rand.Reader},
		{Time: time.Now},
		{CipherSuites: nil},
		{CurvePreferences: nil},
		{CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519}},
		{CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}},
		{ServerName: "example.org"},
		{ServerName: "192.0.2.7"},
		{ServerName: "2001:db8::7"},
		{SessionTicketsDisabled: true, ClientAuth: tls.NoClientCert},
	}
}

func copied(c *tls.Config) *tls.Config {
	return &tls.Config{InsecureSkipVerify: c.InsecureSkipVerify, KeyLogWriter: c.KeyLogWriter, Rand: c.Rand, Time: c.Time, SessionTicketKey: c.SessionTicketKey}
}

func judge(c *tls.Config) error {
	if c.InsecureSkipVerify || c.MinVersion < tls.VersionTLS12 || c.ServerName == "example.org:443" {
		return errors.New("refused")
	}
	return nil
}

func suites() *tls.Config {
	c := &tls.Config{CipherSuites: []uint16{}}
	c.CipherSuites = append(c.CipherSuites, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)
	return c
}

func insecureNames() []string {
	var names []string
	for _, s := range tls.InsecureCipherSuites() {
		names = append(names, s.Name)
	}
	return names
}

func clients(cas *x509.CertPool) []*tls.Config {
	late := &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert}
	late.ClientCAs = cas
	return []*tls.Config{
		late,
		{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: cas},
		{ClientAuth: tls.RequireAnyClientCert, VerifyConnection: pinned},
		{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: cas, VerifyPeerCertificate: seen, VerifyConnection: pinned},
		{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: cas, VerifyPeerCertificate: seen, SessionTicketsDisabled: true},
		{RootCAs: cas, VerifyPeerCertificate: seen},
	}
}

func seen([][]byte, [][]*x509.Certificate) error { return nil }

func pinned(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return errors.New("no certificate")
	}
	return cs.PeerCertificates[0].VerifyHostname("fixed.example.org")
}

func roots(pem []byte) (*tls.Config, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	if ok := pool.AppendCertsFromPEM(pem); !ok {
		return nil, errors.New("no CA")
	}
	return &tls.Config{RootCAs: pool}, nil
}

func handler(w http.ResponseWriter, r *http.Request) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return
	}
	cert := r.TLS.PeerCertificates[0]
	if cert.Subject.CommonName == "" || cert.Issuer.CommonName == "x" {
		return
	}
}

func show(cert *x509.Certificate) string { return cert.Subject.CommonName }

func uris(cert *x509.Certificate, u *url.URL) bool {
	for _, v := range cert.URIs {
		if v.String() == "spiffe://acme.example/ns/prod" || strings.HasPrefix(v.String(), "spiffe://") {
			return true
		}
	}
	for _, name := range cert.DNSNames {
		if strings.HasSuffix(name, ".example.org") || strings.HasPrefix(name, "*.") {
			return true
		}
	}
	return strings.HasPrefix(u.Path, "/api")
}

type store struct{ cert *tls.Certificate }

func (s *store) get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.cert, nil }

func (s *store) config() *tls.Config {
	base := &tls.Config{GetCertificate: s.get, NextProtos: []string{"h2"}}
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := base.Clone()
		c.GetCertificate = s.get
		return c, nil
	}
	return base
}

func load() (*tls.Config, error) {
	c, err := tls.LoadX509KeyPair("a", "b")
	return &tls.Config{Certificates: []tls.Certificate{c}}, err
}

func keysFirst(k [][32]byte) *http.Server {
	c := &tls.Config{}
	c.SetSessionTicketKeys(k)
	return &http.Server{TLSConfig: c, ReadHeaderTimeout: time.Second}
}

func transports(c *tls.Config) []*http.Transport {
	late := &http.Transport{TLSClientConfig: c}
	late.TLSHandshakeTimeout = time.Second
	late.ForceAttemptHTTP2 = true
	own := http.DefaultTransport.(*http.Transport).Clone()
	own.TLSClientConfig = c
	return []*http.Transport{
		late, own,
		{TLSHandshakeTimeout: time.Second},
		{TLSClientConfig: c, TLSHandshakeTimeout: time.Second, ForceAttemptHTTP2: true},
		{TLSClientConfig: c, TLSHandshakeTimeout: time.Second, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}},
	}
}

func servers(h http.Handler) error {
	s := &http.Server{Handler: h, Addr: "127.0.0.1:8080"}
	s.ReadTimeout = time.Second
	go s.ListenAndServe()
	return http.ListenAndServe("localhost:6060", h)
}

func accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() { _ = conn.(*tls.Conn).Handshake() }()
	}
}

func dial(conn *tls.Conn) error { return conn.HandshakeContext(context.Background()) }

func names(host string) {
	raw, _ := net.Dial("tcp", net.JoinHostPort(host, "443"))
	tls.Client(raw, &tls.Config{ServerName: host})
}

func rpc() {
	grpc.NewServer()
	grpc.NewServer(grpc.Creds(nil), grpc.ConnectionTimeout(time.Second))
}

func databases(ctx context.Context, dsn string) {
	_, _ = pgx.Connect(ctx, dsn)
	_, _ = pgx.Connect(ctx, "postgres://app@db.example.org/app?sslmode=verify-full")
	_, _ = pgx.Connect(ctx, "postgres://app@localhost/app")
	_, _ = sql.Open("sqlite", "file.db")
	_, _ = sql.Open("mysql", "app@tcp(127.0.0.1:3306)/app")
	_, _ = sql.Open("mysql", "app@tcp(db.example.org:3306)/app?tls=corp")
}

func ignored(h http.Handler) error {
	//tlsvet:ignore trap54 behind the proxy of the same pod
	return http.ListenAndServe(":8080", h)
}

func everyName(cert *x509.Certificate) []string {
	all := []string{cert.Subject.CommonName}
	for _, name := range cert.DNSNames {
		if name != cert.Subject.CommonName {
			all = append(all, name)
		}
	}
	for _, ip := range cert.IPAddresses {
		if text := ip.String(); text != cert.Subject.CommonName {
			all = append(all, text)
		}
	}
	return all
}

func hurried() []*http.Client {
	t := &http.Transport{MaxIdleConns: 10}
	return []*http.Client{
		{Timeout: time.Second, Transport: t},
		{Timeout: time.Second, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}},
	}
}

func ofClient() *tls.Config {
	pool, _ := x509.SystemCertPool()
	return &tls.Config{RootCAs: pool, ClientCAs: pool}
}

func monitoring(of func() *tls.Config) *tls.Config {
	return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := of().Clone()
		c.ClientAuth = tls.NoClientCert
		return c, nil
	}}
}
