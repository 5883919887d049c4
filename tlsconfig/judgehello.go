package tlsconfig

import (
	"crypto/tls"
	"slices"
)

// What crypto/tls has no name for.
const (
	extensionMasterSecret      = 23 // RFC 7627 section 5.1
	extensionSupportedVersions = 43 // RFC 8446 section 4.2.1
	pointUncompressed          = 0  // RFC 8422 section 5.1.2
)

// judgeHello says whether a server under p finds a version, a suite and a group in this hello, by the rules of crypto/tls: the highest common version counts, and then the suite and group must be there
// in that version. For TLS 1.2 it takes the server to have both an ECDSA and an RSA certificate if the policy has suites for both. It does not look at signature schemes, server name and application protocols.
func (p Policy) judgeHello(h *tls.ClientHelloInfo) Reason {
	r := p.rules().effective()
	version := r.commonVersion(h)
	switch {
	case version == 0:
		return ReasonVersion
	case version < tls.VersionTLS13 && slices.Contains(h.CipherSuites, tls.TLS_FALLBACK_SCSV):
		return ReasonVersion // the client has tried TLS 1.3 and somebody broke it: RFC 7507
	case version < tls.VersionTLS13 && r.fips && len(h.Extensions) > 0 && !slices.Contains(h.Extensions, extensionMasterSecret):
		return ReasonVersion // FIPS 140-3 mode takes no TLS 1.2 without RFC 7627
	case !slices.ContainsFunc(h.CipherSuites, func(id uint16) bool { return r.allowsSuite(version, id) }):
		return ReasonSuite
	case !slices.ContainsFunc(h.SupportedCurves, func(id tls.CurveID) bool { return r.allowsGroup(version, id) }):
		return ReasonGroup
	case version < tls.VersionTLS13 && len(h.SupportedPoints) > 0 && !slices.Contains(h.SupportedPoints, pointUncompressed):
		return ReasonGroup
	}
	return Allowed
}

// judgeState says whether what was negotiated is within p. It does not look at certificates.
func (p Policy) judgeState(cs *tls.ConnectionState) Reason {
	r := p.rules().effective()
	switch {
	case !r.allowsVersion(cs.Version):
		return ReasonVersion
	case !r.allowsSuite(cs.Version, cs.CipherSuite):
		return ReasonSuite
	case !r.allowsGroup(cs.Version, cs.CurveID):
		return ReasonGroup
	}
	return Allowed
}

// stillAllows refuses what was negotiated under a policy that has been replaced by p since, unless p allows it too.
func (p Policy) stillAllows(replaced Policy, cs *tls.ConnectionState) error {
	if p.r == replaced.r || p.rules().same(replaced.rules()) {
		return nil
	}
	if reason := p.judgeState(cs); reason != Allowed {
		return refuse(reason, "policy %q counts now, and what was negotiated before is against it", p.Name())
	}
	return nil
}

// commonVersion returns the highest version of the hello that r allows, or 0.
func (r *rules) commonVersion(h *tls.ClientHelloInfo) uint16 {
	var best uint16
	for _, v := range h.SupportedVersions {
		if v == tls.VersionTLS13 && len(h.Extensions) > 0 && !slices.Contains(h.Extensions, extensionSupportedVersions) {
			continue // crypto/tls made it up from the legacy field, and does not take TLS 1.3 from there: RFC 8446 section 4.2.1
		}
		if r.allowsVersion(v) {
			best = max(best, v)
		}
	}
	return best
}

func (r *rules) allowsVersion(v uint16) bool { return v >= r.minVersion && v <= tls.VersionTLS13 }

// allowsSuite says whether r allows the suite in this version. crypto/tls does not let us choose among those of TLS 1.3: FIPS 140-3 mode alone takes one away.
func (r *rules) allowsSuite(version, id uint16) bool {
	if version < tls.VersionTLS13 {
		return r.suites&policySuites.byID(id) != 0
	}
	return id == tls.TLS_AES_128_GCM_SHA256 || id == tls.TLS_AES_256_GCM_SHA384 || id == tls.TLS_CHACHA20_POLY1305_SHA256 && !r.fips
}

// allowsGroup says whether r allows the group in this version: TLS 1.2 has no hybrids.
func (r *rules) allowsGroup(version uint16, id tls.CurveID) bool {
	allowed := r.groups
	if version < tls.VersionTLS13 {
		allowed &^= groupsHybrid
	}
	return allowed&policyGroups.byID(uint16(id)) != 0
}
