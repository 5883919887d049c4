package tlsconfig

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
)

// Limits of the SPIFFE-ID standard, section 2.
const (
	maxSPIFFE      = 2048 // bytes of an ID
	maxTrustDomain = 255  // bytes of its trust domain
)

const spiffeScheme = "spiffe://"

// SPIFFE allows a peer whose certificate is an X509-SVID with one of the IDs: one such as "spiffe://example.org/payments/api", or all of a trust domain with "spiffe://example.org/*".
// There are no other patterns. The certificate has exactly one URI, in the strict form of the standard; it may have DNS names, which don't count.
func SPIFFE(ids ...string) Match { return newListed("spiffe", ids, canonicalSPIFFE, allowsSPIFFE) }

// canonicalSPIFFE returns an ID or a pattern, whose only form is canonical.
func canonicalSPIFFE(text string) (string, error) {
	domain, isPattern := strings.CutSuffix(text, "/*")
	if domain, ok := strings.CutPrefix(domain, spiffeScheme); ok && isPattern {
		return text, checkTrustDomain(domain)
	}
	_, err := parseSPIFFE(text)
	return text, err
}

// allowsSPIFFE returns an error unless the certificate has one of the IDs.
func allowsSPIFFE(ids []string, leaf *x509.Certificate) error {
	id, err := spiffeOf(leaf)
	if err != nil {
		return err
	}
	if !contains(ids, id.text) && !contains(ids, spiffeScheme+id.domain+"/*") {
		return errors.New("the SPIFFE ID of the certificate is not allowed")
	}
	return nil
}

// spiffeID is a SPIFFE ID of a workload: one with a path. Its text is its only form, so equal IDs are equal strings.
type spiffeID struct {
	text   string
	domain string
}

// parseSPIFFE returns the ID of a workload. It takes no other form than that of the SPIFFE-ID standard: no upper case in scheme or trust domain, no port, user, query, fragment or escape, no empty or relative segment.
func parseSPIFFE(text string) (spiffeID, error) {
	if len(text) > maxSPIFFE {
		return spiffeID{}, fmt.Errorf("a SPIFFE ID has at most %d bytes, not %d", maxSPIFFE, len(text))
	}
	rest, ok := strings.CutPrefix(text, spiffeScheme)
	if !ok {
		return spiffeID{}, fmt.Errorf("a SPIFFE ID starts with %q", spiffeScheme)
	}
	domain, path, hasPath := strings.Cut(rest, "/")
	if err := checkTrustDomain(domain); err != nil {
		return spiffeID{}, err
	}
	if !hasPath {
		return spiffeID{}, errors.New("a SPIFFE ID of a workload has a path after its trust domain")
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return spiffeID{}, errors.New("the path of a SPIFFE ID has no empty or relative segment and no slash at its end")
		}
		if strings.ContainsFunc(segment, func(r rune) bool { return !isSPIFFE(r) && (r < 'A' || r > 'Z') }) {
			return spiffeID{}, errors.New("the path of a SPIFFE ID has letters, digits, dots, dashes and underscores only")
		}
	}
	return spiffeID{text, domain}, nil
}

// checkTrustDomain returns what is wrong with a trust domain.
func checkTrustDomain(domain string) error {
	if domain == "" || len(domain) > maxTrustDomain || strings.ContainsFunc(domain, func(r rune) bool { return !isSPIFFE(r) }) {
		return fmt.Errorf("a trust domain has 1 to %d lower-case letters, digits, dots, dashes and underscores", maxTrustDomain)
	}
	return nil
}

// isSPIFFE says whether a trust domain may have r.
func isSPIFFE(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_'
}

// spiffeOf returns the ID of a certificate of a workload, by the X509-SVID standard, section 5: it is no CA and has one URI, which is the ID.
func spiffeOf(leaf *x509.Certificate) (spiffeID, error) {
	if leaf.IsCA || leaf.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0 {
		return spiffeID{}, errors.New("the certificate is one of a CA")
	}
	uris, err := urisOf(leaf)
	if err != nil {
		return spiffeID{}, err
	}
	if len(uris) != 1 {
		return spiffeID{}, fmt.Errorf("the certificate has %d URIs where a SPIFFE ID must be the only one", len(uris))
	}
	return parseSPIFFE(uris[0])
}

// urisOf returns the URIs of a certificate as they are written there. x509.Certificate.URIs has lost the case of the scheme and an empty fragment.
func urisOf(leaf *x509.Certificate) ([]string, error) {
	subjectAltName := asn1.ObjectIdentifier{2, 5, 29, 17}
	const uniformResourceIdentifier = 6 // RFC 5280, section 4.2.1.6: GeneralName
	var uris []string
	for _, extension := range leaf.Extensions {
		if !extension.Id.Equal(subjectAltName) {
			continue
		}
		var names []asn1.RawValue
		if rest, err := asn1.Unmarshal(extension.Value, &names); err != nil || len(rest) > 0 {
			return nil, errors.New("the subject alternative names of the certificate can't be read")
		}
		for _, name := range names {
			if name.Class == asn1.ClassContextSpecific && name.Tag == uniformResourceIdentifier {
				uris = append(uris, string(name.Bytes))
			}
		}
	}
	return uris, nil
}
