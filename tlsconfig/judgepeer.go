package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"time"
)

// judgePeer returns the verified chain of a peer that policy, rule and revocation lists allow. allow and lists may be nil.
func judgePeer(cs *tls.ConnectionState, policy Policy, allow Match, lists *revoked) ([]*x509.Certificate, error) {
	now := time.Now()
	first := refuse(ReasonNoCertificate, "the peer has no verified certificate")
	var good [][]*x509.Certificate
	for i, chain := range cs.VerifiedChains {
		err := judgeChain(chain, policy, allow, now)
		if err == nil {
			good = append(good, chain)
		} else if i == 0 {
			first = err
		}
	}
	if len(good) == 0 {
		return nil, first
	}
	if lists != nil {
		if err := lists.check(good, now); err != nil {
			return nil, err
		}
	}
	return good[0], nil
}

func judgeChain(chain []*x509.Certificate, policy Policy, allow Match, now time.Time) error {
	for _, cert := range chain { // of a session that is resumed nobody else looks
		switch {
		case now.After(cert.NotAfter):
			return refuse(ReasonExpired, "a certificate of the chain has expired since")
		case now.Before(cert.NotBefore):
			return refuse(ReasonNotYetValid, "a certificate of the chain is not valid yet")
		}
	}
	if err := policy.checkPeer(chain); err != nil || allow == nil {
		return err
	}
	return allow.match(chain[0])
}

// reportPeer returns why a policy would refuse a peer with this chain, nil for none.
func reportPeer(p Policy, chain []*x509.Certificate, demanded bool) Reason {
	switch {
	case chain == nil && demanded:
		return ReasonNoCertificate
	case chain == nil:
		return Allowed
	}
	return ReasonOf(p.checkPeer(chain))
}

// verifyAgain verifies the certificate of a peer anew, as crypto/tls does, and puts the chains in cs.
func verifyAgain(cs *tls.ConnectionState, o x509.VerifyOptions) error {
	if len(cs.PeerCertificates) == 0 {
		return refuse(ReasonNoCertificate, "the peer has no certificate")
	}
	o.Intermediates = x509.NewCertPool()
	for _, cert := range cs.PeerCertificates[1:] {
		o.Intermediates.AddCert(cert)
	}
	chains, err := cs.PeerCertificates[0].Verify(o)
	if err != nil {
		return refuse(ReasonOf(err), "%w", err)
	}
	cs.VerifiedChains = chains
	return nil
}

// observe counts a handshake that we agreed to and tells of it, unless o is nil. proven says that it has ended well, so that the peer may be named.
func (t *tally) observe(o Observer, server bool, cs *tls.ConnectionState, proven bool) {
	e := Event{
		Kind: KindHandshake, Server: server, Time: time.Now(),
		Version: cs.Version, Suite: cs.CipherSuite, Group: cs.CurveID, Resumed: cs.DidResume, Protocol: cs.NegotiatedProtocol, PeerClass: "none",
	}
	id, ok := Peer(cs)
	if ok {
		e.PeerClass = id.class()
	}
	t.count(&e)
	if named, yes := o.(PeerObserver); yes && ok && proven {
		named.ObservePeer(e, id)
	} else if o != nil {
		o.Observe(e)
	}
}
