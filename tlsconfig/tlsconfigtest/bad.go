package tlsconfigtest

import (
	"crypto"
	"crypto/fips140"
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"time"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

// Bad is a certificate that must be refused.
type Bad struct {
	Name        string           // what is wrong with it, in words
	Reason      tlsconfig.Reason // what tlsconfig.ReasonOf says of the refusal
	Certificate tls.Certificate
}

// Present is for tls.Config.GetClientCertificate. A client that has the certificate in Certificates doesn't send it to a server which says that it trusts another CA, so the server would not be tested.
func (b Bad) Present(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	c := b.Certificate
	return &c, nil
}

// BadServers returns certificates that a client which trusts ca alone must refuse from host, a DNS name or an IP address.
// The one with ReasonRevoked is revoked by ca, so take ca.CRL after this; that with ReasonWeak is for the policy to refuse, since crypto/tls takes it. RSA 1024 is missing where FIPS mode is enforced, SHA-1 where ca has an Ed25519 key.
func BadServers(ca *CA, host string) []Bad {
	ca.t.Helper()
	good := named(host)
	good.Server = true
	lab := badForAll(ca, good)
	add := func(name string, reason tlsconfig.Reason, l Leaf) { lab = append(lab, Bad{name, reason, ca.Issue(&l)}) }
	add("another name", tlsconfig.ReasonName, Leaf{DNS: []string{"another.example"}, Server: true})
	add("another address", tlsconfig.ReasonName, Leaf{IP: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Server: true})
	add("a wildcard for what is below", tlsconfig.ReasonName, Leaf{DNS: []string{"*." + host}, Server: true})
	add("a common name alone", tlsconfig.ReasonName, Leaf{CommonName: host, Server: true})
	add("no name", tlsconfig.ReasonName, Leaf{Server: true})
	forClients := good
	forClients.Server, forClients.Client = false, true
	add("for clients only", tlsconfig.ReasonUsage, forClients)
	return lab
}

// BadClients returns certificates that a server must refuse which trusts ca alone and allows tlsconfig.DNS(name).
// What BadServers says of single ones holds here too. The first has no certificate at all: it is the client that shows none.
func BadClients(ca *CA, name string) []Bad {
	ca.t.Helper()
	good := Leaf{DNS: []string{name}, Client: true}
	lab := append([]Bad{{Name: "no certificate", Reason: tlsconfig.ReasonNoCertificate}}, badForAll(ca, good)...)
	add := func(name string, reason tlsconfig.Reason, l Leaf) { lab = append(lab, Bad{name, reason, ca.Issue(&l)}) }
	add("another name", tlsconfig.ReasonIdentity, Leaf{DNS: []string{"another.example"}, Client: true})
	add("a look-alike name", tlsconfig.ReasonIdentity, Leaf{DNS: []string{name + ".another.example"}, Client: true})
	add("a common name alone", tlsconfig.ReasonIdentity, Leaf{CommonName: name, Client: true})
	add("the name as a URI", tlsconfig.ReasonIdentity, Leaf{URI: []string{"https://" + name + "/"}, Client: true})
	add("no name", tlsconfig.ReasonIdentity, Leaf{Client: true})
	add("for servers only", tlsconfig.ReasonUsage, Leaf{DNS: []string{name}, Server: true})
	return lab
}

// badForAll returns what is bad on both sides: each is good but for one thing.
func badForAll(ca *CA, good Leaf) []Bad {
	ca.t.Helper()
	var lab []Bad
	add := func(name string, reason tlsconfig.Reason, by *CA, change func(*Leaf)) {
		l := good
		if change != nil {
			change(&l)
		}
		lab = append(lab, Bad{name, reason, by.Issue(&l)})
	}
	now := time.Now()
	add("expired", tlsconfig.ReasonExpired, ca, func(l *Leaf) { l.NotBefore, l.NotAfter = now.Add(-2*time.Hour), now.Add(-time.Hour) })
	add("not yet valid", tlsconfig.ReasonNotYetValid, ca, func(l *Leaf) { l.NotBefore = now.Add(time.Hour) })
	add("an expired intermediate", tlsconfig.ReasonExpired, ca.Intermediate(&CAOptions{NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour)}), nil)
	add("no intermediates", tlsconfig.ReasonUntrusted, ca.Intermediate(nil), func(l *Leaf) { l.WithoutIntermediates = true })
	add("name constraints", tlsconfig.ReasonConstraint, ca.Intermediate(&CAOptions{PermittedDNS: []string{"elsewhere.example"}}), func(l *Leaf) { l.DNS = append([]string{"outside.example"}, l.DNS...) })
	add("another CA", tlsconfig.ReasonUntrusted, NewCA(ca.t, &CAOptions{Name: "Another CA"}), nil)
	add("another CA of the same name", tlsconfig.ReasonUntrusted, NewCA(ca.t, &CAOptions{Name: ca.cert.Subject.CommonName}), nil)
	lab = append(
		lab,
		Bad{"self-signed", tlsconfig.ReasonUntrusted, selfSigned(ca, good)},
		Bad{"signed by a certificate that is no CA", tlsconfig.ReasonUntrusted, signedByLeaf(ca, good)},
	)
	if algorithm := sha1For(ca); algorithm != x509.UnknownSignatureAlgorithm {
		add("SHA-1", tlsconfig.ReasonUntrusted, ca, func(l *Leaf) { l.Signature = algorithm }) // crypto/x509 doesn't tell it from a signature of another CA
	}
	if !fips140.Enforced() {
		add("RSA 1024", tlsconfig.ReasonWeak, ca, func(l *Leaf) { l.Key = KeyRSA1024 })
	}
	add("revoked", tlsconfig.ReasonRevoked, ca, nil)
	ca.Revoke(lab[len(lab)-1].Certificate.Leaf)
	return lab
}

// named returns a certificate for a host.
func named(host string) Leaf {
	if ip, err := netip.ParseAddr(host); err == nil {
		return Leaf{IP: []netip.Addr{ip}}
	}
	return Leaf{DNS: []string{host}}
}

// selfSigned returns a certificate that is its own CA.
func selfSigned(ca *CA, l Leaf) tls.Certificate {
	ca.t.Helper()
	c := ca.Issue(&l)
	template := *c.Leaf
	template.SerialNumber, template.SignatureAlgorithm = nil, 0
	self := &CA{t: ca.t, cert: &template, key: c.PrivateKey.(crypto.Signer)}
	c.Leaf = self.sign(&template, self.key.Public())
	c.Certificate = [][]byte{c.Leaf.Raw}
	return c
}

// signedByLeaf returns a certificate whose issuer ca has signed, but not as a CA.
func signedByLeaf(ca *CA, l Leaf) tls.Certificate {
	ca.t.Helper()
	issuer := ca.Issue(&Leaf{CommonName: "no CA"})
	fake := &CA{t: ca.t, cert: issuer.Leaf, key: issuer.PrivateKey.(crypto.Signer), parents: append([]*x509.Certificate{issuer.Leaf}, ca.parents...)}
	return fake.Issue(&l)
}

// sha1For returns the signature algorithm with SHA-1 for the key of ca, if there is one.
func sha1For(ca *CA) x509.SignatureAlgorithm {
	switch ca.cert.PublicKeyAlgorithm {
	case x509.RSA:
		return x509.SHA1WithRSA
	case x509.ECDSA:
		return x509.ECDSAWithSHA1
	}
	return x509.UnknownSignatureAlgorithm
}
