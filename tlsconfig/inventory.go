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
// (GDPR Article 32). Its JSON form has these fields, whose names stay, in a fixed order; times are in UTC. It names no peer. It is a copy: nothing of it changes later.
type Inventory struct {
	// Kind is "server" or "client".
	Kind string `json:"kind"`
	// Taken is when it was made, and Since when counting began.
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
	Key       string    `json:"key"` // that signed it: the first 8 bytes of its SHA-256, in hexadecimal
	NotBefore time.Time `json:"not_before"`
	Expires   time.Time `json:"expires"`
	// Problem says what is wrong: why what the file says now is not taken, or why its ReportOnly could not be kept. "" for nothing.
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
	i := newInventory("server", s.ruling, s.made, s.identity)
	i.Protocols, i.Clients, i.Tickets = slices.Clone(s.protocols), "not asked", s.tickets.kind()
	if s.clients != nil {
		i.Clients, i.Roots = "required", s.roots.inventory()
		if s.clients.Optional {
			i.Clients = "optional"
		}
	}
	i.Revocation = s.revoked != nil
	i.fill(&s.tally)
	i.Unknown = append(i.Unknown, "how handshakes of Config ended: they are counted when the Server agreed to them")
	return i
}

// Inventory returns what the Client is configured with and has negotiated since it was made.
func (c *Client) Inventory() Inventory {
	i := newInventory("client", c.ruling, c.made, c.identity)
	i.Roots, i.Revocation = c.roots.inventory(), c.revoked != nil
	i.fill(&c.tally)
	i.Unknown = append(i.Unknown,
		"how handshakes of Snapshot ended: they are counted when the Client agreed to them",
		"handshakes of Snapshot that failed before the server's certificate was judged")
	return i
}

func newInventory(kind string, ruling *ruling, since time.Time, own *held) Inventory {
	r := ruling.now()
	i := Inventory{Kind: kind, Taken: second(time.Now()), Since: second(since), Policy: inventoryOfPolicy(r.policy), Certificates: []InventoryCertificate{}}
	for _, p := range r.reports {
		i.ReportOnly = append(i.ReportOnly, inventoryOfPolicy(p))
	}
	if s := r.signed; s != nil {
		i.Central = &InventoryCentral{Version: s.Version, Key: s.key, NotBefore: s.NotBefore, Expires: s.Expires}
		if err := ruling.problem(r); err != nil {
			i.Central.Problem = plain(err)
		}
	}
	if own != nil {
		for _, c := range own.all() {
			i.Certificates = append(i.Certificates, inventoryOfCertificate(c))
		}
	}
	slices.SortFunc(i.Certificates, func(a, b InventoryCertificate) int { return strings.Compare(a.SHA256, b.SHA256) })
	i.Unknown = []string{"connections that are open now, and what did not go through this " + kind}
	return i
}

// fill takes in the counts, sorted.
func (i *Inventory) fill(t *tally) {
	t.fill(i)
	i.LastHandshake = second(i.LastHandshake)
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
