package tlsconfig

import (
	"context"
	"time"
)

// temptation is a server that is shown to a client under audit.
type temptation struct {
	what    string
	trap    int
	trusted bool          // to a copy of the client that trusts the throw-away CA
	dialed  string        // the name that the client is given, "" for its own
	shown   string        // the name in the certificate, "" for that of the client
	left    time.Duration // until the certificate ends
}

// tempt shows servers to the client: bad ones, which it must refuse, and a good one.
func (c *asking) tempt(ctx context.Context) {
	list := []temptation{
		{what: "a certificate of an unknown CA", trap: 1, left: time.Hour},
		{what: "a certificate for another name", trap: 1, trusted: true, shown: strangeHost, left: time.Hour},
		{what: "an expired certificate", trusted: true, left: -time.Minute},
	}
	if !c.named { // whatever dials gives it the address as a name
		list = append(list, temptation{what: "a certificate for another name, dialed by its address", trap: 2, trusted: true, dialed: baitAddress, shown: strangeHost, left: time.Hour})
	}
	nothing := false // is verified: the rest is as bad, and needs no finding
	for i, bad := range list {
		r, ok := c.show(ctx, bad)
		if !ok {
			return
		}
		if !r.client.done {
			c.facts.Refuses = append(c.facts.Refuses, bad.what)
			continue
		}
		c.facts.Takes = append(c.facts.Takes, bad.what)
		if nothing {
			continue
		}
		nothing = i == 1 && len(c.facts.Takes) == 2
		c.find(bad.trap, SeverityViolation, "leave InsecureSkipVerify false and set RootCAs; take a new config where roots change, as Client does", "it takes a server with %s", bad.what)
	}
	r, ok := c.show(ctx, temptation{trusted: true, left: time.Hour})
	if !ok {
		return
	}
	c.identity(&r)
	if r.client.done {
		c.facts.Takes = append(c.facts.Takes, "a good certificate of a CA that it trusts")
		return
	}
	c.unseen("whether it is the name or the date that it refuses: a good server whose CA is in RootCAs is refused too: %q", plain(r.client.err))
}

// show makes a handshake with a temptation.
func (c *asking) show(ctx context.Context, t temptation) (shaken, bool) {
	client := c.config.Clone()
	if t.dialed != "" {
		client.ServerName = t.dialed
	}
	if t.trusted {
		client.RootCAs = c.bait.trusted(client.RootCAs)
	}
	if t.shown == "" {
		t.shown = client.ServerName
	}
	server, err := c.server(t.shown, t.left)
	if err != nil {
		return shaken{client: end{err: err}}, true // there can be no such server
	}
	return c.meet(ctx, server, client)
}

// identity looks at the certificate that the client shows. In TLS 1.3 it shows none to a server that it refuses.
func (c *asking) identity(r *shaken) {
	if chain := r.server.state.PeerCertificates; len(chain) > 0 {
		c.judgeChain(chain, false)
		return
	}
	none := len(c.config.Certificates) == 0 && c.config.GetClientCertificate == nil
	switch {
	case c.rules.clients && (none || r.client.done):
		c.find(0, SeverityViolation, "set Certificates or GetClientCertificate", "it shows no certificate, which the policy demands of clients")
	case !none && !r.client.done:
		c.unseen("the certificate that it shows: it refuses the server of the audit")
	}
}
