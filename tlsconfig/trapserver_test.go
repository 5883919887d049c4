package tlsconfig_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/tlsconfig"
)

var errStrange = errors.New("a client that is not known")

func TestTrap03VerifyPeerCertificate(t *testing.T) {
	s := newServed(t)
	verify := func([][]byte, [][]*x509.Certificate) error { return nil }
	trapped(t, 3, tlsconfig.SeverityViolation,
		s.serverWith(func(c *tls.Config) { s.mutual(c); c.VerifyPeerCertificate = verify }),
		s.clientWith(func(c *tls.Config) {
			c.VerifyPeerCertificate, c.ClientSessionCache = verify, tls.NewLRUClientSessionCache(1)
		}))
	ownFree(t, 3)
	untrapped(t, 3, s.clientWith(func(c *tls.Config) { c.VerifyPeerCertificate = verify }), // resumes nothing
		s.serverWith(func(c *tls.Config) {
			s.mutual(c)
			c.VerifyPeerCertificate, c.SessionTicketsDisabled = verify, true
		}))
}

func TestTrap04Siblings(t *testing.T) {
	s := newServed(t)
	siblings := func(ticketsOfItsOwn bool) tlsconfig.Target {
		return s.serverWith(func(c *tls.Config) {
			s.mutual(c)
			open, shut := c.Clone(), c.Clone()
			shut.VerifyPeerCertificate = func([][]byte, [][]*x509.Certificate) error { return errStrange }
			if ticketsOfItsOwn {
				open.SetSessionTicketKeys([][32]byte{{1}})
				shut.SetSessionTicketKeys([][32]byte{{2}})
			}
			c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				if strings.EqualFold(h.ServerName, "other.example") {
					return shut, nil
				}
				return open, nil
			}
		})
	}
	trapped(t, 4, tlsconfig.SeverityViolation, siblings(false))
	ownFree(t, 4)
	untrapped(t, 4, siblings(true))
}

func TestTrap05LongTickets(t *testing.T) {
	s := newServed(t)
	trapped(t, 5, tlsconfig.SeverityViolation, s.serverWith(s.mutual))
	trapped(t, 5, tlsconfig.SeverityWarning, s.serverWith(func(*tls.Config) {}), s.serverWith(func(c *tls.Config) {
		s.mutual(c)
		c.VerifyConnection = func(tls.ConnectionState) error { return nil }
	}))
	ownFree(t, 5)
	untrapped(t, 5, s.serverWith(func(c *tls.Config) { s.mutual(c); c.SessionTicketsDisabled = true }))
}

func TestTrap06Constraint(t *testing.T) {
	s := newServed(t)
	constrained := x509.NewCertPool()
	constrained.AddCertWithConstraint(s.ca.Certificate(), func([]*x509.Certificate) error { return nil })
	trapped(t, 6, tlsconfig.SeverityWarning,
		s.serverWith(func(c *tls.Config) { s.mutual(c); c.ClientCAs = constrained }),
		s.clientWith(func(c *tls.Config) { c.RootCAs = constrained }))
	ownFree(t, 6)
}

func TestTrap08NoClientCAs(t *testing.T) {
	s := newServed(t)
	for _, auth := range []tls.ClientAuthType{tls.VerifyClientCertIfGiven, tls.RequireAndVerifyClientCert} {
		trapped(t, 8, tlsconfig.SeverityViolation, s.serverWith(func(c *tls.Config) { c.ClientAuth = auth }))
	}
	hidden := s.serverWith(func(c *tls.Config) { // in what GetConfigForClient returns
		inner := c.Clone()
		inner.ClientAuth = tls.RequireAndVerifyClientCert
		c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return inner, nil }
	})
	trapped(t, 8, tlsconfig.SeverityViolation, hidden)
	ownFree(t, 8)
	untrapped(t, 8, s.serverWith(s.mutual))
}

