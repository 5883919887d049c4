package tlsconfig

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Client is one policy, trust and identity for all that a process connects to. Sessions with servers are resumed by name, not by address, while roots, lists and identity stay. Make one with [NewClient]. It is safe for concurrent use.
type Client struct {
	ruling   *ruling
	servers  Match // nil for any server with the right name
	observer Observer
	drain    Drain

	silent   bool  // it has no identity
	identity *held // nil without one
	roots    *trusted
	revoked  *revoked // nil without ClientOptions.Revoked

	made     time.Time
	tally    tally
	now      atomic.Pointer[clientGeneration]
	renewing sync.Mutex // held by renew
	end      context.CancelFunc
	work     sync.WaitGroup
	over     atomic.Bool

	mu    sync.Mutex
	conns map[*tracked]struct{}
	swaps change // another generation has begun
}

// ClientOptions are the choices of a Client. nil and the zero value are its safe defaults.
type ClientOptions struct {
	// Policy is what connections must be. The zero value is [Recommended], tightened by the floor of the process.
	Policy Policy
	// Identity is the certificate that the Client shows to servers that ask for one. nil for none.
	Identity Identity
	// Servers says which servers are talked to, beside the name or address that is dialed, which their certificate must always be for. nil asks for nothing more.
	Servers Match
	// Revoked lists certificates that are revoked. nil checks none.
	Revoked Revocation
	// Drain says what becomes of connections that were made before roots or identity changed.
	Drain Drain
	// Observer is told of every handshake and change. nil for nobody.
	Observer Observer
	// ReportOnly is a stricter policy that refuses nothing: the Observer hears of every handshake that it would have refused. It judges what was negotiated.
	ReportOnly *Policy
	// Central is a signed file with a policy that is kept beside Policy: what both allow. nil for none.
	Central *PolicyFile
}

// Drain says what becomes of connections of a Client when roots, identity or policy have changed. New requests and calls always get connections under the new ones. The zero value closes the idle ones of a Transport at once, and the others when
// their requests have ended.
type Drain struct {
	// Keep leaves idle connections of a Transport open until its IdleConnTimeout, though nobody uses them any more.
	Keep bool
	// MaxAge is how long after the change connections of Transport, DialContext and Handshake are closed, whatever they do. 0 means never.
	MaxAge time.Duration
}

// clientGeneration is what a Client trusts and shows at one time. It is never changed.
type clientGeneration struct {
	config   *tls.Config // without VerifyConnection
	policy   Policy
	identity *tls.Certificate
	digest   [32]byte // of roots and lists
	sessions *sessions
}

// NewClient returns a Client that talks to servers whose certificates lead to roots. It loads everything before it returns: what can't be used now is an error, ErrInvalid, ErrWeaker or ErrCertificate. ctx bounds this first load only. What
// changes later is taken in until Close; what is bad then is not, and the Observer and Healthy tell.
func NewClient(ctx context.Context, roots Roots, o *ClientOptions) (*Client, error) {
	if o == nil {
		o = &ClientOptions{}
	}
	policy, err := underFloor(o.Policy, o.Policy != Policy{})
	if err != nil {
		return nil, err
	}
	c := &Client{ruling: newRuling(policy, o.ReportOnly, o.Central), made: time.Now(), servers: o.Servers, observer: o.Observer, drain: o.Drain, conns: map[*tracked]struct{}{}}
	if err := c.check(roots, o.Identity); err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, end) // while it starts
	c.end = end
	if err := c.start(life, roots, o); err != nil {
		stop()
		end()
		return nil, err
	}
	if !stop() {
		c.Close()
		return nil, ctx.Err()
	}
	return c, nil
}

// check refuses what can't be a Client.
func (c *Client) check(roots Roots, id Identity) error {
	c.silent = id == nil
	if err := c.fits(c.ruling.own); err != nil {
		return err
	}
	switch {
	case roots == nil:
		return invalid("a Client needs Roots: name the CAs of the servers, or SystemRoots() for those of the system")
	case c.drain.MaxAge < 0:
		return invalid("Drain.MaxAge is %v: want 0 or more", c.drain.MaxAge)
	case c.servers != nil:
		return checkMatch(c.servers)
	}
	return nil
}

// fits says whether the Client can keep p, as far as it is started.
func (c *Client) fits(p Policy) error {
	if err := p.check(); err != nil {
		return err
	}
	switch {
	case c.silent && p.needsClients():
		return invalid("policy %s demands verified clients: set ClientOptions.Identity", p.Name())
	case p.privateRoots() && c.roots != nil && c.roots.systems():
		return invalid("policy %s demands private roots, and the Roots are those of the system", p.Name())
	}
	return c.identity.suits(p.ownAs(false))
}

