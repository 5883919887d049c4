package tlsconfig

import (
	"crypto/tls"
	"time"
)

// Observer is told of every handshake and every change of what a Server or Client serves and trusts: in the goroutine that meets it, so it should return fast. It is safe for concurrent use.
type Observer interface {
	Observe(e Event)
}

// PeerObserver is an Observer that is also told who the peer is, of handshakes that have ended well at Server.Serve and Server.Guard, and at Client.Handshake, DialContext and Transport: of others, which use Config or Snapshot, nobody here sees the
// end. Names and addresses are personal data where they are a person's.
type PeerObserver interface {
	Observer
	ObservePeer(e Event, peer PeerID)
}

// Event is something that happened. It holds no name and no address.
type Event struct {
	Kind   Kind
	Server bool // at a Server, or else a Client
	Time   time.Time

	// Of a handshake, as far as it came.
	Version   uint16 // such as tls.VersionTLS13
	Suite     uint16
	Group     tls.CurveID
	Resumed   bool
	Protocol  string // application protocol, "" for none
	PeerClass string // "none", "spiffe", "dns", "ip" or "other": what the verified certificate of the peer names first in this order

	// Why it was refused, would have been, or why a new certificate or root is not taken.
	Reason Reason
	Err    error // of Certificate, Trust and Policy events: it names files

	NotAfter time.Time // of a Certificate event: when what is served now ends
}

// Kind is what an Event is about.
type Kind string

// The kinds.
const (
	KindHandshake   Kind = "handshake"    // one that has ended well; where Config or Snapshot is used, one that we agreed to
	KindRefused     Kind = "refused"      // one that we refused, or the peer did; of ReasonAddress, ReasonRate and ReasonBusy one in a second, whoever asks for more
	KindWouldRefuse Kind = "would_refuse" // one that a policy in ReportOnly would have refused, of the options or of Central
	KindCertificate Kind = "certificate"  // another certificate is served, or a new one is not taken: Reason and Err say why
	KindTrust       Kind = "trust"        // other roots or revocation lists count, or new ones are not taken
	KindPolicy      Kind = "policy"       // another signed policy counts, or a new one is not taken, at the start too: for ReasonNotYetValid it is when its time has come; with Err and a policy that counts, its ReportOnly could not be kept here
	KindTicket      Kind = "ticket"       // a session is not resumed, for which Reason is "other": another epoch or trust, or garbage
)
