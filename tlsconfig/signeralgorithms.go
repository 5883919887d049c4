package tlsconfig

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"fmt"
)

// algorithm is how a key may sign in TLS.
type algorithm struct {
	scheme tls.SignatureScheme
	opts   crypto.SignerOpts
}

// algorithmsOf returns how a kind of key may sign in TLS 1.2 and 1.3. SHA-1 is not among them.
func algorithmsOf(public crypto.PublicKey) []algorithm {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return []algorithm{{tls.ECDSAWithP256AndSHA256, crypto.SHA256}}
		case elliptic.P384():
			return []algorithm{{tls.ECDSAWithP384AndSHA384, crypto.SHA384}}
		case elliptic.P521():
			return []algorithm{{tls.ECDSAWithP521AndSHA512, crypto.SHA512}}
		}
	case ed25519.PublicKey:
		return []algorithm{{tls.Ed25519, crypto.Hash(0)}}
	case *rsa.PublicKey:
		pss := func(h crypto.Hash) crypto.SignerOpts {
			return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}
		}
		return []algorithm{
			{tls.PSSWithSHA256, pss(crypto.SHA256)},
			{tls.PSSWithSHA384, pss(crypto.SHA384)},
			{tls.PSSWithSHA512, pss(crypto.SHA512)},
			{tls.PKCS1WithSHA256, crypto.SHA256},
			{tls.PKCS1WithSHA384, crypto.SHA384},
			{tls.PKCS1WithSHA512, crypto.SHA512},
		}
	}
	return nil
}

// verifies says whether a signature is good.
func (a algorithm) verifies(public crypto.PublicKey, msg, signature []byte) bool {
	digest := msg
	if hash := a.opts.HashFunc(); hash != 0 {
		h := hash.New()
		h.Write(msg)
		digest = h.Sum(nil)
	}
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, digest, signature)
	case ed25519.PublicKey:
		return ed25519.Verify(key, msg, signature)
	case *rsa.PublicKey:
		if pss, ok := a.opts.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(key, pss.Hash, digest, signature, pss) == nil
		}
		return rsa.VerifyPKCS1v15(key, a.opts.HashFunc(), digest, signature) == nil
	}
	return false
}

// discover returns the algorithms with which the signer makes a good signature of random bytes. An error of one is taken to say that it can't do that; one that is not in time ends the search, since it says nothing.
func (b *boundSigner) discover(ctx context.Context) ([]tls.SignatureScheme, error) {
	msg := make([]byte, 64)
	if _, err := rand.Read(msg); err != nil {
		return nil, err
	}
	candidates := algorithmsOf(b.public)
	if len(candidates) == 0 {
		return nil, fmt.Errorf("a key of this kind (%T) can't be used for TLS", b.public)
	}
	var schemes []tls.SignatureScheme
	var failed error
	for _, a := range candidates {
		signature, err := b.signMessage(ctx, rand.Reader, msg, a.opts)
		switch {
		case errors.Is(err, context.DeadlineExceeded), ctx.Err() != nil:
			return nil, err
		case err != nil:
			failed = err
		case !a.verifies(b.public, msg, signature):
			failed = fmt.Errorf("a signature with %v is wrong", a.scheme)
		default:
			schemes = append(schemes, a.scheme)
		}
	}
	if len(schemes) == 0 {
		return nil, fmt.Errorf("the signer makes no signature for TLS: %w", failed)
	}
	return schemes, nil
}
