package tlsconfig

import (
	"crypto/fips140"
	"crypto/tls"
	"strings"
)

// Deviation is a difference between what a policy says and what a connection under it can be held to.
type Deviation struct {
	What string // the difference
	Why  string // what makes it, and what to do about it if anything
}

// Deviations returns what crypto/tls can't express of the policy, or can't show, in this process: some depend on FIPS 140-3 mode, which is looked at now. A scanner will find these, and no setting of this package changes them.
func (p Policy) Deviations() []Deviation {
	r := p.rules()
	on := fips140.Enabled()
	var all []Deviation
	add := func(differs bool, what, why string) {
		if differs {
			all = append(all, Deviation{what, why})
		}
	}

	add(r.fips && !on, "the policy can't be kept in this process",
		"It demands FIPS 140-3 mode, which is off: a Server or Client under it is an error. Start the program with GODEBUG=fips140=on or build it with GOFIPS140.")
	add(!on, "every suite of TLS 1.3 stays on: AES-128-GCM, AES-256-GCM and ChaCha20-Poly1305",
		"crypto/tls does not let TLS 1.3 suites be chosen. FIPS 140-3 mode takes ChaCha20-Poly1305 away, and nothing takes AES-128-GCM.")
	add(on, "both AES suites of TLS 1.3 stay on: AES-128-GCM and AES-256-GCM", "crypto/tls does not let TLS 1.3 suites be chosen.")
	lost := append(policySuites.names(r.suites&^suitesGCM), policyGroups.names(r.groups&^groupsFIPS)...)
	add(on && len(lost) > 0, "not available: "+strings.Join(lost, ", "), "FIPS 140-3 mode takes them away. The connection is stricter than the policy.")
	add(on && strings.HasPrefix(r.name, "mozilla-"), "ChaCha20-Poly1305 is missing in TLS 1.3", "FIPS 140-3 mode takes it away. The connection is stricter than the policy.")
	add(true, "the order of suites and groups is that of crypto/tls",
		"It takes sets, not lists. A server chooses by its own order: post-quantum hybrids first, AES before ChaCha20-Poly1305 where both sides have hardware for it. A client's order, which Mozilla's guideline wants, does not count.")
	add(true, "clients are told that a session ticket lives for seven days",
		"crypto/tls says so whatever a config says. A Server takes none that is older than the policy allows.")
	add(r.groups&groupsHybrid != 0, "GODEBUG=tlsmlkem=0 and tlssecpmlkem=0 take away post-quantum groups of the policy",
		"crypto/tls obeys them whatever a config says. A policy of hybrids alone then refuses every connection; others go on without hybrids.")

	add(true, "the signature algorithms that peers are asked for are all that crypto/tls has",
		"They can't be narrowed, so a peer with several certificates can't be told which to show. What it shows is judged by the policy once it is verified. SHA-1 counts for no certificate but a root's own signature, and in a handshake of TLS 1.2 only with GODEBUG=tlssha1=1.")
	if r.minVersion < tls.VersionTLS13 {
		add(r.keys&keyRSA != 0, "a peer with an RSA key may sign a TLS 1.2 handshake with PKCS #1 v1.5",
			"crypto/tls accepts it and does not tell which scheme was used. TLS 1.3 has RSA-PSS alone.")
		add(!on, "TLS 1.2 without the extended master secret is accepted",
			"crypto/tls demands it (RFC 7627) in FIPS 140-3 mode only. A Server resumes no TLS 1.2 session, which is where it matters most.")
	}

	switch r.name {
	case nameRecommended, nameMozillaModern, nameMozillaIntermediate, nameNIST:
		add(true, "OCSP responses are stapled only if the certificate of the Identity carries one, and those of peers are not looked at",
			"crypto/tls neither fetches nor checks them, and public CAs give them up. Use short-lived certificates, or revocation lists for a private CA.")
	}
	switch r.name {
	case nameRecommended, nameMozillaModern, nameMozillaIntermediate:
		add(true, "Strict-Transport-Security is not sent", "It is a header of HTTP: set it in the handler (the guideline says max-age=63072000).")
	}
	add(r.name == nameNIST, "AES-CCM and finite-field Diffie-Hellman suites are not offered", "The publication allows them and crypto/tls has none. The connection is stricter than the policy.")
	return all
}
