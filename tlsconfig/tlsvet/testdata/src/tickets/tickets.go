package tickets

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"time"
)

// Traps 4 and 29.
func siblings(cas *x509.CertPool, check func(tls.ConnectionState) error) *tls.Config {
	outer := &tls.Config{NextProtos: []string{"h2"}}
	outer.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		switch h.ServerName {
		case "admin.example.org":
			c := outer.Clone() // want `trap4: `
			c.ClientCAs = cas
			return c, nil
		case "checked.example.org":
			c := outer.Clone()
			c.ClientCAs = cas
			c.VerifyConnection = check
			return c, nil
		case "public.example.org":
			return outer.Clone(), nil
		case "old.example.org":
			return &tls.Config{ // want `trap29: `
				Certificates: outer.Certificates,
			}, nil
		}
		return &tls.Config{NextProtos: []string{"h2"}}, nil
	}
	return outer
}

// Trap 29: a server of HTTP sets NextProtos itself, in the outer config only.
func web(cert tls.Certificate) *http.Server {
	c := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{cert}}, nil // want `trap29: `
	}}
	return &http.Server{TLSConfig: c, ReadHeaderTimeout: time.Second}
}

// Trap 26.
func rotate(keys chan [][32]byte, first [][32]byte) *http.Server {
	c := &tls.Config{}
	c.SetSessionTicketKeys(first)
	go func() {
		for k := range keys {
			c.SetSessionTicketKeys(k) // want `trap26: `
		}
	}()
	return &http.Server{TLSConfig: c, ReadHeaderTimeout: time.Second}
}

// Trap 27.
func keys(c *tls.Config) []*tls.Config {
	return []*tls.Config{
		{SessionTicketKey: [32]byte{1}}, // want `trap27: `
		{SessionTicketKey: c.SessionTicketKey},
	}
}

// Trap 41.
func disk(held *tls.Certificate) []*tls.Config {
	return []*tls.Config{
		{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			cert, err := tls.LoadX509KeyPair("cert.pem", "key.pem") // want `trap41: `
			return &cert, err
		}},
		{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			pem, err := os.ReadFile("ca.pem") // want `trap41: `
			return &tls.Config{ServerName: string(pem)}, err
		}},
		{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return held, nil }},
	}
}

func once() ([]byte, error) { return os.ReadFile("ca.pem") }
