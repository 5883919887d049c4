package tlsconfig

import (
	"cmp"
	"context"
	"net"
	"time"
)

// GuardOptions bound what a [Server.Guard] does for strangers. nil and the zero value are its safe defaults. A source is an IPv4 address, or an IPv6 network of 64 bits, or all connections without an IP address together. Of those without a handshake under way 65,536 are remembered, in some 15 MB; more are one source.
type GuardOptions struct {
	// Allow is who may have a handshake. nil is everyone; an empty list is nobody, and connections without an IP address are in no list.
	Allow *AllowList
	// Handshake is the time of each handshake, from when the connection was accepted. Default 10 s, 100 ms to 5 minutes.
	Handshake time.Duration
	// Concurrent is how many handshakes of all sources are under way. Over it a new one ends the oldest of the source with most: of those that never ended a handshake well, unless the others have more than three of four. Default 1024, 1 to 65536.
	Concurrent int
	// PerSource is how many handshakes of one source are under way: more are closed. Default 64, 1 to 65536; from Concurrent on it bounds nothing.
	PerSource int
	// SourceRate is how many connections a second one source may open, and how many at once: more are closed. Default 100, 1 to 1 million.
	SourceRate int
	// Signatures is how many full handshakes a second this Guard has of all sources, a tenth of them at once. Each costs a signature of the key; one that resumes a session costs none. More wait, half of Handshake at most, and are served by turns of their sources. 0 for no bound, up to 1 million.
	Signatures int
}

const (
	defaultConcurrent = 1024
	defaultPerSource  = 64
	defaultSourceRate = 100
	minHandshake      = 100 * time.Millisecond
	maxHandshake      = 5 * time.Minute
	maxConcurrent     = 65_536
	maxRate           = 1_000_000
)

// Guard returns a listener whose Accept returns connections of l as *tls.Conn, when their handshake with this Server is done, so that strangers cost no more than the options say. It is for [Server.Serve], for http.Server.Serve, and for whatever accepts connections
// itself; the application protocols are those of the Server. Close closes l and ends the handshakes in flight. A bad option is ErrInvalid.
//
// The address of a connection is judged before anything is read, and when Accept returns it, so that what [AllowList.Replace] takes away is not accepted later. What was accepted goes on. A connection that is refused before its handshake is reset at once.
// A [Server.Inventory] counts all refusals, an Observer hears of one a second for each of ReasonAddress, ReasonRate and ReasonBusy.
//
// For a key in a KMS or HSM, set Signatures below the quota of the key, divided by the processes and Guards that share it, and below [SignerOptions].Concurrent divided by the seconds that a signature takes, since who waits for the signer waits without turns. Have sessions
// resumed (with [Tickets].Root by all processes), so that clients that come back cost none. Of sources that have ended a handshake well
// since they were seen first, the next turn goes to the one whose last is longest ago. They have three of four turns; the fourth is for strangers, in the order in which their sources come. A stranger amid a flood from thousands of sources, or a client amid as many that can end
// a handshake, is helped by an AllowList alone. A client that has hung up by its turn costs none either, if l returns *net.TCPConn, on Linux if it sent no more than the receive buffer takes, and on the BSDs and macOS if it sent no more than its hello.
//
// Behind a proxy or load balancer everybody is one source: set PerSource to Concurrent and SourceRate to a million, or have l return connections whose RemoteAddr is the client's, and is known when l returns them: a RemoteAddr that waits for
// the client, as for the header of a PROXY protocol, holds up all others. Only addresses with a method AddrPort, such as *net.TCPAddr, count as IP addresses.
func (s *Server) Guard(l net.Listener, o *GuardOptions) (net.Listener, error) {
	if o == nil {
		o = &GuardOptions{}
	}
	timeout, concurrent := cmp.Or(o.Handshake, handshakeTimeout), cmp.Or(o.Concurrent, defaultConcurrent)
	perSource, sourceRate := cmp.Or(o.PerSource, defaultPerSource), cmp.Or(o.SourceRate, defaultSourceRate)
	_, guarded := l.(*listener)
	switch {
	case l == nil:
		return nil, invalid("Guard needs a net.Listener")
	case guarded:
		return nil, invalid("the listener is guarded already")
	case s.over.Load():
		return nil, ErrClosed
	case timeout < minHandshake || timeout > maxHandshake:
		return nil, invalid("GuardOptions.Handshake is %v, want %v to %v", timeout, minHandshake, maxHandshake)
	case concurrent < 1 || concurrent > maxConcurrent:
		return nil, invalid("GuardOptions.Concurrent is %d, want 1 to %d", concurrent, maxConcurrent)
	case perSource < 1 || perSource > maxConcurrent:
		return nil, invalid("GuardOptions.PerSource is %d, want 1 to %d", perSource, maxConcurrent)
	case sourceRate < 1 || sourceRate > maxRate:
		return nil, invalid("GuardOptions.SourceRate is %d, want 1 to %d", sourceRate, maxRate)
	case o.Signatures < 0 || o.Signatures > maxRate:
		return nil, invalid("GuardOptions.Signatures is %d, want 0 to %d", o.Signatures, maxRate)
	}
	if perSource >= concurrent {
		perSource = 0 // so that one source which is all there is gives its oldest too
	}
	g := &gate{allow: o.Allow, concurrent: concurrent, perSource: perSource, rate: perSecond(sourceRate, sourceRate), budget: newBudget(o.Signatures)}
	return newListener(context.Background(), s, l, g, timeout), nil
}
