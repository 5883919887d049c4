package tlsconfig

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/holdfast-go/holdfast/internal/clienthello"
)

// versionSSL30 is tls.VersionSSL30, which is deprecated as such.
const versionSSL30 = 0x0300

// everyVersion are those that are asked for, the best first.
var everyVersion = []uint16{tls.VersionTLS13, tls.VersionTLS12, tls.VersionTLS11, tls.VersionTLS10, versionSSL30}

// chunkOfSuites is how many a hello has: some servers look at the first 128 alone, or not at a hello of more than 255 bytes of them.
const chunkOfSuites = 100

// look sees all of an endpoint, as far as it answers.
func (q *probing) look(ctx context.Context) {
	if !q.begin(ctx) {
		return
	}
	var wait sync.WaitGroup
	for _, version := range everyVersion {
		suites := everySuite()
		if version == tls.VersionTLS13 {
			suites = suites13
		}
		for chunk := range slices.Chunk(suites, chunkOfSuites) {
			wait.Go(func() { q.lookSuites(ctx, version, chunk) })
		}
	}
	wait.Wait()
	for _, version := range []uint16{tls.VersionTLS13, q.old()} {
		if len(q.suites[version]) > 0 {
			wait.Go(func() { q.lookGroups(ctx, version) })
			wait.Go(func() { q.lookSessions(ctx, version) })
		}
	}
	wait.Go(func() { q.lookHandshakes(ctx) })
	wait.Wait()
	if slices.Contains(q.protocols, "http/1.1") {
		q.lookHSTS(ctx)
	} else if slices.Contains(q.protocols, "h2") {
		q.note(&q.notSeen, "Strict-Transport-Security: it does not agree to http/1.1")
	}
	q.lookChains(ctx)
	q.lookAddresses(ctx)
	q.end(ctx)
}

// end says what a look at the endpoint has not come to, if all questions were answered: what was not seen is not within a policy.
func (q *probing) end(ctx context.Context) {
	_ = q.patiently(ctx, func() error { return q.stillThere(ctx) })
	switch {
	case q.failed != nil:
	case ctx.Err() != nil:
		q.failed = bare(context.Cause(ctx))
	case len(q.versions()) == 0:
		q.failed = errChanged
	case q.unsteady:
		q.failed = errFails
	case len(q.odd) > 0:
		q.failed = errOdd
	case len(q.chains) == 0:
		q.failed = errNoChain
	case q.mutual && q.clients == "":
		q.failed = errClients
	}
}

// lookAddresses notes that the name of the endpoint has other addresses.
func (q *probing) lookAddresses(ctx context.Context) {
	host, _, _ := net.SplitHostPort(q.endpoint.Address) // which newProbing has looked at
	if _, err := netip.ParseAddr(host); err == nil || q.endpoint.Dial != nil {
		return
	}
	if all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host); err == nil && len(all) > 1 && !all[0].IsLoopback() {
		q.note(&q.notSeen, "other addresses of its name, of which there are %d: this is %s", len(all)-1, q.address)
	}
}

// begin finds what the endpoint agrees to at all.
func (q *probing) begin(ctx context.Context) bool {
	var refusal clienthello.Answer
	var first error
	for _, h := range []clienthello.Hello{
		{Versions: everyVersion, Suites: slices.Concat(suites13, everySuite()), Groups: everyGroup()},
		{Versions: everyVersion[:2], Suites: slices.Concat(suites13, idsOf[uint16](policySuites, suitesAll)), Groups: idsOf[tls.CurveID](policyGroups, 1<<len(policyGroups)-1)},
	} {
		answer, err := q.ask(ctx, h)
		switch {
		case errors.Is(err, errHungUp):
			first = err // perhaps it is too much for it
		case err != nil:
			q.unseen("all of it", err)
			return false
		case answer.Outcome == clienthello.Agreed:
			h.ServerName = q.name
			q.opening, q.failed, q.missed = h, nil, 0
			return true
		default:
			refusal = answer
		}
	}
	if first != nil {
		q.unseen("all of it", first)
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failed = fmt.Errorf("it refuses all that is offered: %w", refusal.Alert)
	q.notSeen = append(q.notSeen, fmt.Sprintf("all of it: it refuses all that is offered: %q", refusal.Alert.Error()))
	return false
}

// lookSuites finds those of some suites that the endpoint agrees to in a version.
func (q *probing) lookSuites(ctx context.Context, version uint16, suites []uint16) {
	h := clienthello.Hello{Versions: []uint16{version}, Suites: slices.Clone(suites), Groups: everyGroup()}
	for len(h.Suites) > 0 {
		answer, err := q.ask(ctx, h)
		if err != nil {
			q.unseen("some suites of "+tls.VersionName(version), err)
			return
		}
		if answer.Outcome != clienthello.Agreed || answer.Version != version {
			return
		}
		h.Suites = slices.DeleteFunc(h.Suites, func(id uint16) bool { return id == answer.Suite })
		q.mu.Lock()
		q.suites[version] = append(q.suites[version], answer.Suite)
		q.mu.Unlock()
	}
}

// old returns the highest version before TLS 1.3 that the endpoint agrees to, 0 for none.
func (q *probing) old() uint16 {
	for _, v := range everyVersion[1:] {
		if len(q.suites[v]) > 0 {
			return v
		}
	}
	return 0
}

// versions returns those that the endpoint agrees to, the lowest first.
func (q *probing) versions() (all []uint16) {
	for _, v := range slices.Backward(everyVersion) {
		if len(q.suites[v]) > 0 {
			all = append(all, v)
		}
	}
	return all
}

// oldSuitesSeen returns the suites before TLS 1.3 that the endpoint agrees to in any version, in the order of everySuite.
func (q *probing) oldSuitesSeen() (all []uint16) {
	for _, v := range everyVersion[1:] {
		all = append(all, q.suites[v]...)
	}
	return inOrder(all, everySuite())
}

// inOrder returns a list in the order of another, each once.
func inOrder[T comparable](list, order []T) []T {
	slices.SortFunc(list, func(a, b T) int { return cmp.Compare(slices.Index(order, a), slices.Index(order, b)) })
	return slices.Compact(list)
}

// withPrefix returns the suites whose name begins so.
func withPrefix(suites []uint16, prefix string) []uint16 {
	return slices.DeleteFunc(slices.Clone(suites), func(id uint16) bool { return !strings.HasPrefix(suiteName(id), prefix) })
}

// shown notes certificates that the endpoint shows.
func (q *probing) shown(chain []*x509.Certificate) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(chain) > 0 && !slices.ContainsFunc(q.chains, func(seen []*x509.Certificate) bool { return slices.EqualFunc(seen, chain, (*x509.Certificate).Equal) }) {
		q.chains = append(q.chains, chain)
	}
}
