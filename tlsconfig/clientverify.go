package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
)

// verify is VerifyConnection of a generation. It tells of refusals, and of what was agreed to unless proven is to follow.
func (c *Client) verify(g *clientGeneration, cs tls.ConnectionState, follows bool) error {
	err := c.judge(g, &cs)
	if err != nil {
		c.tell(Event{Kind: KindRefused, Reason: ReasonOf(err)})
		return err
	}
	if !cs.DidResume {
		g.sessions.verified(cs.ServerName)
	}
	if !follows {
		c.agreed(&cs, false)
	}
	return nil
}

// judge refuses a server that is not, or no longer, to be talked to.
func (c *Client) judge(g *clientGeneration, cs *tls.ConnectionState) error {
	if c.over.Load() {
		return ErrClosed
	}
	if cs.DidResume && !c.roots.listed() { // what roots of a user's own check besides, crypto/tls leaves out
		if err := verifyAgain(cs, x509.VerifyOptions{Roots: g.config.RootCAs}); err != nil {
			return err
		}
	}
	now := c.now.Load()
	if err := now.policy.stillAllows(g.policy, cs); err != nil {
		return err
	}
	_, err := judgePeer(cs, now.policy, c.servers, c.revoked)
	return err
}

// agreed tells of a handshake. proven says that it has ended well.
func (c *Client) agreed(cs *tls.ConnectionState, proven bool) {
	reason := c.ruling.now().would(func(p Policy) Reason {
		if reason := p.judgeState(cs); reason != Allowed {
			return reason
		}
		return reportPeer(p, cs.VerifiedChains[0], false)
	})
	if reason != Allowed {
		c.tell(Event{Kind: KindWouldRefuse, Reason: reason})
	}
	c.tally.observe(c.observer, false, cs, proven)
}