func TestTrap10UnverifiedClients(t *testing.T) {
	s := newServed(t)
	for _, auth := range []tls.ClientAuthType{tls.RequestClientCert, tls.RequireAnyClientCert} {
		trapped(t, 10, tlsconfig.SeverityViolation, s.serverWith(func(c *tls.Config) { c.ClientAuth = auth }))
	}
	lax := s.serverWith(func(c *tls.Config) { // seen only by what it does
		c.ClientAuth = tls.RequireAnyClientCert
		c.VerifyConnection = func(tls.ConnectionState) error { return nil }
	})
	trapped(t, 10, tlsconfig.SeverityViolation, lax)
	strict := s.serverWith(func(c *tls.Config) {
		c.ClientAuth = tls.RequireAnyClientCert
		c.VerifyConnection = func(cs tls.ConnectionState) error {
			_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: s.ca.Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
			return err
		}
	})
	ownFree(t, 10)
	untrapped(t, 10, strict)
}

func TestTrap11OptionalClients(t *testing.T) {
	s := newServed(t)
	optional := s.serverWith(func(c *tls.Config) { s.mutual(c); c.ClientAuth = tls.VerifyClientCertIfGiven })
	trapped(t, 11, tlsconfig.SeverityWarning, optional)
	trappedBy(t, tlsconfig.InternalMTLS(), 11, tlsconfig.SeverityViolation, optional)
	require.Equal(t, "optional", auditOf(t, optional).Facts[0].Clients)
	ownFree(t, 11)
}

func TestTrap12EmptyPool(t *testing.T) {
	s := newServed(t)
	trapped(t, 12, tlsconfig.SeverityViolation,
		s.serverWith(func(c *tls.Config) { s.mutual(c); c.ClientCAs = x509.NewCertPool() }),
		s.clientWith(func(c *tls.Config) { c.RootCAs = x509.NewCertPool() }))
	trapped(t, 12, tlsconfig.SeverityWarning, s.serverWith(func(c *tls.Config) { s.mutual(c); c.ClientAuth = tls.NoClientCert }))
	ownFree(t, 12)
}

func TestTrap13RulesByName(t *testing.T) {
	s := newServed(t)
	byName := func(same func(a, b string) bool) tlsconfig.Target {
		return s.serverWith(func(c *tls.Config) {
			mutual := c.Clone()
			s.mutual(mutual)
			c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				if same(h.ServerName, servedHost) {
					return mutual, nil
				}
				return nil, nil
			}
		})
	}
	trapped(t, 13, tlsconfig.SeverityViolation, byName(func(a, b string) bool { return a == b })) // capitals go round it
	trapped(t, 13, tlsconfig.SeverityWarning, byName(strings.EqualFold))
	ownFree(t, 13)
}

func TestTrap27StaticTicketKey(t *testing.T) {
	s := newServed(t)
	//lint:ignore SA1019 it is what is looked for
	trapped(t, 27, tlsconfig.SeverityWarning, s.serverWith(func(c *tls.Config) { c.SessionTicketKey = [32]byte{1} }))
	used := &tls.Config{Certificates: []tls.Certificate{s.server}} // crypto/tls writes one there that does not count
	addr := echo(t, used)
	mustHear(t, addr, s.plain())
	ownFree(t, 27)
	untrapped(t, 27, tlsconfig.ServerConfig("used", used))
}

func TestTrap28OldTickets(t *testing.T) {
	s := newServed(t)
	trapped(t, 28, tlsconfig.SeverityWarning, s.serverWith(func(*tls.Config) {}))
	ownFree(t, 28)
}

func TestTrap29LostProtocol(t *testing.T) {
	s := newServed(t)
	inner := func(protocols ...string) tlsconfig.Target {
		return s.serverWith(func(c *tls.Config) {
			chosen := c.Clone()
			chosen.NextProtos = protocols
			c.NextProtos = []string{"h2", "http/1.1"}
			c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return chosen, nil }
		})
	}
	trapped(t, 29, tlsconfig.SeverityWarning, inner(), inner("http/1.1"))
	ownFree(t, 29)
	untrapped(t, 29, inner("h2", "http/1.1"))
}
