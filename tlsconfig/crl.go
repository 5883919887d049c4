package tlsconfig

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// crlSkew is how far the clock of who signs revocation lists may be from ours.
const crlSkew = 5 * time.Minute

// crl is a revocation list. Who signed it is known only once a chain names the issuer.
type crl struct {
	list     *x509.RevocationList
	revoked  map[string]bool                  // serials, as decimal text
	verified atomic.Pointer[x509.Certificate] // the issuer that its signature was verified with last
}

// parseCRLs returns the lists of a file: DER with one, or PEM with one or more and nothing else but text. A file without a list is an error.
func parseCRLs(file []byte) ([]*crl, error) {
	if !bytes.Contains(file, []byte("-----BEGIN ")) {
		c, err := parseCRL(file)
		if err != nil {
			return nil, err
		}
		return []*crl{c}, nil
	}
	blocks, _, err := pemBlocks(file)
	if err != nil {
		return nil, err
	}
	if len(blocks) == 0 {
		return nil, errors.New("it has no revocation list")
	}
	var lists []*crl
	for _, block := range blocks {
		if block.Type != "X509 CRL" {
			return nil, fmt.Errorf("it has a PEM block of %.40q where revocation lists are expected", block.Type)
		}
		c, err := parseCRL(block.Bytes)
		if err != nil {
			return nil, err
		}
		lists = append(lists, c)
	}
	return lists, nil
}

// parseCRL returns a list. It takes complete lists alone: those that say so with a critical extension are partial, indirect or for changes only.
func parseCRL(der []byte) (*crl, error) {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, errors.New("it has a revocation list that can't be parsed")
	}
	if len(list.Raw) != len(der) {
		return nil, errors.New("it has more after a revocation list; several in a file are written in PEM")
	}
	if !slices.Contains(crlSignatures(), list.SignatureAlgorithm) {
		return nil, fmt.Errorf("it has a revocation list with a signature of a kind that is not accepted: %v", list.SignatureAlgorithm)
	}
	if list.NextUpdate.IsZero() {
		return nil, errors.New("it has a revocation list that does not say when the next one comes")
	}
	for _, extension := range list.Extensions {
		if extension.Critical {
			return nil, fmt.Errorf("it has a revocation list with the critical extension %v: only complete lists are understood", extension.Id)
		}
	}
	c := &crl{list: list, revoked: make(map[string]bool, len(list.RevokedCertificateEntries))}
	for _, entry := range list.RevokedCertificateEntries {
		for _, extension := range entry.Extensions {
			if extension.Critical {
				return nil, fmt.Errorf("it has a revocation list with an entry with the critical extension %v: only complete lists are understood", extension.Id)
			}
		}
		c.revoked[entry.SerialNumber.String()] = true
	}
	return c, nil
}

// crlSignatures returns the signatures that lists may have.
func crlSignatures() []x509.SignatureAlgorithm {
	return []x509.SignatureAlgorithm{
		x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.PureEd25519,
	}
}

// signedBy says whether issuer, which a verified chain has, signed the list.
func (c *crl) signedBy(issuer *x509.Certificate) bool {
	if !bytes.Equal(c.list.RawIssuer, issuer.RawSubject) {
		return false
	}
	if last := c.verified.Load(); last != nil && last.Equal(issuer) {
		return true
	}
	if c.list.CheckSignatureFrom(issuer) != nil {
		return false
	}
	c.verified.Store(issuer)
	return true
}

// current says whether the list counts at now.
func (c *crl) current(now time.Time) bool {
	return !now.Before(c.list.ThisUpdate.Add(-crlSkew)) && !now.After(c.list.NextUpdate.Add(crlSkew))
}

// before says whether another list of the issuer is newer: by its number, which grows (RFC 5280 section 5.2.3), or else by its time.
func (c *crl) before(other *crl) bool {
	if a, b := c.list.Number, other.list.Number; a != nil && b != nil {
		return a.Cmp(b) < 0
	}
	return c.list.ThisUpdate.Before(other.list.ThisUpdate)
}

// meaning returns a digest of what the list says of which issuer. It is the same for the next list if that says the same.
func (c *crl) meaning() [sha256.Size]byte {
	d := newDigest("crl").add(c.list.RawIssuer).add(c.list.AuthorityKeyId)
	for _, serial := range slices.Sorted(maps.Keys(c.revoked)) {
		d.add([]byte(serial))
	}
	return d.sum()
}
