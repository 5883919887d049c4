package tlsconfig

import "crypto/tls"

// The names of the profiles. A profile never changes: what replaces it has another name.
const (
	nameRecommended         = "recommended-2026"
	nameMozillaModern       = "mozilla-modern-6.0"
	nameMozillaIntermediate = "mozilla-intermediate-6.0"
	namePostQuantum         = "pq-required-2026"
	nameInternalMTLS        = "internal-mtls-2026"
	nameNIST                = "nist-800-52r2"
)

// The sets that profiles share.
const (
	groupsMozilla     = groupX25519MLKEM768 | groupX25519 | groupP256 | groupP384
	groupsRecommended = groupsMozilla | groupSecP256r1MLKEM768 | groupSecP384r1MLKEM1024
	keysMozilla       = keyP256 | keyP384 | keyRSA
)

// Recommended returns "recommended-2026": [MozillaIntermediate] with the post-quantum hybrids of the NIST curves besides, and without its limit on the life of certificates, since a private CA may issue for years.
func Recommended() Policy { return Policy{recommended()} }

func recommended() *rules {
	r := mozillaIntermediate()
	r.name = nameRecommended
	r.groups = groupsRecommended
	r.leafDays = 0
	return r
}

// MozillaModern returns "mozilla-modern-6.0", the Modern configuration of Mozilla's Server Side TLS 6.0: TLS 1.3 and ECDSA certificates of at most 90 days. A client under it refuses servers with RSA certificates.
func MozillaModern() Policy {
	return Policy{&rules{
		name:          nameMozillaModern,
		minVersion:    tls.VersionTLS13,
		groups:        groupsMozilla,
		keys:          keyP256 | keyP384,
		rsaBits:       minRSABits,
		leafDays:      90,
		ticketMinutes: maxTicketMinutes,
	}}
}

// MozillaIntermediate returns "mozilla-intermediate-6.0", the Intermediate configuration of Mozilla's Server Side TLS 6.0: TLS 1.2 and 1.3, and certificates of at most 366 days.
func MozillaIntermediate() Policy { return Policy{mozillaIntermediate()} }

func mozillaIntermediate() *rules {
	return &rules{
		name:          nameMozillaIntermediate,
		minVersion:    tls.VersionTLS12,
		suites:        suitesAll,
		groups:        groupsMozilla,
		keys:          keysMozilla,
		rsaBits:       minRSABits,
		leafDays:      366,
		ticketMinutes: maxTicketMinutes,
	}
}

// PostQuantumRequired returns "pq-required-2026": TLS 1.3 with a post-quantum hybrid or nothing. Its rules for certificates are those of [Recommended], since it is about key exchange.
func PostQuantumRequired() Policy {
	r := recommended()
	r.name = namePostQuantum
	r.minVersion, r.suites = tls.VersionTLS13, 0
	r.groups = groupsHybrid
	return Policy{r}
}

// InternalMTLS returns "internal-mtls-2026", for services that talk among themselves: TLS 1.3, verified clients, private roots, and own certificates of at most 7 days.
func InternalMTLS() Policy {
	r := recommended()
	r.name = nameInternalMTLS
	r.minVersion, r.suites = tls.VersionTLS13, 0
	r.leafDays = 7
	r.clients, r.privateRoots = true, true
	return Policy{r}
}

// NIST80052r2 returns "nist-800-52r2", after NIST SP 800-52 Revision 2: TLS 1.2 and 1.3 with AES-GCM, and what FIPS 140-3 mode of the Go module approves. A Server or Client under it
// can only be made where that mode is on (GODEBUG=fips140=on, or built with GOFIPS140), because nothing else takes ChaCha20-Poly1305 away from TLS 1.3.
func NIST80052r2() Policy {
	return Policy{&rules{
		name:          nameNIST,
		minVersion:    tls.VersionTLS12,
		suites:        suitesGCM,
		groups:        groupsFIPS,
		keys:          keyP256 | keyP384 | keyP521 | keyEd25519 | keyRSA,
		rsaBits:       minRSABits,
		fips:          true,
		ticketMinutes: maxTicketMinutes,
	}}
}

// Named returns the profile of this name, such as "mozilla-intermediate-6.0", and whether there is one.
func Named(name string) (Policy, bool) {
	switch name {
	case nameRecommended:
		return Recommended(), true
	case nameMozillaModern:
		return MozillaModern(), true
	case nameMozillaIntermediate:
		return MozillaIntermediate(), true
	case namePostQuantum:
		return PostQuantumRequired(), true
	case nameInternalMTLS:
		return InternalMTLS(), true
	case nameNIST:
		return NIST80052r2(), true
	}
	return Policy{}, false
}
