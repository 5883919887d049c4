package tlsconfig

import "crypto/tls"

// policySet is a set of terms: bit i stands for entry i of its list.
type policySet uint16

// term is something that a policy can name.
type term struct {
	id   uint16 // what crypto/tls calls it; 0 for key kinds
	name string
}

// terms is a list of all that a policy can name of one sort. A later version may add to its end only: the order is that of the JSON form.
type terms []term

// The TLS 1.2 suites: all of crypto/tls that have forward secrecy and authenticated encryption.
const (
	suiteECDSAAES128 policySet = 1 << iota
	suiteRSAAES128
	suiteECDSAAES256
	suiteRSAAES256
	suiteECDSAChaCha
	suiteRSAChaCha

	suitesGCM = suiteECDSAAES128 | suiteRSAAES128 | suiteECDSAAES256 | suiteRSAAES256
	suitesAll = suitesGCM | suiteECDSAChaCha | suiteRSAChaCha
)

var policySuites = terms{
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
	{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
	{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"},
	{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
}

// The key exchange groups. The first three are hybrids of ML-KEM and a curve, which TLS 1.2 has not.
const (
	groupX25519MLKEM768 policySet = 1 << iota
	groupSecP256r1MLKEM768
	groupSecP384r1MLKEM1024
	groupX25519
	groupP256
	groupP384
	groupP521

	groupsHybrid = groupX25519MLKEM768 | groupSecP256r1MLKEM768 | groupSecP384r1MLKEM1024
	groupsFIPS   = groupsHybrid | groupP256 | groupP384 | groupP521
)

var policyGroups = terms{
	{uint16(tls.X25519MLKEM768), "X25519MLKEM768"},
	{uint16(tls.SecP256r1MLKEM768), "SecP256r1MLKEM768"},
	{uint16(tls.SecP384r1MLKEM1024), "SecP384r1MLKEM1024"},
	{uint16(tls.X25519), "X25519"},
	{uint16(tls.CurveP256), "P-256"},
	{uint16(tls.CurveP384), "P-384"},
	{uint16(tls.CurveP521), "P-521"},
}

// The kinds of keys that a certificate can have.
const (
	keyP256 policySet = 1 << iota
	keyP384
	keyP521
	keyEd25519
	keyRSA
)

var policyKeys = terms{{0, "ECDSA-P256"}, {0, "ECDSA-P384"}, {0, "ECDSA-P521"}, {0, "Ed25519"}, {0, "RSA"}}

// byID returns the set of the one term that crypto/tls calls id, or the empty set.
func (l terms) byID(id uint16) policySet {
	for i, t := range l {
		if t.id == id {
			return 1 << i
		}
	}
	return 0
}

// byName returns the set of the one term of this name, or the empty set.
func (l terms) byName(name string) policySet {
	for i, t := range l {
		if t.name == name {
			return 1 << i
		}
	}
	return 0
}

// names returns the names of what is in s, in the order of the list.
func (l terms) names(s policySet) []string {
	var names []string
	for i, t := range l {
		if s&(1<<i) != 0 {
			names = append(names, t.name)
		}
	}
	return names
}

// idsOf returns what crypto/tls calls what is in s: nil if nothing is.
func idsOf[T ~uint16](l terms, s policySet) []T {
	var ids []T
	for i, t := range l {
		if s&(1<<i) != 0 {
			ids = append(ids, T(t.id))
		}
	}
	return ids
}
