package tlsconfig

import (
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
)

// AllowList is the addresses that a [Server.Guard] lets in. Make one with [NewAllowList]; the zero value lets in nobody. It is safe for concurrent use.
type AllowList struct {
	set atomic.Pointer[prefixSet] // nil is empty
}

// NewAllowList returns a list of prefixes. Without any it lets in nobody. A prefix that is invalid, or has bits beyond its length as 10.1.2.3/8 has, is ErrInvalid. IPv4 prefixes that are written as IPv6 ones, such as ::ffff:10.0.0.0/104, are IPv4; no other
// IPv6 prefix covers IPv4, so that to let in everyone takes 0.0.0.0/0 and ::/0. An address takes the same time to look up in a long list as in a short one.
func NewAllowList(prefixes []netip.Prefix) (*AllowList, error) {
	a := &AllowList{}
	if err := a.Replace(prefixes); err != nil {
		return nil, err
	}
	return a, nil
}

// Replace sets other prefixes, as NewAllowList does, for every call of Accept that begins once it has returned. What is wrong with one is ErrInvalid and leaves the list as it was.
func (a *AllowList) Replace(prefixes []netip.Prefix) error {
	s := &prefixSet{has: make(map[netip.Prefix]struct{}, len(prefixes))}
	for i, p := range prefixes {
		canonical, err := canonicalPrefix(p)
		if err == nil && p != p.Masked() {
			err = errors.New("it has bits beyond its length: " + p.Masked().String() + " is the prefix")
		}
		if err != nil {
			return invalid("allow list: prefix %d, %.50q: %w", i, p, err)
		}
		s.add(canonical)
	}
	a.set.Store(s)
	return nil
}

// Contains says whether an address is in one of the prefixes. An IPv4 address that is written as an IPv6 one is IPv4, and a zone doesn't count.
func (a *AllowList) Contains(addr netip.Addr) bool {
	s := a.set.Load()
	return s != nil && addr.IsValid() && s.contains(addr.Unmap().WithZone(""))
}

// ParsePrefixes parses prefixes such as "10.0.0.0/8" and addresses such as "192.0.2.1", which stand for themselves alone, for [NewAllowList]. Anything else, an address with a zone too, is ErrInvalid.
func ParsePrefixes(texts ...string) ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, 0, len(texts))
	for i, text := range texts {
		p, err := parsePrefix(text)
		if err != nil {
			return nil, invalid("prefix %d, %.50q, is none: %w", i, text, err)
		}
		prefixes = append(prefixes, p)
	}
	return prefixes, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if len(text) > maxPrefixText {
		return netip.Prefix{}, errors.New("it is too long")
	}
	if strings.Contains(text, "/") {
		return netip.ParsePrefix(text)
	}
	addr, err := netip.ParseAddr(text)
	if err == nil && addr.Zone() != "" {
		err = errors.New("it has a zone")
	}
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

// maxPrefixText is the length of the longest prefix, ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128. Errors of net/netip repeat what they were given.
const maxPrefixText = 49

// prefixSet is a set of canonical prefixes. It is never changed once it is in use.
type prefixSet struct {
	has    map[netip.Prefix]struct{}
	v4, v6 []int // the lengths that occur
}

func (s *prefixSet) add(p netip.Prefix) {
	if _, ok := s.has[p]; ok {
		return
	}
	s.has[p] = struct{}{}
	lengths := &s.v6
	if p.Addr().Is4() {
		lengths = &s.v4
	}
	for _, bits := range *lengths {
		if bits == p.Bits() {
			return
		}
	}
	*lengths = append(*lengths, p.Bits())
}

// contains says whether an address without a zone is in one of the prefixes: one look at most for each length that occurs.
func (s *prefixSet) contains(addr netip.Addr) bool {
	lengths := s.v6
	if addr.Is4() {
		lengths = s.v4
	}
	for _, bits := range lengths {
		p, err := addr.Prefix(bits)
		if err != nil {
			return false
		}
		if _, ok := s.has[p]; ok {
			return true
		}
	}
	return false
}
