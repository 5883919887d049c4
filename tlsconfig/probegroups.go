package tlsconfig

import (
	"context"
	"crypto/tls"
	"slices"

	"github.com/holdfast-go/holdfast/internal/clienthello"
)

// lookGroups finds the groups that the endpoint agrees to in a version.
func (q *probing) lookGroups(ctx context.Context, version uint16) {
	suites, ofKey := q.suites[version], false
	if version < tls.VersionTLS13 {
		suites = withPrefix(q.suites[version], "TLS_ECDHE_RSA_")
		if len(suites) == 0 {
			suites, ofKey = withPrefix(q.suites[version], "TLS_ECDHE_"), true
		}
	}
	if len(suites) == 0 {
		return // it negotiates none
	}
	g := &groupSearch{probing: q, hello: clienthello.Hello{Versions: []uint16{version}, Suites: suites}, left: everyGroup()}
	err := g.eliminate(ctx, nil)
	if err == nil && ofKey && len(g.agreed) > 0 {
		err = g.besideKey(ctx)
	}
	if err != nil {
		q.unseen("some groups of "+tls.VersionName(version), err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, id := range inOrder(g.agreed, everyGroup()) {
		q.groups = append(q.groups, group{version, id})
	}
}

// groupSearch is for the groups of one version.
type groupSearch struct {
	*probing
	hello  clienthello.Hello // but for its groups
	left   []tls.CurveID     // that were offered and not taken
	agreed []tls.CurveID
}

// choice returns what the endpoint takes of some groups, 0 for none.
func (g *groupSearch) choice(ctx context.Context, offer ...tls.CurveID) (tls.CurveID, error) {
	h := g.hello
	h.Groups = offer
	answer, err := g.ask(ctx, h)
	if err != nil || answer.Outcome != clienthello.Agreed || answer.Version != h.Versions[0] {
		return 0, err
	}
	return answer.Group, nil
}

// eliminate offers what is left, before those in pinned, until nothing of it is taken.
func (g *groupSearch) eliminate(ctx context.Context, pinned []tls.CurveID) error {
	for len(g.left) > 0 {
		taken, err := g.choice(ctx, slices.Concat(g.left, pinned)...)
		if err != nil || taken == 0 || slices.Contains(pinned, taken) {
			return err
		}
		g.agreed = append(g.agreed, taken)
		g.left = slices.DeleteFunc(g.left, func(id tls.CurveID) bool { return id == taken })
	}
	return nil
}

// besideKey goes on where the only certificate is one with an ECDSA key. The groups of a client are those of the certificates that it takes too (RFC 8422 section 5.1.1), and so a refusal may only say that the curve of the key was left out: the
// last that was taken. It is offered last then. A server that goes by the order of its client shows all the others so, and one with an order of its own may not.
func (g *groupSearch) besideKey(ctx context.Context) error {
	last := g.agreed[len(g.agreed)-1]
	if len(g.agreed) > 1 {
		if taken, err := g.choice(ctx, g.agreed[0]); err != nil || taken != 0 {
			return err // it does not mind
		}
	}
	if err := g.eliminate(ctx, []tls.CurveID{last}); err != nil {
		return err
	}
	for _, other := range g.agreed {
		if other == last {
			continue
		}
		before, err := g.choice(ctx, other, last)
		if err != nil {
			return err
		}
		after, err := g.choice(ctx, last, other)
		if err != nil || before != after {
			return err
		}
		break
	}
	g.note(&g.notSeen, "groups of %s that it likes less than %s: who leaves out this curve, that of its key, is refused", tls.VersionName(g.hello.Versions[0]), groupName(last))
	return nil
}
