package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

const (
	host     = "localhost"
	clientID = "spiffe://example.org/shop"
)

// pki is what yours does: cert-manager, SPIRE, the private CA of your cloud. It writes what server and client read.
type pki struct {
	dir, roots, server, client string // the files of the last two have a certificate and its key
	ca                         *pair
}

// pair is a certificate with its key.
type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newPKI(dir string) (*pki, error) {
	dir, err := os.MkdirTemp(dir, "tls-http")
	if err != nil {
		return nil, err
	}
	p := &pki{dir: dir, roots: filepath.Join(dir, "ca.pem"), server: filepath.Join(dir, "server.pem"), client: filepath.Join(dir, "client.pem")}
	if p.ca, err = newCA(); err == nil {
		err = errors.Join(write(p.roots, p.ca.pem()), p.issue(5*time.Minute)) // so little that Healthy warns
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *pki) close() { os.RemoveAll(p.dir) }

// move moves to another CA. The order matters: first both sides trust it, then both have certificates of it, then the old one is forgotten.
func (p *pki) move(ctx context.Context, seen *counts) error {
	next, err := newCA()
	if err != nil {
		return err
	}
	old := p.ca
	p.ca = next
	for _, step := range []func() error{
		func() error { return write(p.roots, old.pem(), next.pem()) },
		func() error { return p.issue(time.Hour) },
		func() error { return write(p.roots, next.pem()) },
	} {
		if err := errors.Join(step(), seen.taken(ctx)); err != nil {
			return err
		}
	}
	return nil
}

func newCA() (*pair, error) {
	return sign(nil, time.Hour, &x509.Certificate{Subject: pkix.Name{CommonName: "example CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
}

// issue writes new certificates for the server and the client.
func (p *pki) issue(left time.Duration) error {
	id, err := url.Parse(clientID)
	if err != nil {
		return err
	}
	for file, c := range map[string]*x509.Certificate{
		p.server: {DNSNames: []string{host}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}},
		p.client: {URIs: []*url.URL{id}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}},
	} {
		leaf, err := sign(p.ca, left, c)
		if err != nil {
			return err
		}
		key, err := x509.MarshalPKCS8PrivateKey(leaf.key)
		if err != nil {
			return err
		}
		if err := write(file, leaf.pem(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})); err != nil {
			return err
		}
	}
	return nil
}

// sign makes a certificate that began an hour ago, signed by a CA, or by itself if that is nil.
func sign(ca *pair, left time.Duration, c *x509.Certificate) (*pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(left)
	if ca == nil {
		ca = &pair{c, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &pair{cert, key}, err
}

func (p *pair) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})
}

// write gives a file other contents in one step, so that nobody reads half of them.
func write(file string, parts ...[]byte) error {
	if err := os.WriteFile(file+".new", bytes.Join(parts, nil), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
