package main

import (
	"bytes"
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
	host   = "localhost"
	domain = "spiffe://example.org/" // before the names of clients
)

// pki is what yours does: cert-manager, SPIRE, the private CA of your cloud. It writes what broker and clients read.
type pki struct {
	dir     string
	clients []string
	ca      *pair
}

// pair is a certificate with its key.
type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newPKI(dir string, clients ...string) (*pki, error) {
	p := &pki{dir: dir, clients: clients}
	var err error
	if p.ca, err = sign(nil, &x509.Certificate{Subject: pkix.Name{CommonName: "example CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}); err != nil {
		return nil, err
	}
	return p, errors.Join(write(p.roots(), p.ca.pem()), p.issue())
}

func (p *pki) roots() string { return filepath.Join(p.dir, "ca.pem") }

// file has a certificate and its key: that of the broker, whose name is host, or of a client.
func (p *pki) file(name string) string { return filepath.Join(p.dir, name+".pem") }

// issue writes new certificates for the broker and the clients. They last so short that their files are looked at twice a second.
func (p *pki) issue() error {
	all := map[string]*x509.Certificate{host: {DNSNames: []string{host}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}}
	for _, name := range p.clients {
		id, err := url.Parse(domain + name)
		if err != nil {
			return err
		}
		all[name] = &x509.Certificate{Subject: pkix.Name{CommonName: name}, URIs: []*url.URL{id}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	}
	for name, c := range all {
		leaf, err := sign(p.ca, c)
		if err != nil {
			return err
		}
		key, err := x509.MarshalPKCS8PrivateKey(leaf.key)
		if err != nil {
			return err
		}
		if err := write(p.file(name), leaf.pem(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})); err != nil {
			return err
		}
	}
	return nil
}

// sign makes a certificate that began an hour ago, signed by a CA, or by itself if that is nil.
func sign(ca *pair, c *x509.Certificate) (*pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
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
	f, err := os.OpenFile(file+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(bytes.Join(parts, nil))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil { // or a power loss may leave the name and nothing in it
		return err
	}
	return os.Rename(file+".new", file)
}
