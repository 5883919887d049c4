package clients

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
)

// Trap 6.
func constrained(pool *x509.CertPool, ca *x509.Certificate, check func([]*x509.Certificate) error) {
	pool.AddCertWithConstraint(ca, check) // want `trap6: `
	pool.AddCert(ca)
}

// Trap 8.
func authorities(cas *x509.CertPool) []*tls.Config {
	late := &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven}
	late.ClientCAs = cas
	return []*tls.Config{
		late,
		{ClientAuth: tls.RequireAndVerifyClientCert}, // want `trap8: `
		{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: cas},
		{ClientAuth: tls.NoClientCert},
	}
}

// Trap 9.
func system() ([]*tls.Config, error) {
	pool, err := x509.SystemCertPool()
	return []*tls.Config{
		{ClientCAs: pool}, // want `trap9: `
		{RootCAs: pool},
		{ClientCAs: x509.NewCertPool()},
	}, err
}

// Trap 10.
func verified(check func(tls.ConnectionState) error) []*tls.Config {
	return []*tls.Config{
		{ClientAuth: tls.RequestClientCert},    // want `trap10: `
		{ClientAuth: tls.RequireAnyClientCert}, // want `trap10: `
		{ClientAuth: tls.RequireAnyClientCert, VerifyConnection: check},
	}
}

// Trap 11.
func handler(w http.ResponseWriter, r *http.Request) {
	w.Write(r.TLS.PeerCertificates[0].Raw) // want `trap11: `
}

func careful(w http.ResponseWriter, r *http.Request) {
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		w.Write(r.TLS.PeerCertificates[0].Raw)
	}
}

func client() *tls.Config {
	return &tls.Config{VerifyConnection: func(cs tls.ConnectionState) error {
		return cs.PeerCertificates[0].VerifyHostname("db.example.org") // a server always has one
	}}
}

// Trap 12.
func load(pem []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)     // want `trap12: `
	_ = pool.AppendCertsFromPEM(pem) // want `trap12: `
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no CA")
	}
	o := x509.VerifyOptions{Roots: pool, Intermediates: x509.NewCertPool()}
	o.Intermediates.AppendCertsFromPEM(pem)
	o.Roots.AppendCertsFromPEM(pem) // want `trap12: `
	return pool, nil
}
