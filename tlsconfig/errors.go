package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
)

// What calls fail with. Match with errors.Is.
var (
	// ErrInvalid says that an argument, option or file is not what it must be.
	ErrInvalid = errors.New("invalid")
	// ErrWeaker says that a policy is weaker than the floor of the process, or that the floor came too late.
	ErrWeaker = errors.New("weaker than the floor")
	// ErrCertificate says that a certificate or key of our own can't be used: mismatched, expired, not yet valid, too weak.
	ErrCertificate = errors.New("certificate can't be used")
	// ErrRefused says that a peer was refused. A *Refusal says why.
	ErrRefused = errors.New("refused")
	// ErrClosed says that the Server or Client was closed.
	ErrClosed = errors.New("closed")
)

// Reason is the class of a refusal, for metrics and alerts. It names nobody.
type Reason string

// The reasons.
const (
	Allowed             Reason = ""
	ReasonVersion       Reason = "version"         // no version in common, or one that is too old
	ReasonSuite         Reason = "suite"           // no cipher suite in common, or a weak one
	ReasonGroup         Reason = "group"           // no key exchange group in common, or a weak one
	ReasonProtocol      Reason = "protocol"        // no application protocol in common
	ReasonNoCertificate Reason = "no_certificate"  // the peer shows none
	ReasonUntrusted     Reason = "untrusted"       // no chain to our roots, or a bad one
	ReasonExpired       Reason = "expired"         // a certificate is expired
	ReasonNotYetValid   Reason = "not_yet_valid"   // a certificate is from the future
	ReasonName          Reason = "name"            // a certificate for another name or address
	ReasonUsage         Reason = "usage"           // a certificate for another use
	ReasonConstraint    Reason = "constraint"      // name constraints of a CA forbid it
	ReasonWeak          Reason = "weak"            // a key or signature that the policy forbids
	ReasonRevoked       Reason = "revoked"         // a revocation list has it
	ReasonRevocation    Reason = "revocation"      // no valid revocation list says anything of it
	ReasonIdentity      Reason = "identity"        // verified, and not whom we allow
	ReasonServerName    Reason = "server_name"     // no certificate for the name that was asked for
	ReasonMisdirected   Reason = "misdirected"     // the HTTP request is for another host than the connection
	ReasonPeer          Reason = "refused_by_peer" // the other side refused us
	ReasonAddress       Reason = "address"         // of a Guard: the AllowList doesn't have the address
	ReasonRate          Reason = "rate"            // of a Guard: too many connections of its source in a second, or no turn in the budget of signatures
	ReasonBusy          Reason = "busy"            // of a Guard or Serve: too many handshakes at once
	ReasonTimeout       Reason = "timeout"
	ReasonOther         Reason = "other"
)

// Refusal is why a peer was refused. errors.Is(err, ErrRefused) holds.
type Refusal struct {
	Reason Reason
	Err    error
}

// Error returns the reason and the cause.
func (r *Refusal) Error() string { return fmt.Sprintf("tlsconfig: refused (%s): %v", r.Reason, r.Err) }

// Unwrap returns ErrRefused and the cause.
func (r *Refusal) Unwrap() []error { return []error{ErrRefused, r.Err} }

// refuse returns a Refusal.
func refuse(reason Reason, format string, args ...any) error {
	return &Refusal{reason, fmt.Errorf(format, args...)}
}

// invalid returns an ErrInvalid that says what is wrong.
func invalid(format string, args ...any) error {
	return fmt.Errorf("tlsconfig: %w: %w", ErrInvalid, fmt.Errorf(format, args...))
}

// How crypto/tls says so: in these words alone.
const (
	noClientCertificate = "tls: client didn't provide a certificate"
	noFIPSChain         = "no FIPS compatible certificate chains found"
)

// ReasonOf returns the class of what a handshake or call failed with: our own refusals and those of crypto/tls and crypto/x509.
func ReasonOf(err error) Reason {
	var refusal *Refusal
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var cert x509.CertificateInvalidError
	var quic tls.AlertError
	var remote *net.OpError
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
		return Allowed
	case errors.As(err, &refusal):
		return refusal.Reason
	case errors.As(err, &host):
		return ReasonName
	case errors.As(err, &authority):
		return ReasonUntrusted
	case errors.As(err, &cert):
		return certificateReason(cert)
	case errors.As(err, &quic), errors.As(err, &remote) && remote.Op == "remote error": // an alert, in crypto/tls
		return ReasonPeer
	case strings.Contains(err.Error(), noClientCertificate):
		return ReasonNoCertificate
	case strings.Contains(err.Error(), noFIPSChain):
		return ReasonWeak
	case errors.As(err, &timeout) && timeout.Timeout():
		return ReasonTimeout
	}
	return ReasonOther
}
