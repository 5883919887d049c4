package tlsconfigtest

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"time"
)

// CRLOptions are the optional parts of a revocation list. nil is the same as the zero value.
type CRLOptions struct {
	ThisUpdate, NextUpdate time.Time // default an hour ago and in 24 hours
}

// Revoke puts certificates on the lists that the CA signs from now on. It does not look at who issued them.
func (ca *CA) Revoke(certs ...*x509.Certificate) {
	for _, cert := range certs {
		ca.revoked = append(ca.revoked, x509.RevocationListEntry{SerialNumber: cert.SerialNumber, RevocationTime: time.Now()})
	}
}

// CRL returns a revocation list in PEM of what was revoked, which is nothing at first.
func (ca *CA) CRL(o *CRLOptions) []byte {
	ca.t.Helper()
	if o == nil {
		o = &CRLOptions{}
	}
	ca.lists++
	template := &x509.RevocationList{
		Number:                    big.NewInt(ca.lists),
		ThisUpdate:                orTime(o.ThisUpdate, -time.Hour),
		NextUpdate:                orTime(o.NextUpdate, 24*time.Hour),
		RevokedCertificateEntries: ca.revoked,
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, ca.cert, ca.key)
	if err != nil {
		ca.t.Fatalf("tlsconfigtest: sign a revocation list: %v", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}
