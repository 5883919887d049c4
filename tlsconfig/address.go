package tlsconfig

import (
	"crypto/x509"
	"errors"
	"net/netip"
)

// ipv4InIPv6 is how many bits stand before an IPv4 address that is written as an IPv6 one, ::ffff:a.b.c.d.
const ipv4InIPv6 = 96

// IP allows a peer whose certificate has an IP address in one of the prefixes as a subject alternative name. It is the address in the certificate, not that of the connection. IPv4 addresses that are written as IPv6 ones count as IPv4.
func IP(prefixes ...netip.Prefix) Match {
	var texts []string
	var allowed []netip.Prefix
	for _, prefix := range prefixes {
		texts = append(texts, prefix.String())
		if prefix, err := canonicalPrefix(prefix); err == nil {
			allowed = append(allowed, prefix)
		}
	}
	canonical := func(text string) (string, error) {
		prefix, _ := netip.ParsePrefix(text) // the zero Prefix is invalid too
		prefix, err := canonicalPrefix(prefix)
		return prefix.String(), err
	}
	return newListed("ip", texts, canonical, func(_ []string, leaf *x509.Certificate) error { return allowsIP(allowed, leaf) })
}

// canonicalPrefix returns a prefix without the bits that don't count, as IPv4 where it is.
func canonicalPrefix(prefix netip.Prefix) (netip.Prefix, error) {
	if !prefix.IsValid() {
		return prefix, errors.New("it is no IP prefix; netip.ParsePrefix makes them")
	}
	if prefix.Addr().Is4In6() {
		if prefix.Bits() < ipv4InIPv6 {
			return prefix, errors.New("it covers more than IPv4; write IPv4 and IPv6 prefixes on their own")
		}
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-ipv4InIPv6)
	}
	return prefix.Masked(), nil
}

// allowsIP returns an error unless the certificate has an address in one of the prefixes.
func allowsIP(prefixes []netip.Prefix, leaf *x509.Certificate) error {
	for _, addr := range addressesOf(leaf) {
		for _, prefix := range prefixes {
			if prefix.Contains(addr) {
				return nil
			}
		}
	}
	return errors.New("the certificate has no IP address that is allowed")
}

// addressesOf returns the IP addresses of a certificate.
func addressesOf(leaf *x509.Certificate) []netip.Addr {
	var addrs []netip.Addr
	for _, ip := range leaf.IPAddresses {
		if addr, ok := netip.AddrFromSlice(ip); ok {
			addrs = append(addrs, addr.Unmap())
		}
	}
	return addrs
}
