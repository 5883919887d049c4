package seeded

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

func handler(w http.ResponseWriter, r *http.Request) {
	cert := r.TLS.PeerCertificates[0] // seed:11
	switch cert.Subject.CommonName {  // seed:47
	case "admin":
	}
	cn := cert.Subject.CommonName
	if cn == "root" { // seed:47
		return
	}
	if strings.HasSuffix(cn, "-admin") { // seed:47
		return
	}
}

func trusted(cert *x509.Certificate) bool {
	for _, u := range cert.URIs {
		if strings.HasPrefix(u.String(), "spiffe://acme.example") { // seed:48
			return true
		}
	}
	if len(cert.URIs) == 1 && strings.HasPrefix(cert.URIs[0].Path, "/ns/prod") { // seed:48
		return true
	}
	for _, name := range cert.DNSNames {
		if strings.Contains(name, "internal") { // seed:48
			return true
		}
	}
	return false
}

func reader(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair("cert.pem", "key.pem") // seed:41
	return &c, err
}

func disk() *tls.Config { return &tls.Config{GetCertificate: reader} }

func diskLater() *tls.Config {
	c := &tls.Config{}
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pem, err := os.ReadFile("both.pem") // seed:41
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(pem, pem)
		return &pair, err
	}
	return c
}

func siblings(admin *x509.CertPool) *tls.Config {
	base := &tls.Config{NextProtos: []string{"h2"}}
	base.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if h.ServerName == "admin.example.org" {
			c := base.Clone() // seed:4
			c.ClientAuth = tls.RequireAndVerifyClientCert
			c.ClientCAs = admin
			return c, nil
		}
		return &tls.Config{ // seed:29
			Certificates: base.Certificates,
		}, nil
	}
	return base
}

type reloader struct{ cas *x509.CertPool }

func (r *reloader) config(*tls.ClientHelloInfo) (*tls.Config, error) {
	return &tls.Config{ClientCAs: r.cas, ClientAuth: tls.RequireAndVerifyClientCert, NextProtos: []string{"h2"}}, nil // seed:4
}

func (r *reloader) outer() *tls.Config { return &tls.Config{GetConfigForClient: r.config} }

func rotate(keys chan [][32]byte, cert tls.Certificate) {
	c := &tls.Config{Certificates: []tls.Certificate{cert}}
	srv := &http.Server{TLSConfig: c, ReadHeaderTimeout: time.Second}
	go func() {
		for k := range keys {
			c.SetSessionTicketKeys(k) // seed:26
		}
	}()
	_ = srv.ListenAndServeTLS("", "")
}

func rotateGRPC(k [][32]byte) any {
	c := &tls.Config{}
	creds := credentials.NewTLS(c)
	c.SetSessionTicketKeys(k) // seed:26
	return creds
}

func strong() *http.Server {
	c := &tls.Config{CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}} // seed:20
	return &http.Server{TLSConfig: c, ReadTimeout: time.Second}
}

func transports(c *tls.Config) []http.RoundTripper {
	t := &http.Transport{TLSHandshakeTimeout: time.Second} // fine until a dialer or config is set
	return []http.RoundTripper{
		t,
		&http.Transport{TLSClientConfig: c, TLSHandshakeTimeout: time.Second},                               // seed:30
		&http.Transport{MaxIdleConns: 4},                                                                    // seed:31
		&http.Transport{DialContext: (&net.Dialer{}).DialContext, TLSHandshakeTimeout: time.Second},         // seed:30
		&http.Transport{DialTLS: nil, ForceAttemptHTTP2: true, DialTLSContext: dialTLS, TLSClientConfig: c}, // seed:36
	}
}

func dialTLS(context.Context, string, string) (net.Conn, error) { return nil, nil }

func servers(h http.Handler) error {
	s := &http.Server{Addr: ":8443", Handler: h} // seed:32
	go s.ListenAndServeTLS("a", "b")
	go http.ListenAndServeTLS(":443", "a", "b", h) // seed:32
	bare := http.Server{}                          // seed:32
	bare.Addr = ":80"
	go bare.ListenAndServe()               // seed:54
	return http.ListenAndServe(":8080", h) // seed:54
}

func accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		if err := conn.(*tls.Conn).Handshake(); err != nil { // seed:33
			continue
		}
		go conn.Close()
	}
}

func acceptRaw(ctx context.Context, l *net.TCPListener, c *tls.Config) {
	for {
		raw, err := l.AcceptTCP()
		if err != nil {
			return
		}
		secured := tls.Server(raw, c)
		if secured.HandshakeContext(ctx) != nil { // seed:33
			raw.Close()
		}
	}
}

func rpc(c *tls.Config) {
	creds := grpc.Creds(credentials.NewTLS(c))
	grpc.NewServer(creds)         // seed:34
	_ = insecure.NewCredentials() // seed:54
}

const dsn = "postgres://app@db.example.org/app?sslmode=require"

func databases(ctx context.Context) {
	_, _ = pgx.Connect(ctx, dsn)                                               // seed:53
	_, _ = pgx.ParseConfig("host=db.example.org user=app")                     // seed:53
	_, _ = sql.Open("mysql", "app@tcp(db.example.org:3306)/app?tls=preferred") // seed:53
	_, _ = sql.Open("pgx", "host=db.example.org sslmode=disable")              // seed:53
	c := &mysql.Config{AllowFallbackToPlaintext: true}                         // seed:53
	c.TLSConfig = "skip-verify"                                                // seed:53
}

type client interface{ AddBroker(string) client }

func broker(c client) { c.AddBroker("tcp://mqtt.example.org:1883") } // seed:54

func unhurried() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConns: 10}} // seed:31
}
