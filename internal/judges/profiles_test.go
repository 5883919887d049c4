package judges_test

import (
	"crypto/fips140"
	"crypto/tls"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/tlsconfig"
	"github.com/holdfast-go/holdfast/tlsconfig/tlsconfigtest"
)

// profile is what a profile has been published to be. It is written down here once more, so that nobody changes one unseen.
type profile struct {
	policy  tlsconfig.Policy
	keys    []tlsconfigtest.Key
	life    time.Duration // of certificates
	suites  []uint16      // of TLS 1.2, none for TLS 1.3 alone
	groups  []tls.CurveID
	clients bool // must show certificates
	fips    bool // exists in FIPS 140-3 mode only
}

const day = 24 * time.Hour

var (
	hybrids       = []tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024}
	mozillaGroups = []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384}
	ourGroups     = append(mozillaGroups[1:len(mozillaGroups):len(mozillaGroups)], hybrids...)

	gcm = []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	}
	chacha = []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256}
	aead   = slices.Concat(gcm, chacha)

	// Either key shows what there is without TLS 1.2, whose suites name the kind of key.
	oneKey   = []tlsconfigtest.Key{tlsconfigtest.KeyP256}
	bothKeys = []tlsconfigtest.Key{tlsconfigtest.KeyP256, tlsconfigtest.KeyRSA2048}
)

var profiles = []profile{
	{policy: tlsconfig.Recommended(), keys: bothKeys, life: 80 * day, suites: aead, groups: ourGroups},
	{policy: tlsconfig.MozillaIntermediate(), keys: bothKeys, life: 80 * day, suites: aead, groups: mozillaGroups},
	{policy: tlsconfig.MozillaModern(), keys: oneKey, life: 80 * day, groups: mozillaGroups},
	{policy: tlsconfig.PostQuantumRequired(), keys: oneKey, life: 80 * day, groups: hybrids},
	{policy: tlsconfig.InternalMTLS(), keys: oneKey, life: 6 * day, groups: ourGroups, clients: true},
	{policy: tlsconfig.NIST80052r2(), keys: bothKeys, life: 80 * day, suites: gcm, groups: append([]tls.CurveID{tls.CurveP256, tls.CurveP384, tls.CurveP521}, hybrids...), fips: true},
}

// offer returns all that a server under the profile, with a key of this kind, is to agree to.
func (p profile) offer(key tlsconfigtest.Key) offer {
	o := offer{}
	suites := []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256}
	if fips140.Enabled() {
		suites = suites[:2]
	}
	for _, group := range p.groups {
		if fips140.Enabled() && group == tls.X25519 {
			continue
		}
		for _, suite := range suites {
			o.add(tls.VersionTLS13, suite, group)
		}
		for _, suite := range p.suites {
			if !slices.Contains(hybrids, group) && keyOf(suite) == key && !(fips140.Enabled() && slices.Contains(chacha, suite)) {
				o.add(tls.VersionTLS12, suite, group)
			}
		}
	}
	return o
}

// keyOf returns the kind of key that a suite of TLS 1.2 is for.
func keyOf(suite uint16) tlsconfigtest.Key {
	if strings.Contains(tls.CipherSuiteName(suite), "_ECDSA_") {
		return tlsconfigtest.KeyP256
	}
	return tlsconfigtest.KeyRSA2048
}
