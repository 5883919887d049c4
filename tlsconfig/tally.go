package tlsconfig

import (
	"crypto/tls"
	"maps"
	"sync"
	"time"
)

// Bounds of what a tally tells apart. All else of a handshake has few values by itself.
const (
	maxTallyProtocols = 16 // a Snapshot may be given any
	maxTallyReasons   = 64 // a Refusal may be a user's
)

// negotiated is what handshakes are told apart by in counts. It names nobody.
type negotiated struct {
	version, suite uint16
	group          tls.CurveID
	protocol       string
	resumed        bool
	peer           string // class
}

// tally counts what a Server or Client tells of. Its zero value is ready, and it is safe for concurrent use: a lock that is held for a few nanoseconds a handshake.
type tally struct {
	mu         sync.Mutex
	handshakes map[negotiated]uint64
	protocols  map[string]bool
	refused    map[Reason]uint64
	would      map[Reason]uint64
	tickets    uint64 // that were not resumed
	last       time.Time
}

// count counts an event.
func (t *tally) count(e *Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e.Kind {
	case KindHandshake:
		if t.handshakes == nil {
			t.handshakes, t.protocols = map[negotiated]uint64{}, map[string]bool{}
		}
		protocol := e.Protocol
		if !t.protocols[protocol] {
			if len(t.protocols) < maxTallyProtocols {
				t.protocols[protocol] = true
			} else {
				protocol = "other"
			}
		}
		t.handshakes[negotiated{e.Version, e.Suite, e.Group, protocol, e.Resumed, e.PeerClass}]++
		if e.Time.After(t.last) { // another that ended later may have come first
			t.last = e.Time
		}
	case KindRefused:
		t.refused = more(t.refused, e.Reason)
	case KindWouldRefuse:
		t.would = more(t.would, e.Reason)
	case KindTicket:
		t.tickets++
	}
}

// more counts one more of a reason.
func more(counts map[Reason]uint64, reason Reason) map[Reason]uint64 {
	if counts == nil {
		counts = map[Reason]uint64{}
	}
	if _, ok := counts[reason]; !ok && len(counts) >= maxTallyReasons {
		reason = ReasonOther
	}
	counts[reason]++
	return counts
}

// fill writes the counts to an Inventory.
func (t *tally) fill(i *Inventory) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i.Handshakes = make([]InventoryHandshakes, 0, len(t.handshakes))
	for n, count := range t.handshakes {
		i.Handshakes = append(i.Handshakes, InventoryHandshakes{
			Version: tls.VersionName(n.version), Suite: tls.CipherSuiteName(n.suite), Group: groupName(n.group),
			Protocol: n.protocol, Resumed: n.resumed, Peer: n.peer, Count: count,
		})
	}
	i.Refused, i.WouldRefuse = maps.Clone(t.refused), maps.Clone(t.would)
	i.NotResumed, i.LastHandshake = t.tickets, t.last.UTC()
}
