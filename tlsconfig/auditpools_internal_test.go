package tlsconfig

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"

	"github.com/stretchr/testify/require"
)

// addCA adds a new CA to a pool.
func addCA(t *testing.T, pool *x509.CertPool, name string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ca := &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool.AddCert(cert)
}

// poolFindings judges a pool where the system has CAs that are given.
func poolFindings(p Policy, system *x509.CertPool, field string, pool *x509.CertPool) []Finding {
	return examine(p, func(e *examined) {
		e.system = system
		e.judgePool(field, pool)
		e.judgePool(field, pool) // once is enough
	})
}

func TestTrap09SystemClients(t *testing.T) {
	system, private := x509.NewCertPool(), x509.NewCertPool()
	addCA(t, system, "one")
	addCA(t, system, "two")
	addCA(t, private, "private")
	mixed, part := system.Clone(), private.Clone()
	addCA(t, mixed, "private")
	addCA(t, part, "one") // of the system, as a service may well choose
	for name, c := range map[string]struct {
		policy   Policy
		pool     *x509.CertPool
		severity Severity
	}{
		"system":                          {Recommended(), system.Clone(), SeverityWarning}, // SystemRoots asks for it by name
		"system, private roots demanded":  {InternalMTLS(), system.Clone(), SeverityViolation},
		"system added":                    {Recommended(), mixed, SeverityViolation},
		"private":                         {Recommended(), private, ""},
		"private, one of the system":      {Recommended(), part, ""},
		"private, private roots demanded": {InternalMTLS(), private, ""},
		"nil":                             {InternalMTLS(), nil, ""}, // trap 8
	} {
		t.Run(name, func(t *testing.T) {
			found := poolFindings(c.policy, system, "ClientCAs", c.pool)
			if c.severity == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			require.True(t, has(found, 9, c.severity), "%v", found)
		})
	}
	require.Empty(t, poolFindings(Recommended(), x509.NewCertPool(), "ClientCAs", private), "a system without CAs is part of no pool")
	require.Empty(t, poolFindings(Recommended(), nil, "ClientCAs", private))
}

func TestTrap49MixedRoots(t *testing.T) {
	system := x509.NewCertPool()
	addCA(t, system, "one")
	mixed, private := system.Clone(), x509.NewCertPool()
	addCA(t, mixed, "private")
	addCA(t, private, "private")
	for name, c := range map[string]struct {
		policy   Policy
		pool     *x509.CertPool
		severity Severity
	}{
		"mixed":                          {Recommended(), mixed, SeverityWarning},
		"mixed, private roots demanded":  {InternalMTLS(), mixed, SeverityViolation},
		"system, private roots demanded": {InternalMTLS(), system.Clone(), SeverityViolation},
		"nil, private roots demanded":    {InternalMTLS(), nil, SeverityViolation},
		"nil":                            {Recommended(), nil, ""},
		"system":                         {Recommended(), system.Clone(), ""},
		"private":                        {InternalMTLS(), private, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found := poolFindings(c.policy, system, "RootCAs", c.pool)
			if c.severity == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			require.True(t, has(found, 49, c.severity), "%v", found)
		})
	}
}
