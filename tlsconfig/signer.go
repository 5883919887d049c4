package tlsconfig

import (
	"cmp"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"time"
)

// SignerOptions are the optional parts of Signer. nil is the same as the zero value.
type SignerOptions struct {
	Timeout    time.Duration // of one signature, with the wait for a turn; default 2 s, 10 ms to 1 minute
	Concurrent int           // signatures that are under way at a time; default 16, 1 to 1024
}

// Signer returns the Identity of a private key that stays in a KMS or HSM. chain is in DER, leaf first.
//
// It finds out which algorithms the key can do by a signature with each when it is first used, since many such keys do just one. A handshake waits no longer than the timeout for a signature: crypto.Signer knows no context, so the answer of one that is late is dropped, and it counts as under way until it comes.
// It never changes: for a new chain make another. A bad option or signer is ErrInvalid when it is put to use. It is safe for concurrent use if s is.
func Signer(chain [][]byte, s crypto.Signer, o *SignerOptions) Identity {
	if o == nil {
		o = &SignerOptions{}
	}
	timeout, concurrent := cmp.Or(o.Timeout, 2*time.Second), cmp.Or(o.Concurrent, 16)
	id := &signerIdentity{chain: slices.Clone(chain), turn: make(chan struct{}, 1)}
	switch {
	case s == nil:
		id.err = invalid("Signer: the signer is nil")
	case len(chain) == 0:
		id.err = invalid("Signer: the chain is empty")
	case timeout < 10*time.Millisecond || timeout > time.Minute:
		id.err = invalid("Signer: Timeout is %v, want 10 ms to 1 minute", timeout)
	case concurrent < 1 || concurrent > 1024:
		id.err = invalid("Signer: Concurrent is %d, want 1 to 1024", concurrent)
	default:
		id.bound = &boundSigner{signer: func() crypto.Signer { return s }, timeout: timeout, slots: make(chan struct{}, concurrent)}
	}
	return id
}

// signerIdentity is an Identity.
type signerIdentity struct {
	chain [][]byte
	bound *boundSigner
	err   error // what is wrong with what it was made of

	turn chan struct{}    // held by who reads or writes done
	done *tls.Certificate // once the algorithms are known
}

// Certificate finds out what the signer can do, the first time, and returns ErrCertificate if that is nothing.
func (s *signerIdentity) Certificate(ctx context.Context) (*tls.Certificate, error) {
	if s.err != nil {
		return nil, s.err
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.turn }()
	if s.done == nil {
		c, err := s.discover(ctx)
		if err != nil {
			return nil, err
		}
		s.done = c
	}
	c := *s.done
	return &c, nil
}

func (s *signerIdentity) Changed() <-chan struct{} { return nil }

// discover returns the certificate with the algorithms that the signer can do.
func (s *signerIdentity) discover(ctx context.Context) (*tls.Certificate, error) {
	leaf, err := x509.ParseCertificate(s.chain[0])
	if err != nil {
		return nil, unusable("Signer: the first certificate: %w", err)
	}
	s.bound.public = s.bound.signer().Public()
	if !samePublic(s.bound.public, leaf.PublicKey) {
		return nil, unusable("Signer: the key is not that of the first certificate")
	}
	algorithms, err := s.bound.discover(ctx)
	if err != nil {
		return nil, unusable("Signer: %w", err)
	}
	return &tls.Certificate{Certificate: s.chain, PrivateKey: s.bound, SupportedSignatureAlgorithms: algorithms, Leaf: leaf}, nil
}
