package tlsconfig

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// backdating is how much longer than the limit a certificate may live: issuers date them back by a minute or so against clocks that are behind.
const backdating = time.Hour

// checkOwn says whether a chain of our own, leaf first, is as strong as the policy demands, and its leaf lives no longer than that: ErrCertificate if not. Validity now, order and role are not its concern.
func (p Policy) checkOwn(chain []*x509.Certificate, _ time.Time) error {
	r := p.rules()
	err := r.weakness(chain, false)
	if err == nil && r.leafDays > 0 {
		limit := time.Duration(r.leafDays) * 24 * time.Hour
		if life := chain[0].NotAfter.Sub(chain[0].NotBefore); life > limit+backdating {
			err = fmt.Errorf("the leaf lives %.1f days: policy %q allows %d", life.Hours()/24, r.name, r.leafDays)
		}
	}
	if err != nil {
		return fmt.Errorf("tlsconfig: %w: %w", ErrCertificate, err)
	}
	return nil
}

// checkPeer says whether a chain that was verified, leaf first and root last, is as strong as the policy demands: a *Refusal of ReasonWeak if not.
func (p Policy) checkPeer(chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return refuse(ReasonNoCertificate, "no verified chain")
	}
	if err := p.rules().weakness(chain, true); err != nil {
		return refuse(ReasonWeak, "%w", err)
	}
	return nil
}

// weakness returns what of a chain the rules forbid, nil for nothing. The leaf must have a key of an allowed kind; every other certificate must have one of a kind that we know. RSA keys have their least size everywhere.
// Nobody relies on the signature of a root: the last of a chain that is anchored, else any above the leaf that names itself as its issuer.
func (r *rules) weakness(chain []*x509.Certificate, anchored bool) error {
	if len(chain) == 0 {
		return errors.New("no certificate")
	}
	for i, cert := range chain {
		where := "the leaf"
		if i > 0 {
			where = fmt.Sprintf("certificate %d of the chain", i+1)
		}
		kind, bits, name := keyKind(cert.PublicKey)
		switch {
		case kind == 0:
			return fmt.Errorf("%s has a key that no policy allows (%s)", where, name)
		case i == 0 && r.keys&kind == 0:
			return fmt.Errorf("%s has a key of kind %s: policy %q allows %s", where, name, r.name, strings.Join(policyKeys.names(r.keys), ", "))
		case kind == keyRSA && bits < r.rsaBits:
			return fmt.Errorf("%s has an RSA key of %d bits: policy %q allows from %d", where, bits, r.name, r.rsaBits)
		}
		root := anchored && i == len(chain)-1 || !anchored && i > 0 && bytes.Equal(cert.RawIssuer, cert.RawSubject)
		if !root && !strongSignature(cert.SignatureAlgorithm) {
			return fmt.Errorf("%s has a signature that no policy allows (%s): want SHA-256, SHA-384, SHA-512 or Ed25519", where, cert.SignatureAlgorithm)
		}
	}
	return nil
}

// keyKind returns the kind of a public key, the bits of an RSA key, and a name. The kind is empty for what no policy can allow.
func keyKind(key any) (kind policySet, bits int, name string) {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			kind = keyP256
		case elliptic.P384():
			kind = keyP384
		case elliptic.P521():
			kind = keyP521
		default:
			return 0, 0, "ECDSA-" + k.Curve.Params().Name
		}
	case ed25519.PublicKey:
		kind = keyEd25519
	case *rsa.PublicKey:
		kind, bits = keyRSA, k.N.BitLen()
	case nil:
		return 0, 0, "unknown"
	default:
		return 0, 0, fmt.Sprintf("%T", key)
	}
	return kind, bits, policyKeys.names(kind)[0]
}

// strongSignature says whether certificates may be signed so: never with SHA-1 or MD5.
func strongSignature(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.PureEd25519:
		return true
	}
	return false
}
