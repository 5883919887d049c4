package tlsconfig

import (
	"context"
	"crypto/tls"
	"reflect"
	"time"
)

// held is an Identity in use: the last good certificate of it, or of each of its members. It is safe for concurrent use.
type held struct {
	def   *single   // nil for none
	names sniSet    // of BySNI
	each  []*single // all, once
	moved change
}

// holdIdentity loads what id has, which must succeed, and then, until ctx ends, whenever it changes. What fails check is not served. tell hears KindCertificate of each change, with a Reason and Err of what is not served.
func holdIdentity(ctx context.Context, id Identity, check func(*tls.Certificate) error, tell func(Event)) (*held, error) {
	if id == nil {
		return nil, invalid("the identity is nil")
	}
	h := &held{}
	var moved []<-chan struct{}
	add := func(id Identity) (*single, error) {
		for _, s := range h.each {
			if sameIdentity(s.id, id) {
				return s, nil
			}
		}
		s := &single{id: id, check: check, tell: tell, moved: &h.moved}
		moved = append(moved, id.Changed()) // before load, or a change during it is missed
		cert, _, err := s.load(ctx)
		if err != nil {
			return nil, err
		}
		s.state.Store(&singleState{cert: cert})
		h.each = append(h.each, s)
		return s, nil
	}
	if err := h.fill(id, add); err != nil {
		return nil, err
	}
	if s, ok := id.(source); ok {
		s.hold(ctx)
	}
	for i, s := range h.each {
		go follow(ctx, moved[i], s.id.Changed, s.reload)
	}
	return h, nil
}

// fill adds id, or its members if it is a BySNI.
func (h *held) fill(id Identity, add func(Identity) (*single, error)) (err error) {
	b, ok := id.(*bySNI)
	if !ok {
		h.def, err = add(id)
		return err
	}
	if b.err != nil {
		return b.err
	}
	if b.def != nil {
		if h.def, err = add(b.def); err != nil {
			return err
		}
	}
	h.names = make(sniSet, len(b.names))
	for name, id := range b.names {
		if h.names[name], err = add(id); err != nil {
			return err
		}
	}
	return nil
}

// sameIdentity says whether a and b are one value, under two names.
func sameIdentity(a, b Identity) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// get returns the certificate for a hello, nil for the default. It does no I/O, takes no lock and allocates nothing. Without a certificate for the name, and no default, it returns a *Refusal of ReasonServerName.
func (h *held) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	s := h.def
	if hello != nil && hello.ServerName != "" {
		if named := h.names.pick(hello.ServerName); named != nil {
			s = named
		}
	}
	if s == nil {
		return nil, refuse(ReasonServerName, "there is no certificate for the name that was asked for")
	}
	return s.cert(), nil
}

// suits returns what check says of the first of the certificates that can't pass, or nil. A nil held has none.
func (h *held) suits(check func(*tls.Certificate) error) error {
	if h == nil {
		return nil
	}
	for _, c := range h.all() {
		if err := check(c); err != nil {
			return err
		}
	}
	return nil
}

// own returns the default certificate, or nil.
func (h *held) own() *tls.Certificate {
	if h.def == nil {
		return nil
	}
	return h.def.cert()
}

// all returns the certificates that are served now.
func (h *held) all() []*tls.Certificate {
	certs := make([]*tls.Certificate, len(h.each))
	for i, s := range h.each {
		certs[i] = s.cert()
	}
	return certs
}

// changed returns a channel that is closed when one of the certificates is another.
func (h *held) changed() <-chan struct{} { return h.moved.wait() }

// healthy returns why one of the certificates that are served is about to be no good, or nil.
func (h *held) healthy(now time.Time) error {
	for _, s := range h.each {
		if err := certificateHealth(s.state.Load(), now); err != nil {
			return err
		}
	}
	return nil
}
