package tlsconfig

import (
	"bytes"
	"crypto/tls"
	"slices"
)

// configRule is a mistake that a config shows without a handshake.
type configRule struct {
	trap     int
	severity Severity
	what     string
	fix      string
	broken   func(c *tls.Config) bool
}

// judgeConfig looks for mistakes.
func (e *examined) judgeConfig(list []configRule, c *tls.Config) {
	for _, rule := range list {
		if rule.broken(c) {
			e.find(rule.trap, rule.severity, rule.fix, "%s", rule.what)
		}
	}
}

// judgeServer judges the config that counts in a handshake of a server. It must be a clone.
func (e *examined) judgeServer(c *tls.Config) {
	e.judgeConfig(sharedRules, c)
	e.judgeConfig(serverRules, c)
	if ticketsLive(c) && c.WrapSession == nil && c.UnwrapSession == nil {
		severity, then := SeverityWarning, ""
		if c.ClientAuth != tls.NoClientCert && c.VerifyConnection == nil {
			severity, then = SeverityViolation, ", and a client whose rights are withdrawn gets in for as long"
		}
		e.find(5, severity, "set SessionTicketsDisabled, or have WrapSession and UnwrapSession bind tickets to what clients are verified by, as Server does",
			"sessions are resumed for 7 days, where the policy says %v%s", e.policy.ticketLife(), then)
	}
	if c.ClientAuth >= tls.VerifyClientCertIfGiven {
		e.judgePool("ClientCAs", c.ClientCAs)
	}
}

// ticketsLive says whether a server with this config resumes sessions.
func ticketsLive(c *tls.Config) bool { return !c.SessionTicketsDisabled }

// unchecked says whether a VerifyPeerCertificate is not called for sessions that are resumed, and nothing stands in for it.
func unchecked(c *tls.Config) bool {
	return c.VerifyPeerCertificate != nil && c.VerifyConnection == nil
}

const fixVerify = "move what VerifyPeerCertificate does to VerifyConnection, which is called for every handshake"

// sharedRules are those of servers and clients.
var sharedRules = []configRule{
	{24, SeverityViolation, "KeyLogWriter is set: who reads it reads every connection", "leave KeyLogWriter nil", func(c *tls.Config) bool { return c.KeyLogWriter != nil }},
	{25, SeverityViolation, "Rand is set: keys are as good as it is", "leave Rand nil", func(c *tls.Config) bool { return c.Rand != nil }},
	{25, SeverityViolation, "Time is set: what is expired depends on it", "leave Time nil", func(c *tls.Config) bool { return c.Time != nil }},
	{19, SeverityViolation, "CipherSuites is empty and not nil: no handshake of TLS 1.2 succeeds", "leave CipherSuites nil or list some; for TLS 1.3 alone set MinVersion", func(c *tls.Config) bool {
		return c.CipherSuites != nil && len(c.CipherSuites) == 0 && c.MinVersion < tls.VersionTLS13
	}},
	{18, SeverityWarning, "CipherSuites lists suites of TLS 1.3, which nobody can choose: all of them stay on", "list suites of TLS 1.2 only", func(c *tls.Config) bool {
		return slices.ContainsFunc(c.CipherSuites, func(id uint16) bool { return id>>8 == 0x13 }) // 13xx are those of TLS 1.3 (RFC 8446 appendix B.4)
	}},
	{22, SeverityViolation, "CipherSuites lists insecure suites", "list suites of the policy only", func(c *tls.Config) bool {
		return slices.ContainsFunc(c.CipherSuites, insecureSuite)
	}},
	{17, SeverityInfo, "CipherSuites or CurvePreferences are in another order than that of crypto/tls, which is the one that counts", "don't rely on their order", func(c *tls.Config) bool {
		return !ordered(policySuites, c.CipherSuites) || !ordered(policyGroups, c.CurvePreferences)
	}},
	{27, SeverityWarning, "SessionTicketKey is set: one key for all tickets, for as long as the program runs", "use SetSessionTicketKeys and change the keys, or leave them to crypto/tls", func(c *tls.Config) bool {
		//lint:ignore SA1019 set all the same by some; with this prefix crypto/tls has written it, and does not use it
		return c.SessionTicketKey != [32]byte{} && !bytes.HasPrefix(c.SessionTicketKey[:], []byte("DEPRECATED"))
	}},
}

