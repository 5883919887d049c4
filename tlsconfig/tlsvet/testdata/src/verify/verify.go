package verify

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"strings"
)

// Trap 1.
func skip(c *tls.Config, insecure bool) []*tls.Config {
	flag.BoolVar(&c.InsecureSkipVerify, "insecure", false, "") // want `trap1: InsecureSkipVerify can be set from outside`
	other := c.Clone()
	other.InsecureSkipVerify = c.InsecureSkipVerify
	skip := true
	no := "0"
	_ = &tls.Config{InsecureSkipVerify: skip}   // want `trap1: InsecureSkipVerify is set`
	_ = &tls.Config{InsecureSkipVerify: is(no)} // want `trap1: InsecureSkipVerify can be set from outside`
	return []*tls.Config{
		other,
		{InsecureSkipVerify: true},     // want `trap1: InsecureSkipVerify is set`
		{InsecureSkipVerify: insecure}, // want `trap1: InsecureSkipVerify can be set from outside`
		{InsecureSkipVerify: false},
		{InsecureSkipVerify: true, VerifyConnection: whole},
		{InsecureSkipVerify: true, VerifyConnection: nothing}, // want `trap1: InsecureSkipVerify is set`
	}
}

func is(text string) bool {
	switch text {
	case "1":
		return true
	case "0":
		return false
	}
	return text == "true"
}

func whole(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return errors.New("no certificate")
	}
	_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: "db.example.org"})
	return err
}

func nothing(tls.ConnectionState) error { return nil }

// Trap 2.
func byName() *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true, // want `trap2: `
		VerifyConnection: func(cs tls.ConnectionState) error {
			return cs.PeerCertificates[0].VerifyHostname(cs.ServerName)
		},
	}
}

func byNameIfAny(pool *x509.CertPool) []*tls.Config {
	return []*tls.Config{
		{InsecureSkipVerify: true, VerifyConnection: func(cs tls.ConnectionState) error {
			if cs.ServerName == "" {
				return errors.New("no name")
			}
			_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: cs.ServerName, Roots: pool})
			return err
		}},
		{InsecureSkipVerify: true, VerifyConnection: func(cs tls.ConnectionState) error {
			if cs.PeerCertificates[0].DNSNames[0] != cs.ServerName {
				return fmt.Errorf("not the name %q", cs.ServerName)
			}
			_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: pool})
			return err
		}},
		{InsecureSkipVerify: true, VerifyConnection: func(cs tls.ConnectionState) error { // want `trap2: `
			if cs.ServerName == "" {
				cs.ServerName = "db.example.org"
			}
			_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: cs.ServerName, Roots: pool})
			return err
		}},
	}
}

// Trap 3.
func peers(cas *x509.CertPool) []*tls.Config {
	return []*tls.Config{
		{ClientCAs: cas, VerifyPeerCertificate: check}, // want `trap3: `
		{ClientCAs: cas, VerifyPeerCertificate: check, VerifyConnection: whole},
		{ClientCAs: cas, VerifyPeerCertificate: check, SessionTicketsDisabled: true},
		{RootCAs: cas, VerifyPeerCertificate: check},
		{RootCAs: cas, ClientCAs: cas, VerifyPeerCertificate: check},
		{RootCAs: cas, VerifyPeerCertificate: check, ClientSessionCache: tls.NewLRUClientSessionCache(1)}, // want `trap3: `
	}
}

func check([][]byte, [][]*x509.Certificate) error { return nil }

// Trap 46.
func dial(address string, conn net.Conn) []*tls.Config {
	raw, _ := net.Dial("tcp", address)
	tls.Client(raw, &tls.Config{ServerName: address}) // want `trap46: ServerName is the address`
	host, _, _ := net.SplitHostPort(address)
	tls.Client(raw, &tls.Config{ServerName: host})
	return []*tls.Config{
		{ServerName: "db.example.org:5432"},      // want `trap46: ServerName has a port`
		{ServerName: "db.example.org."},          // want `trap46: ServerName ends with a dot`
		{ServerName: conn.RemoteAddr().String()}, // want `trap46: ServerName has the port`
		{ServerName: "db.example.org"},
		{ServerName: "2001:db8::7"},
	}
}

// Trap 47.
func commonName(cert, other *x509.Certificate, request *x509.CertificateRequest, known map[string]bool) bool {
	if request.Subject.CommonName != cert.Subject.CommonName {
		return false
	}
	if cert.Subject.CommonName == "" || cert.Issuer.CommonName == "ca" || cert.Subject.CommonName == other.Subject.CommonName {
		return false
	}
	for _, name := range cert.DNSNames {
		if name == cert.Subject.CommonName {
			return false
		}
	}
	return cert.Subject.CommonName == "admin" || // want `trap47: `
		known[cert.Subject.CommonName] || // want `trap47: `
		strings.HasPrefix(cert.Subject.CommonName, "admin-") // want `trap47: `
}

// Trap 48.
func names(cert *x509.Certificate) bool {
	for _, u := range cert.URIs {
		if u.String() == "spiffe://acme.example/web" || strings.HasPrefix(u.String(), "spiffe://") {
			return true
		}
		if strings.HasPrefix(u.String(), "spiffe://acme") { // want `trap48: `
			return true
		}
	}
	for _, name := range cert.DNSNames {
		if strings.HasSuffix(name, ".acme.example") || strings.HasPrefix(name, "*.") {
			return true
		}
		if strings.HasSuffix(name, "acme.example") { // want `trap48: `
			return true
		}
	}
	return false
}
