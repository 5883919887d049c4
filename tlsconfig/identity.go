package tlsconfig

import (
	"context"
	"crypto/tls"
	"slices"
)

// Identity is a certificate of our own with its private key. Files, SealedFiles, Signer, BySNI and Static make them; others may be implemented anywhere. It is safe for concurrent use.
type Identity interface {
	// Certificate returns the chain, leaf first and each certificate signed by the next, with the key. Nobody may change it after. It returns soon after ctx ends.
	Certificate(ctx context.Context) (*tls.Certificate, error)
	// Changed returns a channel that is closed when Certificate may return something else, and then replaced by an open one. It is nil for what never changes.
	Changed() <-chan struct{}
}

// Static returns an Identity that never changes.
func Static(c tls.Certificate) Identity {
	c.Certificate = slices.Clone(c.Certificate)
	return &static{func() tls.Certificate { return c }}
}

// static is an Identity.
type static struct {
	cert func() tls.Certificate // a function, so that fmt shows no key
}

func (s *static) Certificate(context.Context) (*tls.Certificate, error) {
	c := s.cert()
	return &c, nil
}

func (s *static) Changed() <-chan struct{} { return nil }