// ordered says whether ids are in the order of a list, but for those that it has not.
func ordered[T ~uint16](l terms, ids []T) bool {
	var last policySet
	for _, id := range ids {
		if bit := l.byID(uint16(id)); bit != 0 {
			if bit < last {
				return false
			}
			last = bit
		}
	}
	return true
}

var serverRules = []configRule{
	{8, SeverityViolation, "ClientCAs is nil: every client with a certificate of any CA of the system is let in", "set ClientCAs to the CAs of your clients", func(c *tls.Config) bool {
		return c.ClientAuth >= tls.VerifyClientCertIfGiven && c.ClientCAs == nil
	}},
	{10, SeverityViolation, "ClientAuth asks for certificates that nothing verifies", "set ClientAuth to tls.RequireAndVerifyClientCert, and ClientCAs", func(c *tls.Config) bool {
		return (c.ClientAuth == tls.RequestClientCert || c.ClientAuth == tls.RequireAnyClientCert) && c.VerifyConnection == nil && c.VerifyPeerCertificate == nil
	}},
	{11, SeverityWarning, "clients without a certificate are let in too: a handler that reads PeerCertificates[0] panics, and one that reads none lets everybody in", "ask Peer who the client is, and refuse where it knows none", func(c *tls.Config) bool {
		return c.ClientAuth == tls.VerifyClientCertIfGiven || c.ClientAuth == tls.RequestClientCert
	}},
	{12, SeverityWarning, "ClientCAs is set, and no client is asked for a certificate", "set ClientAuth to tls.RequireAndVerifyClientCert", func(c *tls.Config) bool {
		return c.ClientAuth == tls.NoClientCert && c.ClientCAs != nil
	}},
	{3, SeverityViolation, "clients are judged in VerifyPeerCertificate, which is not called for sessions that are resumed", fixVerify, func(c *tls.Config) bool {
		return c.ClientAuth != tls.NoClientCert && ticketsLive(c) && unchecked(c)
	}},
	{58, SeverityViolation, "Encrypted Client Hello is set up, and versions before TLS 1.3 are not shut out: they show the name", "set MinVersion to tls.VersionTLS13", func(c *tls.Config) bool {
		return (c.EncryptedClientHelloKeys != nil || c.GetEncryptedClientHelloKeys != nil) && c.MinVersion < tls.VersionTLS13
	}},
}

var clientRules = []configRule{
	{1, SeverityViolation, "InsecureSkipVerify is set", "set RootCAs to the CAs of the servers, and leave InsecureSkipVerify false", func(c *tls.Config) bool { return c.InsecureSkipVerify }},
	{2, SeverityWarning, "servers are verified by VerifyConnection alone: for a server that is dialed by its address ConnectionState.ServerName is empty, and a name that is empty is not checked", "leave InsecureSkipVerify false and take a new config where roots change, as Client does", func(c *tls.Config) bool {
		return c.InsecureSkipVerify && c.VerifyConnection != nil
	}},
	{3, SeverityViolation, "servers are judged in VerifyPeerCertificate, which is not called for sessions that are resumed", fixVerify, func(c *tls.Config) bool {
		return c.ClientSessionCache != nil && ticketsLive(c) && unchecked(c)
	}},
	{23, SeverityViolation, "Renegotiation is allowed", "leave Renegotiation at tls.RenegotiateNever", func(c *tls.Config) bool { return c.Renegotiation != tls.RenegotiateNever }},
	{58, SeverityViolation, "Encrypted Client Hello is set up, and versions before TLS 1.3 are not shut out: they show the name", "set MinVersion to tls.VersionTLS13", func(c *tls.Config) bool {
		return c.EncryptedClientHelloConfigList != nil && c.MinVersion < tls.VersionTLS13
	}},
}
