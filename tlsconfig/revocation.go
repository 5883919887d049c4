package tlsconfig

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Revocation tells which certificates were revoked. CRLFiles makes one; it can't be implemented elsewhere.
type Revocation interface {
	source
	// load reads what counts now. Take changed before, or a change in between is missed.
	load() (*crlSet, error)
	// changed returns a channel that is closed when load would say something else.
	changed() <-chan struct{}
}

// CRLFiles returns the certificate revocation lists of files, for private CAs. A file of at most 1 MiB has one list in DER or several in PEM. While a Server or Client has them, files are looked at every 500 ms to 30 s, by how soon a list ends, and lists are taken without a restart; unreadable or broken files leave the last good lists in place.
//
// It fails closed: for each certificate of a chain but the root there must be a list that its issuer signed and that has not ended, with 5 minutes for clocks that differ. Without it a peer is refused with ReasonRevocation.
// Lists are complete: those for changes only, for parts, or by another issuer are an error, as are lists signed with SHA-1. A certificate on hold counts as revoked. It is safe for concurrent use.
func CRLFiles(paths ...string) Revocation {
	return &crlFiles{paths: slices.Clone(paths), files: newPoller(paths)}
}

// crlFiles is a Revocation.
type crlFiles struct {
	paths []string
	files *poller
	ends  atomic.Pointer[time.Time] // when the first of the lists that were read last ends
}

func (f *crlFiles) changed() <-chan struct{} { return f.files.changed() }

func (f *crlFiles) hold(ctx context.Context) {
	f.files.hold(ctx, func() time.Duration {
		if ends := f.ends.Load(); ends != nil {
			return pollEvery(time.Until(*ends))
		}
		return pollMax
	})
}

func (f *crlFiles) load() (*crlSet, error) {
	if len(f.paths) == 0 {
		return nil, errors.New("CRLFiles without a file")
	}
	contents, err := f.files.read()
	if err != nil {
		return nil, err
	}
	s := &crlSet{}
	h := sha256.New()
	for i, content := range contents {
		lists, err := parseCRLs(content)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", f.paths[i], err)
		}
		for _, c := range lists {
			h.Write(c.list.Raw) // DER has its length in it
		}
		s.lists = append(s.lists, lists...)
	}
	s.raw = [sha256.Size]byte(h.Sum(nil))
	ends := s.ends()
	f.ends.Store(&ends)
	return s, nil
}

// crlSet are the lists that count at a time. All but what crl remembers is immutable.
type crlSet struct {
	lists []*crl
	raw   [sha256.Size]byte // of the lists as they are
}

// newerThan says whether s has a newer list of an issuer than next has: who was revoked must not come back with an old file.
func (s *crlSet) newerThan(next *crlSet) bool {
	after := next.newest()
	for issuer, c := range s.newest() {
		if then := after[issuer]; then != nil && then.before(c) {
			return true
		}
	}
	return false
}

// newest returns the newest list of each issuer.
func (s *crlSet) newest() map[string]*crl {
	all := map[string]*crl{}
	for _, c := range s.lists {
		issuer := string(c.list.RawIssuer) + string(c.list.AuthorityKeyId)
		if last := all[issuer]; last == nil || last.before(c) {
			all[issuer] = c
		}
	}
	return all
}

