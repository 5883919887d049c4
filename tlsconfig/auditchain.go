package tlsconfig

import (
	"crypto/x509"
	"slices"
	"strings"
	"time"
)

// manyNames is how many names a certificate may have without a warning.
const manyNames = 50

// judgeChain judges certificates that a target shows, leaf first.
func (e *examined) judgeChain(chain []*x509.Certificate, server bool) {
	leaf, now := chain[0], time.Now()
	if slices.ContainsFunc(e.chains, func(seen []*x509.Certificate) bool { return slices.EqualFunc(seen, chain, (*x509.Certificate).Equal) }) {
		return
	}
	e.chains = append(e.chains, chain)
	e.noteLeaf(leaf)

	if err := checkValidity(leaf, now); err != nil {
		e.find(0, SeverityViolation, "renew it", "%s", plain(err))
	} else if now.Before(leaf.NotBefore) {
		e.find(51, SeverityInfo, "compare the clocks", "the certificate is valid from %s only, which is soon", utc(leaf.NotBefore))
	}
	if err := e.policy.checkOwn(chain, now); err != nil {
		e.find(42, SeverityViolation, "have a certificate issued that the policy allows", "%s", plain(err))
	}
	if err := checkRole(leaf, server); err != nil {
		use := "clientAuth"
		if server {
			use = "serverAuth"
		}
		e.find(45, SeverityViolation, "have a certificate issued for "+use, "%s", plain(err))
	}
	names := len(leaf.DNSNames) + len(leaf.IPAddresses) + len(leaf.URIs) + len(leaf.EmailAddresses)
	switch wildcard := slices.ContainsFunc(leaf.DNSNames, func(n string) bool { return strings.HasPrefix(n, "*.") }); {
	case server && len(leaf.DNSNames)+len(leaf.IPAddresses) == 0:
		e.find(0, SeverityViolation, "have a certificate issued with subject alternative names", "the certificate names no host: no client takes it")
	case wildcard:
		e.find(44, SeverityWarning, "use a certificate for the names that are served", "the certificate has a wildcard: its key speaks for names that are not served here")
	case names > manyNames:
		e.find(44, SeverityWarning, "use a certificate for the names that are served", "the certificate has %d names: its key speaks for all of them", names)
	}
	e.judgeOrder(chain)
	e.sharedKey(leaf)
}

// judgeOrder judges whether a chain leads from the leaf upwards and is whole, as far as it shows.
func (e *examined) judgeOrder(chain []*x509.Certificate) {
	const fix = "send the leaf, then the certificate that has signed it, and so on to that below the root"
	for i := range chain[1:] {
		if err := chain[i].CheckSignatureFrom(chain[i+1]); err != nil {
			e.find(38, SeverityViolation, fix, "certificate %d of the chain is not signed by the next: %s", i+1, plain(err))
			return
		}
	}
	// A leaf that a root has signed needs none. That it says where its issuer can be had is a sign of a public CA, whose roots sign no leafs.
	if leaf := chain[0]; len(chain) == 1 && len(leaf.IssuingCertificateURL) > 0 {
		e.find(38, SeverityWarning, fix, "the leaf comes alone, and says that its issuer is to be had elsewhere: clients that don't fetch it can't verify the leaf")
	}
}

// noteLeaf notes a certificate among the facts.
func (e *examined) noteLeaf(leaf *x509.Certificate) {
	add := func(name string) {
		if !slices.Contains(e.facts.Names, name) && len(e.facts.Names) < manyNames {
			e.facts.Names = append(e.facts.Names, name)
		}
	}
	for _, name := range leaf.DNSNames {
		add(brief(name))
	}
	for _, ip := range leaf.IPAddresses {
		add(ip.String())
	}
	for _, uri := range leaf.URIs {
		add(brief(uri.String()))
	}
	if end := utc(leaf.NotAfter); e.facts.NotAfter == "" || end < e.facts.NotAfter {
		e.facts.NotAfter = end
	}
}
