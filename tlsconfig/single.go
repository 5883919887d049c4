package tlsconfig

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"reflect"
	"slices"
	"sync/atomic"
	"time"
)

// single is one Identity in use: the last good certificate. It is safe for concurrent use.
type single struct {
	id    Identity
	check func(*tls.Certificate) error
	tell  func(Event)
	moved *change // announces another certificate
	state atomic.Pointer[singleState]
}

// singleState is what a single serves at a time. It is immutable.
type singleState struct {
	cert   *tls.Certificate // with Leaf
	failed error            // why the last reload is not served
	reason Reason           // its class
}

// cert returns the certificate that is served now.
func (s *single) cert() *tls.Certificate { return s.state.Load().cert }

// load returns what the identity has now if it can be served, or why not.
func (s *single) load(ctx context.Context) (*tls.Certificate, Reason, error) {
	limited, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	c, err := s.id.Certificate(limited)
	if err == nil {
		c, err = usable(c, time.Now())
	}
	if err != nil {
		if !errors.Is(err, ErrCertificate) && !errors.Is(err, ErrInvalid) {
			err = unusable("%w", err)
		}
		return nil, ReasonOf(err), err
	}
	if err := s.check(c); err != nil {
		reason := ReasonOf(err)
		if reason == ReasonOther {
			reason = ReasonWeak // the policy forbids it
		}
		return nil, reason, err
	}
	return c, Allowed, nil
}

// reload serves what the identity has now, or keeps the last good certificate and returns when to try again. It tells of what is new: another certificate, another failure, or the end of a failure.
func (s *single) reload(ctx context.Context) time.Duration {
	c, reason, err := s.load(ctx)
	if ctx.Err() != nil {
		return 0
	}
	now := s.state.Load()
	if err == nil && c.Leaf.NotBefore.After(time.Now()) && time.Now().Before(chainEnd(now.cert)) {
		reason, err = ReasonNotYetValid, unusable("it starts at %s: what is served until then is good", utc(c.Leaf.NotBefore))
	}
	if err != nil {
		if now.failed == nil || now.failed.Error() != err.Error() {
			s.state.Store(&singleState{now.cert, err, reason})
			s.tell(Event{Kind: KindCertificate, Time: time.Now(), Reason: reason, Err: err, NotAfter: now.cert.Leaf.NotAfter})
		}
		return pollEvery(time.Until(now.cert.Leaf.NotAfter))
	}
	same := sameCertificate(c, now.cert)
	if same && now.failed == nil {
		return 0
	}
	s.state.Store(&singleState{cert: c})
	if !same {
		s.moved.announce()
	}
	s.tell(Event{Kind: KindCertificate, Time: time.Now(), NotAfter: c.Leaf.NotAfter})
	return 0
}

// sameCertificate says whether to serve b makes no difference to a.
func sameCertificate(a, b *tls.Certificate) bool {
	return slices.EqualFunc(a.Certificate, b.Certificate, bytes.Equal) &&
		bytes.Equal(a.OCSPStaple, b.OCSPStaple) &&
		slices.EqualFunc(a.SignedCertificateTimestamps, b.SignedCertificateTimestamps, bytes.Equal) &&
		slices.Equal(a.SupportedSignatureAlgorithms, b.SupportedSignatureAlgorithms) &&
		samePrivate(a.PrivateKey, b.PrivateKey)
}

// samePrivate says whether two private keys are the same: by their method Equal, or the same key in a KMS or HSM.
func samePrivate(a, b crypto.PrivateKey) bool {
	if key, ok := a.(interface {
		Equal(x crypto.PrivateKey) bool
	}); ok {
		return key.Equal(b)
	}
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
