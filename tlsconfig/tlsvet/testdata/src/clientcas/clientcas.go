package clientcas

import (
	"crypto/tls"
	"crypto/x509"
)

var bad = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert} // want `trap8: `

func later() *tls.Config {
	var c tls.Config
	c.ClientAuth = tls.VerifyClientCertIfGiven // want `trap8: `
	return &c
}

// From elsewhere: it says nothing of the configs above.
func foreign(c *tls.Config, pool *x509.CertPool) { c.ClientCAs = pool }

func base() *tls.Config {
	return &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert}
}

func clone(pool *x509.CertPool) *tls.Config {
	c := base().Clone()
	c.ClientCAs = pool
	return c
}

func started() {
	c := tls.Config{ClientAuth: tls.RequireAndVerifyClientCert}
	finish(&c)
}

func finish(c *tls.Config) { c.ClientCAs = x509.NewCertPool() }

func good(pool *x509.CertPool) *tls.Config {
	return &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
}
