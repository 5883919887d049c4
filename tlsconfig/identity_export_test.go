package tlsconfig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"time"
)

// What the tests of identities and roots, which are outside of the package to have tlsconfigtest, see of the inside.

var (
	PollEvery  = pollEvery
	CheckRole  = checkRole
	IsSystem   = isSystem
	ParsePair  = parsePair
	ParseRoots = parseRoots
	FirstEnd   = firstEnd
)

type Held struct{ *held }

func HoldIdentity(ctx context.Context, id Identity, check func(*tls.Certificate) error, tell func(Event)) (Held, error) {
	h, err := holdIdentity(ctx, id, check, tell)
	return Held{h}, err
}

func (h Held) Get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return h.get(hello) }

func (h Held) Client(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return present(h.own())(info)
}
func (h Held) All() []*tls.Certificate     { return h.all() }
func (h Held) Healthy(now time.Time) error { return h.healthy(now) }
func (h Held) Changed() <-chan struct{}    { return h.changed() }

type Trusted struct{ *trusted }

func HoldRoots(ctx context.Context, r Roots, tell func(Event)) (Trusted, error) {
	t, err := holdRoots(ctx, r, tell)
	return Trusted{t}, err
}

func (t Trusted) Now() (*x509.CertPool, [32]byte) { return t.now() }
func (t Trusted) Changed() <-chan struct{}        { return t.changed() }
func (t Trusted) Healthy(now time.Time) error     { return t.healthy(now) }
