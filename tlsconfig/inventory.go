package tlsconfig

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// Inventory is what a Server or Client is configured with and has negotiated, as evidence: for the inventory of trusted keys and certificates and the yearly review of protocols and cipher suites that PCI DSS 4.0.1 asks for (4.2.1.1, 12.3.3), and of encryption in transit
// (GDPR Article 32). Its JSON form has these fields, whose names stay, in a fixed order; times are in UTC. It names no peer: of persons it has no more than our own
// certificates have. It is a copy: nothing of it changes later.
type Inventory struct {
	// Kind is "server" or "client".
	Kind string `json:"kind"`
	// Taken is when it was made, with all that was counted before, and Since when counting began.
	Taken time.Time `json:"taken"`
	Since time.Time `json:"since"`

	// Policy is what is kept now.
	Policy InventoryPolicy `json:"policy"`
	// ReportOnly are policies that refuse nothing.
	ReportOnly []InventoryPolicy `json:"report_only,omitempty"`
	// Central is the signed policy file, nil for none.
	Central *InventoryCentral `json:"central,omitempty"`
	// Protocols are those of a Server (ALPN), the preferred first.
	Protocols []string `json:"protocols,omitempty"`
	// Clients says whether a Server has clients show certificates: "not asked", "optional" or "required".
	Clients string `json:"clients,omitempty"`
	// Certificates are our own that are shown now.
	Certificates []InventoryCertificate `json:"certificates"`
	// Roots are the CAs of the peers, nil for a Server that asks for no certificates.
	Roots *InventoryRoots `json:"roots,omitempty"`
	// Revocation says whether revocation lists are checked.
	Revocation bool `json:"revocation"`
	// Tickets says whether a Server resumes sessions: "off", "process" or "fleet".
	Tickets string `json:"tickets,omitempty"`

	// Handshakes are those that ended well, by what was negotiated, sorted. Of those at Server.Config and Client.Snapshot, whose end nobody here sees, they are those that we agreed to.
	Handshakes []InventoryHandshakes `json:"handshakes"`
	// Refused counts handshakes and misdirected requests that were refused, and connections that got no handshake from a Guard, by reason.
	Refused map[Reason]uint64 `json:"refused,omitempty"`
	// WouldRefuse counts handshakes that ReportOnly would have refused, by reason.
	WouldRefuse map[Reason]uint64 `json:"would_refuse,omitempty"`
	// NotResumed counts handshakes at a Server that showed tickets which did not count.
	NotResumed uint64 `json:"not_resumed,omitempty"`
	// LastHandshake is when the last of Handshakes was.
	LastHandshake time.Time `json:"last_handshake,omitzero"`

	// Unknown is what this inventory can't tell.
	Unknown []string `json:"unknown"`
}

// InventoryPolicy is a policy.
type InventoryPolicy struct {
	// Digest is the SHA-256 of all that it demands, in hexadecimal: the same for two that differ in name only.
	Digest string `json:"digest"`
	// Demands is the policy in full.
	Demands Policy `json:"demands"`
}

// InventoryCentral is a signed policy file that counts.
type InventoryCentral struct {
	Version   uint64    `json:"version"`
	Key       string    `json:"key"` // that had signed it when it was taken: the first 8 bytes of its SHA-256, in hexadecimal
	NotBefore time.Time `json:"not_before"`
	Expires   time.Time `json:"expires"`
	// Problem says what is wrong, or to come: that it has expired, why what it says now is not taken, or why its ReportOnly could not be kept. It names the file. "" for nothing.
	Problem string `json:"problem,omitempty"`
}

// InventoryHandshakes counts handshakes with one outcome.
type InventoryHandshakes struct {
	Version  string `json:"version"`
	Suite    string `json:"suite"`
	Group    string `json:"group"`
	Protocol string `json:"protocol"` // application protocol, "" for none
	Resumed  bool   `json:"resumed"`
	Peer     string `json:"peer"` // class of the peer's certificate, as Event.PeerClass
	Count    uint64 `json:"count"`
}

// Inventory returns what the Server is configured with and has negotiated since it was made.
func (s *Server) Inventory() Inventory {
	i := newInventory("server", s.ruling, s.made, s.identity.each)
	s.renew() // what it says is kept is kept
	i.Protocols, i.Clients, i.Tickets = slices.Clone(s.protocols), "not asked", s.tickets.kind()
	if s.clients != nil {
		i.Clients = "required"
		if s.clients.Optional {
			i.Clients = "optional"
		}
		i.trusts(s.roots, s.revoked)
	}
	i.fill(&s.tally)
	i.Unknown = append(i.Unknown, "how handshakes of Config ended: they are counted when the Server agreed to them", "what a program has changed in its copy of Config, such as certificates")
	return i
}

// Inventory returns what the Client is configured with and has negotiated since it was made.
func (c *Client) Inventory() Inventory {
	var own []*single
	if c.identity != nil {
		own = append(own, c.identity.def) // a Client shows no other
	}
	i := newInventory("client", c.ruling, c.made, own)
	c.renew() // what it says is kept is kept
	i.trusts(c.roots, c.revoked)
	i.fill(&c.tally)
	i.Unknown = append(i.Unknown,
		"how handshakes of Snapshot ended: they are counted when the Client agreed to them",
		"handshakes of Snapshot that failed before the server's certificate was judged",
		"what a program has changed in its Snapshot, such as certificates")
	return i
}

// newInventory returns what is configured, of one moment.
func newInventory(kind string, ruling *ruling, since time.Time, own []*single) Inventory {
	r := ruling.now()
	i := Inventory{
		Kind: kind, Since: second(since), Policy: inventoryOfPolicy(r.policy), Certificates: inventoryOfIdentities(own),
		Unknown: []string{"connections that are open now, and what did not go through this " + kind},
	}
	for _, p := range r.reports {
		i.ReportOnly = append(i.ReportOnly, inventoryOfPolicy(p))
	}
	if s := r.signed; s != nil {
		i.Central = &InventoryCentral{Version: s.Version, Key: s.key, NotBefore: s.NotBefore, Expires: s.Expires}
		if err := ruling.problem(r, time.Now()); err != nil {
			i.Central.Problem = plain(err)
		}
	}
	return i
}

// trusts takes in whose certificates count.
func (i *Inventory) trusts(roots *trusted, lists *revoked) {
	i.Roots, i.Revocation = roots.inventory(), lists != nil
	if i.Roots.Source != "listed" {
		i.Unknown = append(i.Unknown, "which certificates the Roots have, and when they end")
	}
}

// fill takes in the counts, sorted.
func (i *Inventory) fill(t *tally) {
	t.fill(i)
	i.LastHandshake, i.Taken = second(i.LastHandshake), second(time.Now())
	slices.SortFunc(i.Handshakes, func(a, b InventoryHandshakes) int {
		resumed := 0
		if a.Resumed != b.Resumed {
			resumed = 1
			if b.Resumed {
				resumed = -1
			}
		}
		return cmp.Or(strings.Compare(a.Version, b.Version), strings.Compare(a.Suite, b.Suite), strings.Compare(a.Group, b.Group),
			strings.Compare(a.Protocol, b.Protocol), strings.Compare(a.Peer, b.Peer), resumed)
	})
}

func inventoryOfPolicy(p Policy) InventoryPolicy {
	sum := sha256.Sum256(p.canonical())
	return InventoryPolicy{hex.EncodeToString(sum[:]), p}
}

// second returns a time in UTC without its fraction of a second.
func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
