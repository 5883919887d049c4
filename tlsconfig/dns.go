package tlsconfig

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// DNS allows a peer whose certificate has one of the DNS names as a subject alternative name. The common name never counts.
//
// "*.example.com" allows one label in the place of the star, as in "a.example.com", and not "example.com" nor "a.b.example.com". A certificate with a wildcard is allowed by the very same wildcard only.
// Names are compared without regard to case, in ASCII: other alphabets are written as xn--. A name has no dot at its end and is no IP address.
func DNS(names ...string) Match { return newListed("dns", names, canonicalDNS, allowsDNS) }

// canonicalDNS returns a name, or a wildcard, in lower case.
func canonicalDNS(name string) (string, error) {
	name = lowerASCII(name)
	return name, checkHostname(strings.TrimPrefix(name, "*."))
}

// allowsDNS returns an error unless the certificate has one of the names.
func allowsDNS(names []string, leaf *x509.Certificate) error {
	for _, name := range leaf.DNSNames {
		name, err := canonicalDNS(name)
		if err != nil {
			continue
		}
		if contains(names, name) {
			return nil
		}
		label, parent, _ := strings.Cut(name, ".")
		if label != "*" && contains(names, "*."+parent) {
			return nil
		}
	}
	return errors.New("the certificate has no DNS name that is allowed")
}

// Limits of RFC 1035, section 2.3.4, for the text of a name.
const (
	maxHostname = 253
	maxLabel    = 63
)

// checkHostname returns what is wrong with a host name in lower case. Underscores are allowed, since internal names have them.
func checkHostname(name string) error {
	if len(name) > maxHostname {
		return fmt.Errorf("a DNS name has at most %d bytes, not %d", maxHostname, len(name))
	}
	last := name
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, notInLabel) {
			return fmt.Errorf("a DNS name has labels of 1 to %d letters, digits, dashes and underscores and no dot at its end; write other alphabets as xn--", maxLabel)
		}
		last = label
	}
	if strings.Trim(last, "0123456789") == "" {
		return fmt.Errorf("a DNS name does not end in a number; use IP for addresses")
	}
	return nil
}

// notInLabel says whether a label in lower case can't have r.
func notInLabel(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// lowerASCII returns s with A to Z in lower case. strings.ToLower would fold other letters, such as the Kelvin sign, to ASCII too.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
