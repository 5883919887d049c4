package tlsconfig

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"time"
)

// boundSigner is a crypto.MessageSigner with a deadline and a bound on how many signatures are under way. It is safe for concurrent use if the signer is.
type boundSigner struct {
	signer  func() crypto.Signer // a function, so that fmt shows nothing of what may be a key
	public  crypto.PublicKey     // once, since a signer may ask its KMS for it
	timeout time.Duration
	slots   chan struct{} // one taken for each signature under way, late ones too
}

// Public returns the public key.
func (b *boundSigner) Public() crypto.PublicKey { return b.public }

// Sign signs a digest.
func (b *boundSigner) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	digest = bytes.Clone(digest) // the caller may reuse it when the signer is late
	return prefixed(b.within(context.Background(), func() ([]byte, error) { return b.signer().Sign(rand, digest, opts) }))
}

// SignMessage signs a message as crypto.SignMessage does: crypto/tls prefers it.
func (b *boundSigner) SignMessage(rand io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	return prefixed(b.signMessage(context.Background(), rand, msg, opts))
}

// prefixed gives the errors of a signer the prefix of the package.
func prefixed(signature []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, fmt.Errorf("tlsconfig: the signer of the certificate: %w", err)
	}
	return signature, nil
}

// signMessage is SignMessage that ends with ctx too. Errors have no prefix.
func (b *boundSigner) signMessage(ctx context.Context, rand io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	msg = bytes.Clone(msg)
	return b.within(ctx, func() ([]byte, error) { return crypto.SignMessage(b.signer(), rand, msg, opts) })
}

// within returns what sign does, if that is in time.
func (b *boundSigner) within(ctx context.Context, sign func() ([]byte, error)) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	select {
	case b.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("no turn within %v: %w", b.timeout, ctx.Err())
	}
	type answer struct {
		signature []byte
		err       error
	}
	answers := make(chan answer, 1) // of one, so that a late answer is dropped
	go func() {
		a := answer{err: errors.New("it panicked")}
		defer func() {
			_ = recover() // the panic of a handshake ends a connection; here it would end the process
			<-b.slots
			answers <- a
		}()
		a.signature, a.err = sign()
	}()
	select {
	case a := <-answers:
		return a.signature, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("no answer within %v: %w", b.timeout, ctx.Err())
	}
}
