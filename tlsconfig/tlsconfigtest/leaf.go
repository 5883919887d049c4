package tlsconfigtest

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/netip"
	"net/url"
	"time"
)

// Leaf is what a certificate is to say. nil is the same as the zero value: a certificate that names nobody.
type Leaf struct {
	DNS        []string
	IP         []netip.Addr
	URI        []string // such as SPIFFE IDs
	CommonName string   // nothing should look at it

	Server, Client bool // what it may be used for; both when neither is set

	NotBefore, NotAfter time.Time // default an hour ago and in 24 hours

	Key       Key                     // default ECDSA P-256
	Signature x509.SignatureAlgorithm // default the usual one for the CA's key, with SHA-2

	WithoutIntermediates bool // leave them out of the chain: a common mistake
}

// Issue returns a certificate with a new key, and its chain without the root. Leaf is set.
func (ca *CA) Issue(o *Leaf) tls.Certificate {
	ca.t.Helper()
	if o == nil {
		o = &Leaf{}
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: o.CommonName},
		DNSNames:              o.DNS,
		NotBefore:             orTime(o.NotBefore, -time.Hour),
		NotAfter:              orTime(o.NotAfter, 24*time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		SignatureAlgorithm:    o.Signature,
	}
	for _, ip := range o.IP {
		template.IPAddresses = append(template.IPAddresses, net.IP(ip.AsSlice()))
	}
	for _, text := range o.URI {
		uri, err := url.Parse(text)
		if err != nil {
			ca.t.Fatalf("tlsconfigtest: URI: %v", err)
		}
		template.URIs = append(template.URIs, uri)
	}
	if o.Server || !o.Client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if o.Client || !o.Server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	key, err := o.Key.make()
	if err != nil {
		ca.t.Fatalf("tlsconfigtest: make a key: %v", err)
	}
	leaf := ca.sign(template, key.Public())
	c := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	if !o.WithoutIntermediates {
		for _, parent := range ca.parents {
			c.Certificate = append(c.Certificate, parent.Raw)
		}
	}
	return c
}
