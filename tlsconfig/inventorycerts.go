package tlsconfig

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// InventoryCertificate is a certificate of our own.
type InventoryCertificate struct {
	// SHA256 is that of the certificate in DER, in hexadecimal.
	SHA256  string   `json:"sha256"`
	Subject string   `json:"subject"`
	DNS     []string `json:"dns,omitempty"`
	URIs    []string `json:"uris,omitempty"`
	IPs     []string `json:"ips,omitempty"`
	Issuer  string   `json:"issuer"`
	// Serial is in hexadecimal.
	Serial    string    `json:"serial"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	// Ends is when the first certificate of its chain ends: NotAfter or before.
	Ends time.Time `json:"ends"`
	// Intermediates are the CAs that are shown with it, without a root.
	Intermediates []InventoryRoot `json:"intermediates,omitempty"`
	// Key is the kind of its key, such as "ECDSA-P256", and Bits its size.
	Key  string `json:"key"`
	Bits int    `json:"bits"`
	// Signature is the algorithm that its issuer signed it with.
	Signature string `json:"signature"`
	// NotTaken is the class of why what its Identity has now is not shown: this one, of before, is. "" for nothing.
	NotTaken Reason `json:"not_taken,omitempty"`
}

// InventoryRoots are CAs that count.
type InventoryRoots struct {
	// Source is "listed", "system" for those of the operating system, or "own" for those of a Roots from elsewhere. Certificates are known of listed ones only.
	Source       string          `json:"source"`
	Certificates []InventoryRoot `json:"certificates,omitempty"`
	// NotTaken is the class of why what the Roots have now does not count, and those of before do. "" for nothing.
	NotTaken Reason `json:"not_taken,omitempty"`
}

// InventoryRoot is a certificate of a CA.
type InventoryRoot struct {
	SHA256   string    `json:"sha256"` // of the certificate in DER, in hexadecimal
	Subject  string    `json:"subject"`
	NotAfter time.Time `json:"not_after"`
}

// inventoryOfIdentities returns what is told of identities in use, sorted, each certificate once.
func inventoryOfIdentities(own []*single) []InventoryCertificate {
	certs := make([]InventoryCertificate, 0, len(own)) // not nil: its JSON form is a list
	for _, s := range own {
		now := s.state.Load()
		c := inventoryOfCertificate(now.cert)
		c.NotTaken = now.reason
		certs = append(certs, c)
	}
	slices.SortFunc(certs, func(a, b InventoryCertificate) int {
		return cmp.Or(strings.Compare(a.SHA256, b.SHA256), cmp.Compare(a.NotTaken, b.NotTaken),
			slices.CompareFunc(a.Intermediates, b.Intermediates, func(a, b InventoryRoot) int { return strings.Compare(a.SHA256, b.SHA256) }))
	})
	return slices.CompactFunc(certs, func(a, b InventoryCertificate) bool {
		return a.SHA256 == b.SHA256 && a.NotTaken == b.NotTaken && slices.Equal(a.Intermediates, b.Intermediates)
	})
}

// inventoryOfCertificate returns what is told of a certificate, which has Leaf.
func inventoryOfCertificate(c *tls.Certificate) InventoryCertificate {
	leaf := c.Leaf
	kind, bits, name := keyKind(leaf.PublicKey)
	switch key := leaf.PublicKey.(type) {
	case *ecdsa.PublicKey:
		bits = key.Curve.Params().BitSize
	case ed25519.PublicKey:
		bits = 8 * len(key)
	}
	if kind == 0 {
		name = "other"
	}
	i := InventoryCertificate{
		SHA256: fingerprint(leaf), Subject: brief(leaf.Subject.String()), DNS: slices.Clone(leaf.DNSNames), Issuer: brief(leaf.Issuer.String()), Serial: leaf.SerialNumber.Text(16),
		NotBefore: leaf.NotBefore.UTC(), NotAfter: leaf.NotAfter.UTC(), Ends: chainEnd(c).UTC(), Key: name, Bits: bits, Signature: leaf.SignatureAlgorithm.String(),
	}
	if chain, err := parseChain(c); err == nil { // it was parsed before
		for _, cert := range withoutRoot(chain)[1:] {
			i.Intermediates = append(i.Intermediates, inventoryOfCA(cert))
		}
	}
	for _, uri := range leaf.URIs {
		i.URIs = append(i.URIs, uri.String())
	}
	for _, ip := range leaf.IPAddresses {
		i.IPs = append(i.IPs, ip.String())
	}
	return i
}

// inventory returns what is told of roots.
func (t *trusted) inventory() *InventoryRoots {
	now := t.state.Load()
	i := &InventoryRoots{Source: "own"}
	if now.failed != nil {
		i.NotTaken = ReasonOther
	}
	switch {
	case t.listed():
		i.Source = "listed"
		for _, root := range now.roots {
			i.Certificates = append(i.Certificates, inventoryOfCA(root))
		}
		slices.SortFunc(i.Certificates, func(a, b InventoryRoot) int { return strings.Compare(a.SHA256, b.SHA256) })
		i.Certificates = slices.Compact(i.Certificates) // a root may be in two files
	case isSystem(t.roots):
		i.Source = "system"
	}
	return i
}

// inventoryOfCA returns what is told of the certificate of a CA.
func inventoryOfCA(c *x509.Certificate) InventoryRoot {
	return InventoryRoot{fingerprint(c), brief(c.Subject.String()), c.NotAfter.UTC()}
}

// fingerprint returns the SHA-256 of a certificate in hexadecimal.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}