// start loads everything and has it followed until life ends.
func (c *Client) start(life context.Context, roots Roots, o *ClientOptions) (err error) {
	if err := c.ruling.take(c.fits, c.tell); err != nil {
		return err
	}
	if o.Identity != nil {
		if c.identity, err = holdIdentity(life, o.Identity, c.ruling.ownAs(false), c.tell); err != nil {
			return err
		}
	}
	if c.identity != nil && c.identity.own() == nil {
		return invalid("the Identity of a Client is a BySNI without a default: a Client has no name to choose by")
	}
	if c.roots, err = holdRoots(life, roots, c.tell); err != nil {
		return err
	}
	if err := c.fits(c.ruling.policy()); err != nil {
		return err
	}
	if o.Revoked != nil {
		if c.revoked, err = holdRevocation(life, o.Revoked, c.tell); err != nil {
			return err
		}
	}
	c.renew()
	c.ruling.follow(life)
	c.work.Go(func() { c.follow(life) })
	return nil
}

// follow has a new generation begin when policy, roots, lists or identity change, until life ends.
func (c *Client) follow(life context.Context) {
	for {
		var identity, revoked <-chan struct{} // nil waits for ever
		if c.identity != nil {
			identity = c.identity.changed()
		}
		if c.revoked != nil {
			revoked = c.revoked.changed()
		}
		ruling, roots := c.ruling.changed(), c.roots.changed()
		c.renew() // what changed before the channels were taken
		select {
		case <-ruling:
		case <-roots:
		case <-identity:
		case <-revoked:
		case <-life.Done():
			return
		}
	}
}

// renew begins a new generation where policy, roots, lists or identity are others now.
func (c *Client) renew() {
	c.renewing.Lock()
	defer c.renewing.Unlock()
	policy := c.ruling.policy()
	pool, roots := c.roots.now()
	d := newDigest("client").add(roots[:])
	var identity *tls.Certificate
	if c.identity != nil {
		identity = c.identity.own()
	}
	if c.revoked != nil {
		lists := c.revoked.digest()
		d.add(lists[:])
	}
	last, digest := c.now.Load(), d.sum()
	if last != nil && last.digest == digest && last.policy == policy && last.identity == identity {
		return
	}
	config := &tls.Config{RootCAs: pool}
	policy.configure(config)
	if identity != nil {
		config.GetClientCertificate = present(identity)
	}
	// What a session rests on counts for one generation only: it has its own cache.
	cache := newSessions(policy.ticketLife())
	config.ClientSessionCache = cache
	c.now.Store(&clientGeneration{config, policy, identity, digest, cache})
	if last != nil {
		c.swaps.announce()
		c.expire()
	}
}

// present is GetClientCertificate with a certificate, or none where the server can't take it.
func present(c *tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if info.SupportsCertificate(c) == nil {
			return c, nil
		}
		return &tls.Certificate{}, nil
	}
}

// Policy returns what the Client keeps now: the policy of its options under the floor of the process, tightened by Central.
func (c *Client) Policy() Policy { return c.now.Load().policy }

// Healthy returns nil while roots, identity and Central are fresh, as [Server.Healthy] says.
func (c *Client) Healthy() error {
	if c.over.Load() {
		return ErrClosed
	}
	now := time.Now()
	err := errors.Join(c.ruling.healthy(now), c.roots.healthy(now))
	if c.identity != nil {
		err = errors.Join(err, c.identity.healthy(now))
	}
	if c.revoked != nil {
		err = errors.Join(err, c.revoked.healthy(now))
	}
	return err
}

// Close ends what follows files, has every later handshake fail and closes the idle connections of its Transports. Connections in use go on. Close again does nothing.
func (c *Client) Close() error {
	c.over.Store(true)
	c.end()
	c.work.Wait()
	c.swaps.announce() // Transports let go of their idle connections
	return nil
}

// tell tells the Observer.
func (c *Client) tell(e Event) {
	if (e.Kind == KindTrust || e.Kind == KindCertificate || e.Kind == KindPolicy) && c.now.Load() != nil {
		c.renew() // who hears of it finds it done
	}
	c.tally.count(&e)
	if c.observer != nil {
		e.Server, e.Time = false, time.Now()
		c.observer.Observe(e)
	}
}
