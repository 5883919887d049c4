package tlsconfig

import (
	"crypto/tls"
	"maps"
	"slices"
	"strings"
)

// suiteName returns the name that IANA has for a cipher suite, or its number.
func suiteName(id uint16) string {
	if name, ok := otherSuites[id]; ok {
		return name
	}
	return tls.CipherSuiteName(id)
}

// isSuite13 says whether a suite is one of TLS 1.3 (RFC 8446 appendix B.4).
func isSuite13(id uint16) bool { return id>>8 == 0x13 }

// suites13 are all of TLS 1.3.
var suites13 = []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384, tls.TLS_CHACHA20_POLY1305_SHA256, 0x1304, 0x1305}

// everySuite returns all of TLS 1.2 and before that have a name here: those of crypto/tls first, then by number.
func everySuite() []uint16 {
	all := oldSuites()
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if !isSuite13(suite.ID) && !slices.Contains(all, suite.ID) {
			all = append(all, suite.ID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(otherSuites)) {
		if !isSuite13(id) {
			all = append(all, id)
		}
	}
	return all
}

// weakWords are those in the names of suites without forward secrecy, without a certificate, or with a cipher that is broken.
var weakWords = []string{"NULL", "EXPORT", "_anon_", "RC4", "RC2", "DES", "IDEA", "SEED", "MD5", "TLS_RSA_", "TLS_PSK_"}

// suiteTrap returns the trap of a suite that no policy can name: 22 for an insecure one, 21 for one whose records are encrypted without authentication, 0 for another.
func suiteTrap(id uint16) int {
	name, other := otherSuites[id]
	switch {
	case insecureSuite(id), other && slices.ContainsFunc(weakWords, func(word string) bool { return strings.Contains(name, word) }):
		return 22
	case !other && policySuites.byID(id) == 0, strings.Contains(name, "_CBC_"): // what crypto/tls still has by itself: CBC with SHA-1
		return 21
	}
	return 0
}

// groupNames are those of groups that no policy has (IANA, TLS Supported Groups).
var groupNames = map[tls.CurveID]string{
	1:     "sect163k1",
	2:     "sect163r1",
	3:     "sect163r2",
	4:     "sect193r1",
	5:     "sect193r2",
	6:     "sect233k1",
	7:     "sect233r1",
	8:     "sect239k1",
	9:     "sect283k1",
	10:    "sect283r1",
	11:    "sect409k1",
	12:    "sect409r1",
	13:    "sect571k1",
	14:    "sect571r1",
	15:    "secp160k1",
	16:    "secp160r1",
	17:    "secp160r2",
	18:    "secp192k1",
	19:    "secp192r1",
	20:    "secp224k1",
	21:    "secp224r1",
	22:    "secp256k1",
	26:    "brainpoolP256r1",
	27:    "brainpoolP384r1",
	28:    "brainpoolP512r1",
	30:    "X448",
	31:    "brainpoolP256r1tls13",
	32:    "brainpoolP384r1tls13",
	33:    "brainpoolP512r1tls13",
	34:    "GC256A",
	35:    "GC256B",
	36:    "GC256C",
	37:    "GC256D",
	38:    "GC512A",
	39:    "GC512B",
	40:    "GC512C",
	41:    "curveSM2",
	256:   "ffdhe2048",
	257:   "ffdhe3072",
	258:   "ffdhe4096",
	259:   "ffdhe6144",
	260:   "ffdhe8192",
	512:   "MLKEM512",
	513:   "MLKEM768",
	514:   "MLKEM1024",
	25497: "X25519Kyber768Draft00",
}

// everyGroup returns all groups that have a name here: those of policies first, then by number.
func everyGroup() []tls.CurveID {
	var all []tls.CurveID
	for _, term := range policyGroups {
		all = append(all, tls.CurveID(term.id))
	}
	return append(all, slices.Sorted(maps.Keys(groupNames))...)
}
