package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"time"
)

// PeerID is who a peer is by its verified certificate.
type PeerID struct {
	DNS      []string     // DNS names that are well-formed, in lower case; wildcards too
	SPIFFE   string       // "" unless the certificate is a valid X509-SVID
	IP       []netip.Addr // IPv4 addresses always as such
	SPKI     string       // SHA-256 of the public key in base64, as the rule SPKI takes it
	Serial   string       // of the certificate, hexadecimal in lower case
	NotAfter time.Time
}

// Peer returns who the other side of a connection is, and false if it showed no certificate or one that was not verified. Unlike ConnectionState.PeerCertificates it says nothing that nobody has checked. It holds for resumed connections too.
// It doesn't tell that a rule allows the peer: where the connection is one of a Server or Client, that was so.
func Peer(cs *tls.ConnectionState) (PeerID, bool) {
	leaf := verifiedLeaf(cs)
	if leaf == nil {
		return PeerID{}, false
	}
	id := PeerID{
		IP:       addressesOf(leaf),
		SPKI:     pinOf(leaf),
		Serial:   leaf.SerialNumber.Text(16),
		NotAfter: leaf.NotAfter,
	}
	for _, name := range leaf.DNSNames {
		if name, err := canonicalDNS(name); err == nil {
			id.DNS = append(id.DNS, name)
		}
	}
	if workload, err := spiffeOf(leaf); err == nil {
		id.SPIFFE = workload.text
	}
	return id, true
}

// verifiedLeaf returns the certificate of a peer if it was verified, or nil.
func verifiedLeaf(cs *tls.ConnectionState) *x509.Certificate {
	if cs == nil || len(cs.VerifiedChains) == 0 || len(cs.VerifiedChains[0]) == 0 {
		return nil
	}
	return cs.VerifiedChains[0][0]
}

// class returns what the peer is named by, for metrics.
func (p PeerID) class() string {
	switch {
	case p.SPIFFE != "":
		return "spiffe"
	case len(p.DNS) > 0:
		return "dns"
	case len(p.IP) > 0:
		return "ip"
	}
	return "other"
}

// classOf returns the class of the verified peer of a connection, or "none".
func classOf(cs *tls.ConnectionState) string {
	id, ok := Peer(cs)
	if !ok {
		return "none"
	}
	return id.class()
}
