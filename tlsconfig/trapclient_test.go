package tlsconfig_test

import (
	"crypto/tls"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

func TestTrap01InsecureSkipVerify(t *testing.T) {
	s := newServed(t)
	skip := s.clientWith(func(c *tls.Config) { c.InsecureSkipVerify = true })
	trapped(t, 1, tlsconfig.SeverityViolation, skip)
	facts := auditOf(t, skip).Facts[0]
	require.Empty(t, facts.Refuses)
	require.Len(t, facts.Takes, 5)
	ownFree(t, 1)
}

func TestTrap02NoNameForAddresses(t *testing.T) {
	s := newServed(t)
	verify := func(roots *x509.CertPool) tlsconfig.Target {
		return s.clientWith(func(c *tls.Config) {
			c.InsecureSkipVerify = true
			c.VerifyConnection = func(cs tls.ConnectionState) error {
				if roots == nil {
					if cs.ServerName == "" {
						return nil
					}
					return cs.PeerCertificates[0].VerifyHostname(cs.ServerName)
				}
				_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: cs.ServerName})
				return err
			}
		})
	}
	trapped(t, 2, tlsconfig.SeverityViolation, verify(nil)) // seen to take a server by its address
	hidden := verify(s.ca.Pool())                           // has roots of its own, so that no server of the audit gets to the name
	trapped(t, 2, tlsconfig.SeverityWarning, hidden)
	require.NotEmpty(t, auditOf(t, hidden).Facts[0].NotSeen)
	ownFree(t, 2)
}

func TestTrap23Renegotiation(t *testing.T) {
	s := newServed(t)
	for _, r := range []tls.RenegotiationSupport{tls.RenegotiateOnceAsClient, tls.RenegotiateFreelyAsClient} {
		trapped(t, 23, tlsconfig.SeverityViolation, s.clientWith(func(c *tls.Config) { c.Renegotiation = r }))
	}
	ownFree(t, 23)
}

func TestTrap46ServerName(t *testing.T) {
	s := newServed(t)
	named := func(name string) tlsconfig.Target {
		return s.clientWith(func(c *tls.Config) { c.ServerName = name })
	}
	trapped(t, 46, tlsconfig.SeverityViolation, named("api.example:443"), named("192.0.2.1:443"), named("[::1]:443"), named("two words"), named("https://api.example"), named("\xff"))
	trapped(t, 46, tlsconfig.SeverityWarning, named("api.example."))
	client := s.newClient(t, nil)
	ownFree(t, 46)
	untrapped(t, 46, named("api.example"), named("192.0.2.1"), named("::1"), named(""),
		tlsconfig.ClientConfig("dot", client.Snapshot("api.example.")), tlsconfig.ClientConfig("address", client.Snapshot("[::1]")))
}

// What a client shows is judged too, also where it is chosen in a callback.
func TestAuditClientIdentity(t *testing.T) {
	s := newServed(t)
	r := auditOf(t, s.clientWith(func(c *tls.Config) {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &s.client, nil }
	}))
	require.Equal(t, []string{"client.example"}, r.Facts[0].Names)
	ownFree(t, 45)

	none := s.clientWith(func(*tls.Config) {})
	r, err := tlsconfig.Audit(t.Context(), tlsconfig.InternalMTLS(), none)
	require.NoError(t, err)
	require.Contains(t, violations(r), "it shows no certificate, which the policy demands of clients")
}
