package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"
)

// Budgets in parts of a certificate's lifetime, so that they fit those of 90 days and of 6.
const (
	lowShare  = 6 // less than a sixth left: 15 days of 90, 7.8 of 47, 1 of 6
	lastShare = 3 // in the last third it should have been renewed, so that a failed reload matters
)

// certificateHealth returns ErrCertificate when what is served has ended or has little left, or is in its last third and the last reload failed.
func certificateHealth(s *singleState, now time.Time) error {
	leaf := s.cert.Leaf
	end := chainEnd(s.cert)
	life, left := leaf.NotAfter.Sub(leaf.NotBefore), end.Sub(now)
	switch {
	case left < 0:
		return unusable("what is served for %s ended at %s", ownName(leaf), utc(end))
	case left < life/lowShare:
		return unusable("what is served for %s ends at %s: less than a sixth of its lifetime is left", ownName(leaf), utc(end))
	case s.failed != nil && left < life/lastShare:
		return unusable("what is served for %s ends at %s, and the last reload failed: %w", ownName(leaf), utc(end), s.failed)
	}
	return nil
}

// rootsHealth returns ErrInvalid when the last reload of roots failed, or all of them have ended.
func rootsHealth(s *trustedState, now time.Time) error {
	switch {
	case s.failed != nil:
		return invalid("the last reload of the roots failed: %w", s.failed)
	case !s.ends.IsZero() && now.After(s.ends):
		return invalid("the last of the roots ended at %s", utc(s.ends))
	}
	return nil
}

// ownName returns what a certificate of our own calls itself, quoted.
func ownName(leaf *x509.Certificate) string {
	switch {
	case len(leaf.DNSNames) > 0:
		return fmt.Sprintf("%.80q", leaf.DNSNames[0])
	case len(leaf.URIs) > 0:
		return fmt.Sprintf("%.80q", leaf.URIs[0].String())
	case len(leaf.IPAddresses) > 0:
		return fmt.Sprintf("%.80q", leaf.IPAddresses[0].String())
	}
	return "nobody by name"
}

// firstEnd returns when the first of certificates of our own ends, zero for none, intermediates counted. They have Leaf.
func firstEnd(certs []*tls.Certificate) time.Time {
	var first time.Time
	for _, c := range certs {
		if end := chainEnd(c); first.IsZero() || end.Before(first) {
			first = end
		}
	}
	return first
}
