package tlsconfig

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Server is one policy, certificate and trust for all that listens in a process. Make one with [NewServer]. It is safe for concurrent use.
type Server struct {
	ruling    *ruling
	clients   *Clients
	protocols []string
	observer  Observer

	identity *held
	roots    *trusted // nil without Clients
	revoked  *revoked // nil without Clients.Revoked
	tickets  *ticketKeys

	made      time.Time
	tally     tally
	floods    floods
	done      handshaken // of Guards
	now       atomic.Pointer[generation]
	renewing  sync.Mutex // held by renew
	preparing sync.Mutex // guards what prepare sets
	end       context.CancelFunc
	work      sync.WaitGroup // watchers
	over      atomic.Bool
}

// ServerOptions are the choices of a Server. nil and the zero value are its safe defaults.
type ServerOptions struct {
	// Policy is what connections must be. The zero value is [Recommended], tightened by the floor of the process.
	Policy Policy
	// Clients says which clients are let in by certificate. nil asks for none, and fails under a policy that demands them.
	Clients *Clients
	// Tickets says how sessions are resumed. nil means within this process.
	Tickets *Tickets
	// Protocols are the application protocols (ALPN), the preferred first. nil means "h2" and "http/1.1".
	Protocols []string
	// Observer is told of every handshake and change. nil for nobody.
	Observer Observer
	// ReportOnly is a stricter policy that refuses nothing: the Observer hears of every handshake that it would have refused.
	ReportOnly *Policy
	// Central is a signed file with a policy that is kept beside Policy: what both allow. nil for none.
	Central *PolicyFile
}

// Clients are the clients that a Server lets in by their certificates, which are verified for client authentication, in full handshakes and resumed ones.
type Clients struct {
	// Roots are the CAs of the clients. Required: without, crypto/tls would take those of the system. [SystemRoots] must be asked for.
	Roots Roots
	// Allow says who of those verified is let in. Required: [AnyIdentity] for all.
	Allow Match
	// Optional lets clients without a certificate in too. Tell them apart with [Peer].
	Optional bool
	// Revoked lists certificates that are revoked. nil checks none.
	Revoked Revocation
}

// generation is what a Server serves and trusts at one time. It is never changed.
type generation struct {
	config *tls.Config
	policy Policy
	digest [32]byte // of all that the right to resume depends on
}

// NewServer returns a Server that shows the certificates of id. It loads everything before it returns: what can't be used now is an error, ErrInvalid, ErrWeaker or ErrCertificate. ctx bounds this first load only. What
// changes later is taken in until Close; what is bad then is not, and the Observer and Healthy tell.
func NewServer(ctx context.Context, id Identity, o *ServerOptions) (*Server, error) {
	if o == nil {
		o = &ServerOptions{}
	}
	policy, err := underFloor(o.Policy, o.Policy != Policy{})
	if err != nil {
		return nil, err
	}
	s := &Server{ruling: newRuling(policy, o.ReportOnly, o.Central), made: time.Now(), clients: o.Clients, protocols: slices.Clone(o.Protocols), observer: o.Observer}
	if s.protocols == nil {
		s.protocols = []string{"h2", "http/1.1"}
	}
	if err := s.check(id); err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, end) // while it starts
	s.end = end
	if err := s.start(life, id, o.Tickets); err != nil {
		stop()
		end()
		return nil, err
	}
	if !stop() {
		s.Close()
		return nil, ctx.Err()
	}
	return s, nil
}

// check refuses what can't be a Server.
func (s *Server) check(id Identity) error {
	if err := s.fits(s.ruling.own); err != nil {
		return err
	}
	switch c := s.clients; {
	case id == nil:
		return invalid("a Server needs an Identity")
	case c == nil:
		return nil
	case c.Roots == nil:
		return invalid("Clients.Roots is nil: name the CAs of your clients, or SystemRoots() for those of the system")
	default:
		own := *c
		s.clients = &own
		return checkMatch(c.Allow)
	}
}

// fits says whether the Server can keep p, as far as it is started.
func (s *Server) fits(p Policy) error {
	if err := p.check(); err != nil {
		return err
	}
	switch c := s.clients; {
	case slices.Contains(s.protocols, "h2") && !p.allowsHTTP2():
		return invalid("policy %s has TLS 1.2 without a suite of AES_128_GCM, which HTTP/2 demands: demand TLS 1.3, or leave \"h2\" out of ServerOptions.Protocols", p.Name())
	case c == nil && p.needsClients():
		return invalid("policy %s demands verified clients: set ServerOptions.Clients", p.Name())
	case c != nil && c.Optional && p.needsClients():
		return invalid("policy %s demands verified clients: Clients.Optional lets others in", p.Name())
	case p.privateRoots() && s.roots != nil && s.roots.systems():
		return invalid("policy %s demands private roots, and Clients.Roots are those of the system", p.Name())
	}
	return s.identity.suits(p.ownAs(true))
}