// ends returns when the first issuer is without a list, if nothing new comes.
func (s *crlSet) ends() time.Time {
	last := map[string]time.Time{}
	for _, c := range s.lists {
		issuer := string(c.list.RawIssuer) + string(c.list.AuthorityKeyId)
		if c.list.NextUpdate.After(last[issuer]) {
			last[issuer] = c.list.NextUpdate
		}
	}
	var first time.Time
	for _, at := range last {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}

// judge returns what the lists say of a certificate of a verified chain.
func (s *crlSet) judge(cert, issuer *x509.Certificate, now time.Time) Reason {
	reason := ReasonRevocation
	for _, c := range s.lists {
		switch {
		case !c.signedBy(issuer):
		case c.revoked[cert.SerialNumber.String()]: // a list that has ended counts too: of several the strictest does
			return ReasonRevoked
		case c.current(now):
			reason = Allowed
		}
	}
	return reason
}

// revoked is a Revocation in use: the last good lists. It is safe for concurrent use.
type revoked struct {
	lists Revocation
	tell  func(Event)
	state atomic.Pointer[revokedState]
	moved change
}

// revokedState is what counts at a time.
type revokedState struct {
	*crlSet
	failed error // why the last reload does not count
}

// holdRevocation loads the lists, which must succeed, and then, until ctx ends, whenever they change. tell hears KindTrust of each change, with a Reason and Err of what does not count.
func holdRevocation(ctx context.Context, r Revocation, tell func(Event)) (*revoked, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	v := &revoked{lists: r, tell: tell}
	moved := r.changed() // before load, or a change during it is missed
	set, err := r.load()
	if err != nil {
		return nil, invalid("revocation lists: %w", err)
	}
	v.state.Store(&revokedState{set, nil})
	r.hold(ctx)
	go follow(ctx, moved, r.changed, v.reload)
	return v, nil
}

// reload takes what the lists are now, or keeps the last good ones. It tells of what is new: other lists, another failure, or the end of a failure.
// It need not be called again before the files change: what is wrong with them stays so.
func (v *revoked) reload(ctx context.Context) time.Duration {
	next, err := v.lists.load()
	if ctx.Err() != nil {
		return 0
	}
	now := v.state.Load()
	if err == nil && now.newerThan(next) {
		err = errors.New("a list is older than the one of its issuer that counts")
	}
	if err != nil {
		v.state.Store(&revokedState{now.crlSet, err})
		if now.failed == nil || now.failed.Error() != err.Error() {
			v.tell(Event{Kind: KindTrust, Time: time.Now(), Reason: ReasonRevocation, Err: invalid("revocation lists: %w", err)})
		}
		return 0
	}
	same := next.raw == now.raw
	if same && now.failed == nil {
		return 0
	}
	v.state.Store(&revokedState{next, nil})
	if !same {
		v.moved.announce()
	}
	v.tell(Event{Kind: KindTrust, Time: time.Now()})
	return 0
}

// check returns nil if no certificate of one of the chains is revoked, or a *Refusal. The chains are verified; without one it refuses.
func (v *revoked) check(chains [][]*x509.Certificate, now time.Time) error {
	set := v.state.Load()
	reason := ReasonRevocation
	for _, chain := range chains {
		worst := Allowed
		for i := range max(len(chain)-1, 0) {
			if found := set.judge(chain[i], chain[i+1], now); found != Allowed && worst != ReasonRevoked {
				worst = found
			}
		}
		if worst == Allowed && len(chain) > 0 {
			return nil
		}
		if worst == ReasonRevoked {
			reason = worst
		}
	}
	if reason == ReasonRevoked {
		return refuse(reason, "a certificate of the chain is on a revocation list")
	}
	return refuse(reason, "there is no current revocation list of an issuer in the chain")
}

// digest returns a value that differs when other certificates are revoked, and not for a new list that says the same.
func (v *revoked) digest() [sha256.Size]byte {
	var meanings [][]byte
	for _, c := range v.state.Load().lists {
		meaning := c.meaning()
		meanings = append(meanings, meaning[:])
	}
	slices.SortFunc(meanings, bytes.Compare)
	meanings = slices.CompactFunc(meanings, bytes.Equal)
	return sha256.Sum256(bytes.Join(meanings, nil))
}

// changed returns a channel that is closed when other lists count.
func (v *revoked) changed() <-chan struct{} { return v.moved.wait() }

// healthy returns an error when the last reload failed or an issuer is without a current list.
func (v *revoked) healthy(now time.Time) error {
	state := v.state.Load()
	if state.failed != nil {
		return invalid("revocation lists: the last reload failed: %w", state.failed)
	}
	if ends := state.ends(); now.After(ends) {
		return invalid("revocation lists: one has ended at %v", ends.UTC().Format(time.RFC3339))
	}
	return nil
}
