package tlsconfig

import (
	"crypto/x509"
	"strings"
)

// certificateReason returns the class of what x509.Certificate.Verify failed with.
func certificateReason(err x509.CertificateInvalidError) Reason {
	switch err.Reason {
	case x509.Expired:
		if strings.Contains(err.Detail, "before") { // crypto/x509 tells the two apart in words only: "current time ... is before ..."
			return ReasonNotYetValid
		}
		return ReasonExpired
	case x509.IncompatibleUsage, x509.CANotAuthorizedForExtKeyUsage:
		return ReasonUsage
	case x509.CANotAuthorizedForThisName, x509.UnconstrainedName, x509.NameConstraintsWithoutSANs, x509.TooManyConstraints:
		return ReasonConstraint
	case x509.NameMismatch:
		return ReasonName
	default:
		return ReasonUntrusted
	}
}
