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

func good(pool *x509.CertPool) *tls.Config {
	return &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
}
