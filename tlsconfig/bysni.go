package tlsconfig

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// BySNI returns an Identity that has one for each name a client asks for. Names are compared without regard to case; "*.example.com" stands for one label in the place of the star, and a name itself goes before it. At most 253 bytes of ASCII: other alphabets are written as xn--.
//
// def is served to who asks for another name or for none, as those who connect to an IP address do. If it is nil they are refused with ReasonServerName. As the identity of a Client only def counts.
// A bad name, a nil member, or one that is a BySNI itself is ErrInvalid when it is put to use.
func BySNI(def Identity, m map[string]Identity) Identity {
	b := &bySNI{def: def, names: make(map[string]Identity, len(m))}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		canonical, err := sniName(name)
		if err == nil && b.names[canonical] != nil {
			err = errors.New("the name is there twice")
		}
		if err == nil && nested(m[name]) {
			err = errors.New("the identity is nil or a BySNI")
		}
		if err != nil && b.err == nil {
			b.err = invalid("BySNI: name %.80q: %w", name, err)
		}
		b.names[canonical] = m[name]
	}
	if b.err == nil && (len(m) == 0 && def == nil || def != nil && nested(def)) {
		b.err = invalid("BySNI needs a name or a default, which can't be a BySNI")
	}
	return b
}

// bySNI is an Identity and a source.
type bySNI struct {
	def   Identity            // nil for none
	names map[string]Identity // canonical
	err   error               // what is wrong with what it was made of
}

// nested says whether id can't be a member.
func nested(id Identity) bool {
	_, sni := id.(*bySNI)
	return id == nil || sni
}

// sniName returns the canonical form of a name or wildcard.
func sniName(name string) (string, error) {
	if _, err := netip.ParseAddr(name); err == nil {
		return "", errors.New("an IP address is never asked for by name: the default is for those")
	}
	return canonicalDNS(strings.TrimSuffix(name, "."))
}

// Certificate returns that of the default, ErrCertificate without one.
func (b *bySNI) Certificate(ctx context.Context) (*tls.Certificate, error) {
	if b.err != nil {
		return nil, b.err
	}
	if b.def == nil {
		return nil, unusable("BySNI has no default")
	}
	return b.def.Certificate(ctx)
}

// Changed is that of the default.
func (b *bySNI) Changed() <-chan struct{} {
	if b.def == nil {
		return nil
	}
	return b.def.Changed()
}

func (b *bySNI) hold(ctx context.Context) {
	if s, ok := b.def.(source); ok {
		s.hold(ctx)
	}
	for _, id := range b.names {
		if s, ok := id.(source); ok {
			s.hold(ctx)
		}
	}
}

// sniSet has what is served by name.
type sniSet map[string]*single

// pick returns what is served for a name that a client asked for, nil for nothing. It allocates nothing.
func (s sniSet) pick(name string) *single {
	name = strings.TrimSuffix(name, ".")
	if len(name) > maxHostname {
		return nil
	}
	var buf [maxHostname]byte
	lower := buf[:len(name)]
	for i := range lower {
		lower[i] = name[i]
		if 'A' <= name[i] && name[i] <= 'Z' {
			lower[i] += 'a' - 'A'
		}
	}
	if found := s[string(lower)]; found != nil {
		return found
	}
	dot := strings.IndexByte(name, '.')
	if dot <= 0 {
		return nil
	}
	lower[dot-1] = '*'
	return s[string(lower[dot-1:])]
}