// start loads everything and has it followed until life ends.
func (s *Server) start(life context.Context, id Identity, tickets *Tickets) (err error) {
	if err := s.ruling.take(s.fits, s.tell); err != nil {
		return err
	}
	if s.identity, err = holdIdentity(life, id, s.ruling.ownAs(true), s.tell); err != nil {
		return err
	}
	if s.clients != nil {
		if s.roots, err = holdRoots(life, s.clients.Roots, s.tell); err != nil {
			return err
		}
		if err := s.fits(s.ruling.policy()); err != nil {
			return err
		}
		if s.clients.Revoked != nil {
			if s.revoked, err = holdRevocation(life, s.clients.Revoked, s.tell); err != nil {
				return err
			}
		}
	}
	if s.tickets, err = newTicketKeys(life, tickets, s.ruling.own.ticketLife()); err != nil {
		return err
	}
	s.renew()
	s.ruling.follow(life)
	s.work.Go(func() { s.follow(life) })
	return nil
}

// follow has a new generation begin when trust changes, until life ends.
func (s *Server) follow(life context.Context) {
	for {
		var roots, revoked <-chan struct{} // nil waits for ever
		if s.roots != nil {
			roots = s.roots.changed()
		}
		if s.revoked != nil {
			revoked = s.revoked.changed()
		}
		ruling := s.ruling.changed()
		s.renew() // what changed before the channels were taken
		select {
		case <-ruling:
		case <-roots:
		case <-revoked:
		case <-life.Done():
			return
		}
	}
}

// renew begins a new generation where policy or trust is another one now.
func (s *Server) renew() {
	s.renewing.Lock()
	defer s.renewing.Unlock()
	policy := s.ruling.policy()
	c := &tls.Config{NextProtos: s.protocols, GetCertificate: s.certificate}
	policy.configure(c)
	d := newDigest("server").add(policy.canonical())
	if s.clients != nil {
		pool, roots := s.roots.now()
		c.ClientCAs, c.ClientAuth = pool, tls.RequireAndVerifyClientCert
		mode := "required"
		if s.clients.Optional {
			c.ClientAuth, mode = tls.VerifyClientCertIfGiven, "optional"
		}
		d.add(roots[:]).add([]byte(s.clients.Allow.describe())).add([]byte(mode))
		if s.revoked != nil {
			lists := s.revoked.digest()
			d.add(lists[:])
		}
	}
	next := &generation{config: c, policy: policy, digest: d.sum()}
	if last := s.now.Load(); last == nil || last.digest != next.digest || last.policy != next.policy {
		s.now.Store(next)
	}
}

// Config returns a config for whatever serves TLS: http.Server, gRPC, a listener. It stays live: it may be cloned, and what changes reaches every handshake after it. Don't set fields of it that say
// something of versions, suites, certificates, clients, sessions or protocols; those for handshakes are made anew in GetConfigForClient.
func (s *Server) Config() *tls.Config {
	c := s.now.Load().config.Clone() // for those who read it
	if c.ClientCAs != nil {
		c.ClientCAs = c.ClientCAs.Clone() // some libraries add to it
	}
	c.NextProtos = slices.Clone(c.NextProtos)
	c.GetConfigForClient = s.hello
	c.SessionTicketsDisabled = true // GetConfigForClient has its own
	c.VerifyConnection = func(tls.ConnectionState) error {
		return refuse(ReasonOther, "the config of this Server was used without its GetConfigForClient")
	}
	return c
}

// certificate is GetCertificate.
func (s *Server) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.identity.get(hello)
}

// Policy returns what the Server keeps now: the policy of its options under the floor of the process, tightened by Central.
func (s *Server) Policy() Policy { return s.now.Load().policy }

// Expiry returns when the first of the certificates that are served now ends, for a gauge.
func (s *Server) Expiry() time.Time { return firstEnd(s.identity.all()) }

// Healthy returns nil while certificates, roots, revocation lists and Central are fresh: what is wrong otherwise, such as a certificate with less than a sixth of its life left, for a readiness or alerting check. What it reports may still be
// served: it is a warning in time.
func (s *Server) Healthy() error {
	if s.over.Load() {
		return ErrClosed
	}
	now := time.Now()
	errs := []error{s.ruling.healthy(now), s.identity.healthy(now), s.tickets.healthy()}
	if s.roots != nil {
		errs = append(errs, s.roots.healthy(now))
	}
	if s.revoked != nil {
		errs = append(errs, s.revoked.healthy(now))
	}
	return errors.Join(errs...)
}

// Close ends what follows files and refuses every handshake from then on. Connections go on, and http.Servers of Serve are yours to shut down. Close again does nothing.
func (s *Server) Close() error {
	s.over.Store(true)
	s.end()
	s.work.Wait()
	return nil
}

// tell tells the Observer of a change.
func (s *Server) tell(e Event) {
	if (e.Kind == KindTrust || e.Kind == KindPolicy) && s.now.Load() != nil {
		s.renew() // who hears of it finds it done
	}
	s.tally.count(&e)
	if s.observer != nil && s.floods.tells(&e) {
		e.Server, e.Time = true, time.Now()
		s.observer.Observe(e)
	}
}
